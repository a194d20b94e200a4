"""Every field of a contract does something that the world sees: the same events under two contracts that differ in it
alone are told apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from aob.core.contract import definition
from tests.sweep import alerts, contracts
from tests.sweep.frame import CASES, told_apart

PARTS: Final = {
    "event": definition.EventDefinition, "rule": definition.RuleDefinition, "entity": definition.EntityDefinition,
    "lookup": definition.LookupDefinition,
    "move": definition.MoveDefinition, "metric_contract": definition.MetricDefinition,
    "window": definition.WindowDefinition, "given": definition.GivenDefinition, "slo": definition.SloDefinition,
    "alert": definition.AlertDefinition, "start": definition.StartDefinition,
}  # fmt: skip
OBSERVERS: Final = {contracts.__name__, alerts.__name__}


def every() -> Iterator[tuple[str, str]]:
    for part, struct in PARTS.items():
        yield from ((part, field.encode_name) for field in msgspec.structs.fields(struct))


def test_every_shape_of_a_contract_stands_here() -> None:
    found = {each for name, each in vars(definition).items() if name.endswith("Definition")}
    assert found == set(PARTS.values())


def test_every_field_of_a_contract_has_an_observer() -> None:
    assert set(every()) == {case for case in CASES if CASES[case].observe.__module__ in OBSERVERS}


@pytest.mark.parametrize(("part", "field"), sorted(set(every())))
async def test_a_field_of_a_contract_is_seen_by_the_world(part: str, field: str, tmp_path: Path) -> None:
    await told_apart(part, field, tmp_path)
