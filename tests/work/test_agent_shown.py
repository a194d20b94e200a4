"""What a model is shown of a graph: what it may patch, and the value of no header."""

from typing import Any

import msgspec
import pytest

from aob.core.node import KINDS
from aob.core.node.http import HIDDEN
from aob.work.agent.guide import shown


def http(**headers: str) -> dict[str, Any]:
    return {"kind": "http", "config": {"url": "https://a.example", "headers": headers}}


def test_no_header_is_shown_not_even_inside_a_body() -> None:
    inner = {"kind": "map", "config": {}, "body": {"nodes": {"b": http(Y="v2")}}}
    told = str(shown({"document": {"nodes": {"a": http(X="v1"), "m": inner}}, "state": {}}))
    assert "v1" not in told
    assert "v2" not in told
    assert told.count(HIDDEN) == 2
    assert "X" in told


@pytest.mark.parametrize("state", ["ready", "success", "failure", "skipped", "approved"])
def test_of_what_has_begun_only_its_kind_is_shown(state: str) -> None:
    document = {
        "nodes": {"a": http(X="v"), "f": {"kind": "function", "config": {"handler": "work"}, "input": {"x": "1"}}}
    }
    nodes = shown({"document": document, "state": {"a": state, "f": state}})["document"]["nodes"]
    assert nodes == {"a": {"kind": "http"}, "f": {"kind": "function", "config": {"handler": "work"}}}


def test_a_header_that_was_not_shown_cannot_be_written_back() -> None:
    config = msgspec.convert({"url": "https://a.example", "headers": {"X-Any": HIDDEN}}, KINDS["http"].config)
    assert [problem.code for problem in KINDS["http"].refused(config)] == ["bad_header"]
