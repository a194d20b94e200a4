"""A value that comes with a completion, and values that the same decision makes: each is read again by its own hash."""

from pathlib import Path
from typing import Any

import aob

SIZE = 5_000
"""Over what a record holds, within what a row of the same commit takes."""


@aob.node(effect="none")
def text(letter: str) -> str:
    return letter * SIZE


DOCUMENT: dict[str, Any] = {
    "workflow": "two",
    "nodes": {"a": {"kind": "function", "config": {"handler": "text"}, "input": {"letter": '"a"'}}},
    "output": {"both": 'nodes.a.output + "b"'},
}


async def test_both_are_there_after_a_restart(tmp_path: Path) -> None:
    async with aob.open(tmp_path, app=text) as app:
        await app.push(DOCUMENT)
        run = await (await app.start("two")).done()
        assert run["status"] == "COMPLETED", run["error"]
    async with aob.open(tmp_path, app=text) as again:  # nothing is at hand: both come from the store
        told = await again.run(run["run_id"])
        assert told["output"] == {"both": "a" * SIZE + "b"}
        held = await again.views.blob(again.who, told["nodes"]["a"]["hash"])
        assert held == b'"' + b"a" * SIZE + b'"'
