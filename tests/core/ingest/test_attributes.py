"""Attributes of CloudEvents: null is unset, ours have names of their own, binary data is refused; also from the log."""

import json
from typing import Any

import pytest

from aob.core.contract import read_contracts
from aob.core.ingest import Gate, Refused

CONTRACT = {"event": "sale", "version": 1, "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
NOW_MS = 1_800_000_000_000
EVENT: dict[str, Any] = {"id": "1", "source": "s", "type": "sale", "time": 1.0, "data": {"n": 1}}


def gate() -> Gate:
    files = {"a.json": json.dumps(CONTRACT), "b.json": json.dumps({**CONTRACT, "version": 2})}
    return Gate(read_contracts(files))


def read(**attributes: Any) -> Any:
    """The event, the same however it comes: at once, by itself, and from the log."""
    line = json.dumps({**EVENT, **attributes}).encode()
    one = gate()
    gated = one.read(line, NOW_MS)
    looked = one.look(line, NOW_MS)
    if gated.refused:
        assert isinstance(looked, Refused)
        return looked.reasons[0].message
    (event,) = gated.events
    (again,) = one.reread(line, one.notes([event]), 0)
    assert not isinstance(looked, Refused)
    for other in (looked, again):
        told = (other.id, other.subject, other.version, other.depth, other.data.n)
        assert told == (event.id, event.subject, event.version, event.depth, event.data.n)
    return event


@pytest.mark.parametrize(
    "name", ["subject", "time", "version", "producer", "sequence", "specversion", "datacontenttype", "correlationid",
             "depth", "aobdepth", "aobversion", "data_base64", "other"],
)  # fmt: skip
def test_null_is_as_good_as_absent(name: str) -> None:
    event = read(**{name: None})
    assert (event.subject, event.data.n, event.depth) == ("", 1, 0)


def test_ours_have_names_of_their_own() -> None:
    assert read(aobversion=2).version == 2
    assert read(aobversion=1, version=2).version == 1
    assert read(aobdepth=3).depth == 3
    assert read(aobdepth=3, depth=5).depth == 3
    assert (read(version=2).version, read(depth=4).depth) == (2, 4)
    assert "no such version" in read(aobversion=9)
    assert "depth" in read(aobdepth="deep")
    assert "caused one another" in read(aobdepth=16)


@pytest.mark.parametrize("value", ["2.1", {"major": 2}, [1], True, 1.5])
@pytest.mark.parametrize("name", ["version", "depth", "epoch", "attempt", "tenant"])
def test_anything_else_under_a_short_name_is_an_extension_of_the_senders(name: str, value: Any) -> None:
    plain, event = read(), read(**{name: value})
    assert (event.version, event.depth) == (plain.version, plain.depth)


def test_binary_data_is_refused_beside_data_too() -> None:
    assert "not both" in read(data_base64="AAAA")
    line = json.dumps({**{k: v for k, v in EVENT.items() if k != "data"}, "data_base64": "AAAA"}).encode()
    found = gate().look(line, NOW_MS)
    assert isinstance(found, Refused)
    assert "not binary" in found.reasons[0].message
