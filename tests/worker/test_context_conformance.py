"""What a handler may do in its home, it may do at a worker: the same tests, with the handlers behind a real stream."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("grpc")

import aob
from tests.runs import test_hostile_handlers, test_intents, test_once, test_work
from tests.runs.conftest import app as app
from tests.runs.conftest import deed as deed
from tests.runs.home import finished, flow, fn
from tests.runs.test_hostile_handlers import odd as odd
from tests.worker.through import opened

NOT_HERE = {
    "test_a_settled_effect_is_not_repeated_after_a_crash_that_turns_the_order_round",  # a copy of a home has no worker
    "test_a_start_says_how_urgent_the_nodes_of_its_run_are",  # of the places of a home; a worker has slots
}


class TestMemory(test_work.TestMemory):
    test_belongs_to_a_tenant = None  # the key of the worker is of one tenant


for module in (test_hostile_handlers, test_intents, test_once, test_work):
    for name, each in vars(module).items():
        if name.startswith(("test_", "Test")) and name not in NOT_HERE and name != "TestMemory":
            assert name not in globals(), name
            globals()[name] = each


@pytest.fixture(autouse=True)
def at_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aob, "open", opened)


async def test_a_handler_sees_its_run_patches_it_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    seen: list[Any] = []

    @aob.node
    async def grows(ctx: Any) -> Any:
        seen.append(ctx.resume)
        if ctx.resume is None:
            await ctx.heartbeat()
            await ctx.heartbeat({"at": 3})
            raise aob.WorkError("again")
        graph = await ctx.graph()
        seen.append(sorted(graph["document"]["nodes"]))
        told = await ctx.propose([
            {"op": "add_node", "id": "b", "node": fn("ends")}, {"op": "connect", "from": "a", "to": "b"},
        ], "one more step")  # fmt: skip
        seen.append((told["state"], told["problems"]))
        return ctx.resume["at"]

    @aob.node(effect="none")
    async def ends(value: Any) -> Any:
        return value + 1

    async with aob.open(tmp_path, app=SimpleNamespace(grows=grows, ends=ends)) as app:
        await app.push(flow("g", {"a": fn("grows", retry={"attempts": 2, "first": "1ms", "jitter": 0})}))
        run = await finished(app, (await app.start("g")).id)
    assert seen == [None, {"at": 3}, ["a"], ("applied", [])]
    assert run["status"] == "COMPLETED", run["error"]
    assert run["nodes"]["b"]["output"] == 4
