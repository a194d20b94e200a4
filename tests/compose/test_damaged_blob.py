"""A blob that is gone or damaged is our fault: its run is set aside with its name, and goes on once it is back."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import AobError
from tests.compose.test_damaged_shard import edit
from tests.runs.home import Deed, finished, flow, fn, until

SIZES = {"blob": 90_000, "row": 9_000}
WAIT = {"kind": "wait", "config": {"message": "go"}}
NEEDS: dict[str, dict[str, Any]] = {
    "node": fn("echo", input={"value": "nodes.a.output"}),
    "map": {"kind": "map", "config": {"items": "[nodes.a.output]"}, "body": {
        "nodes": {"d": fn("echo", input={"value": "1"})}, "edges": {}}},
}  # fmt: skip


@pytest.mark.parametrize("damage", ["missing", "flipped"])
@pytest.mark.parametrize(("where", "needs"), [("blob", "node"), ("row", "node"), ("blob", "map")])
async def test_a_run_is_set_aside_by_name_and_goes_on_when_it_is_released(
    tmp_path: Path, where: str, needs: str, damage: str
) -> None:
    deed = Deed()
    nodes = {"a": fn("sized", input={"n": "inputs.n"}), "w": WAIT, "z": NEEDS[needs]}
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("large", nodes, "a>w", "w>z"))
        runs = [(await app.start("large", {"n": SIZES[where] + extra})).id for extra in (0, 1)]
        for run_id in runs:
            await until(app, run_id, "wait_opened")
        told = (await app.run(runs[0]))["nodes"]["a"]["output"]
        digest = told["$ref"].removeprefix("sha256:")
    put_back = damaged(tmp_path, where, digest, damage)
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.views.message(app.who, runs[1], "go")
        assert (await finished(app, runs[1]))["status"] == "COMPLETED"
        with suppress(AobError):  # where the decision itself needs the value, whoever asked for it is told
            await app.views.message(app.who, runs[0], "go", id="go-1")
        await until(app, runs[0], "run_quarantined")
        why = await app.views.why(app.who, runs[0])
        assert digest in why["sentence"]
        assert why["status"] == "WAITING"
        put_back()
        await app.views.release(app.who, runs[0])
        await app.views.message(app.who, runs[0], "go", id="go-1")
        assert (await finished(app, runs[0]))["nodes"]["z"]["state"] == "completed"


def damaged(home: Path, where: str, digest: str, damage: str) -> Any:
    """Damage a value; what puts it back."""
    if where == "blob":
        (path,) = home.glob(f"blobs/*/{digest[:2]}/{digest[2:]}")
        data = path.read_bytes()
        path.unlink()
        if damage == "flipped":
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        return lambda: path.write_bytes(data)
    raw = bytes.fromhex(digest)
    if damage == "missing":
        edit(home, "update value set tenant = 'x' where digest = ?", raw)
        return lambda: edit(home, "update value set tenant = 'default' where digest = ?", raw)
    edit(home, "update value set data = cast(replace(data, 'xx', 'xy') as blob) where digest = ?", raw)
    return lambda: edit(home, "update value set data = cast(replace(data, 'xy', 'xx') as blob) where digest = ?", raw)


async def test_releasing_a_run_that_was_not_set_aside_changes_nothing(tmp_path: Path) -> None:
    deed = Deed()
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("w", {"w": WAIT}))
        run = await app.start("w")
        assert (await app.views.release(app.who, run.id))["status"] == "WAITING"
