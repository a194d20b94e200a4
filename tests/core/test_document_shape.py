"""Shapes of documents: whatever the fast decoder refuses has a problem with a path, and nothing else has one."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from aob.core.document.shape import escape, wrong_shape
from aob.core.graph.definition import NodeDefinition
from aob.core.graph.survey.node_plan import read_struct
from aob.core.node import KINDS

Named = Annotated[str, Meta(min_length=1)]
ODD: list[Any] = [
    None, True, -1, 1.5, "", "odd", [], [None], [{}], {}, {"": 1}, {"a": None}, {"a": {}}, {"a": {"b": 1}},
    {"": {"": ""}},
]  # fmt: skip


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    low: int = 0
    high: int = 0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    """Also refused: a key of a map, the size of a map, two fields together."""

    names: dict[Named, int] = {}
    few: Annotated[dict[str, int], Meta(max_length=1)] = {}
    inner: Inner | None = None
    mapped: dict[str, Inner] = {}


STRUCTS: list[type[msgspec.Struct]] = [Outer, NodeDefinition, *(kind.config for kind in KINDS.values())]


def documents(struct: type[msgspec.Struct]) -> Iterator[Any]:
    """Odd values, and maps with one odd field, alone and with other wrong keys."""
    yield from ODD
    fields = [field.encode_name for field in msgspec.structs.fields(struct)]
    for name in fields:
        for odd in ODD:
            yield {name: odd}
            yield {name: odd, fields[0]: "x", "unknown": 1}


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_what_the_decoder_refuses_has_a_problem_and_nothing_else_has(struct: type[msgspec.Struct]) -> None:
    for raw in documents(struct):
        problems = list(wrong_shape(raw, struct, "/at"))
        try:
            msgspec.convert(raw, struct)
        except msgspec.ValidationError:
            assert problems, raw
            assert all(problem.path.startswith("/at") and problem.message for problem in problems), raw
        else:
            assert problems == [], raw
        told = list[Any]()
        if read_struct(raw, struct, "/at", told) is None:
            assert told, raw


@pytest.mark.parametrize(("raw", "path", "words"), [
    ({"names": {"": 1}}, "/at/names", "length >= 1 as a key"), ({"few": {"a": 1, "b": 2}}, "/at/few", "of length <= 1"),
    ({"inner": {"low": 2}}, "/at/inner", "low is above high"),
    ({"mapped": {"a/b": {"low": 2}}}, "/at/mapped/a~1b", "low is above high"),
])  # fmt: skip
def test_what_only_the_decoder_knows_is_told_in_its_words(raw: Any, path: str, words: str) -> None:
    problems = list[Any]()
    assert read_struct({**raw, "unknown": 1}, Outer, "/at", problems) == Outer()
    (problem,) = [each for each in problems if each.path != f"/at/{escape('unknown')}"]
    assert (problem.path, problem.code) == (path, "bad_type")
    assert problem.message.endswith(words)
