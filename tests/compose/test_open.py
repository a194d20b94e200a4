"""A home in this process, by `aob.open`."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import aob
from aob.core.errors import Conflict


@aob.node
def answer(value: object = None) -> int:
    """Always the same."""
    return 42


HANDLERS = SimpleNamespace(answer=answer)
ONE = {"kind": "function", "config": {"handler": "answer"}}


async def test_a_run_is_started_and_its_end_awaited(tmp_path: Path) -> None:
    async with aob.open(tmp_path, app=HANDLERS) as app:
        await app.push({"workflow": "one", "nodes": {"a": ONE}})
        run = await (await app.start("one", {})).done()
    assert (run["status"], run["nodes"]["a"]["output"]) == ("COMPLETED", 42)


async def test_a_run_ends_when_all_that_is_left_is_a_failure_edge_that_is_not_taken(tmp_path: Path) -> None:
    document = {
        "workflow": "two",
        "nodes": {"a": ONE, "b": ONE},
        "edges": {"e": {"from": "a", "to": "b", "on": "failure"}},
    }
    async with aob.open(tmp_path, app=HANDLERS) as app:
        await app.push(document)
        run = await (await app.start("two", {})).done()
    assert (run["status"], run["nodes"]["b"]["state"]) == ("COMPLETED", "skipped")


async def test_a_second_owner_of_a_home_is_told(tmp_path: Path) -> None:
    async with aob.open(tmp_path):
        with pytest.raises(Conflict, match="in use"):
            async with aob.open(tmp_path):
                pass
