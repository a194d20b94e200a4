"""Every field of a document does something that the world sees: two runs that differ in it alone are told apart.

A field that is added without an observer fails here; so does one that is checked and read by nobody. Each observer also
has to see the same twice, or a difference would show nothing.
"""

from pathlib import Path
from typing import Final

import msgspec
import pytest

from aob.core.node.approval import Escalation
from tests.house.test_fields import SHOWN_ONLY, fields
from tests.sweep import decided, graph, work
from tests.sweep.frame import CASES, told_apart

OBSERVERS: Final = (decided, graph, work)


NAMES: Final = {module.__name__ for module in OBSERVERS}
RUNGS: Final = {("escalation", field.encode_name) for field in msgspec.structs.fields(Escalation)}
EVERY: Final = set(fields()) - SHOWN_ONLY | RUNGS


def test_every_field_of_a_document_has_an_observer() -> None:
    assert {case for case in CASES if CASES[case].observe.__module__ in NAMES} == EVERY


@pytest.mark.parametrize(("part", "field"), sorted(EVERY))
async def test_a_field_is_seen_by_the_world(part: str, field: str, tmp_path: Path) -> None:
    await told_apart(part, field, tmp_path)
