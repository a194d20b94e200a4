"""RFC 6902 by the public json-patch-test-suite, through our own entry points: text in, patched value out."""

import json
from pathlib import Path
from typing import Any

import pytest

from aob.core.errors import Malformed
from aob.core.graph.patch import PatchError, apply, read_operations

VECTORS = Path(__file__).parents[1] / "vectors" / "json-patch-test-suite"


class Pairs(list[tuple[str, Any]]):
    """A JSON object with its members in order, those that stand twice included."""


def text_of(value: Any) -> str:
    """JSON text of a value; an object that has a member twice keeps it twice."""
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{text_of(inner)}" for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)


def records() -> list[Any]:
    found = []
    for name in ("tests.json", "spec_tests.json"):
        raw = json.loads((VECTORS / name).read_text(), object_pairs_hook=Pairs)
        for number, record in enumerate(raw):
            members = dict(record)
            label = members.get("comment") or members.get("error") or "no comment"
            found.append(pytest.param(members, id=f"{name[:-5]}-{number}-{label}"))
    return found


def test_the_suite_is_all_there() -> None:
    assert len(records()) == 95


@pytest.mark.parametrize("record", records())
def test_the_public_suite_passes(record: dict[str, Any]) -> None:
    document = json.loads(text_of(record["doc"]))
    untouched = json.loads(text_of(record["doc"]))
    text = text_of(record["patch"])
    if "error" in record:
        with pytest.raises((PatchError, Malformed)):
            apply(document, read_operations(text))
    else:
        result = apply(document, read_operations(text))
        if "expected" in record:
            assert json.dumps(result, sort_keys=True) == json.dumps(
                json.loads(text_of(record["expected"])), sort_keys=True
            )
    assert document == untouched


def test_a_member_that_stands_twice_is_refused_and_named() -> None:
    with pytest.raises(Malformed, match="two members 'op'"):
        read_operations('[{"op":"add","path":"/baz","value":"qux","op":"remove"}]')
