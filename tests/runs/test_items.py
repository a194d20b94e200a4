"""The items of a large map in a home: for handlers on the loop, in a thread and in a process, and by page."""

from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import CallerError
from tests.runs.home import VIEWER, finished, flow, fn
from tests.work.handlers_cpu import summed

pytestmark = pytest.mark.every_store

COUNT = 2_100


def handlers() -> SimpleNamespace:
    @aob.node(effect="none")
    async def same(value: object = None) -> object:
        return value

    @aob.node
    async def on_the_loop(value: dict[str, Any]) -> int:
        return sum(value["items"])

    @aob.node
    def in_a_thread(items: list[int]) -> int:
        return sum(items)

    @aob.node
    async def hands_on(value: object = None) -> object:
        return value

    return SimpleNamespace(
        same=same, on_the_loop=on_the_loop, in_a_thread=in_a_thread, hands_on=hands_on, summed=summed
    )


NODES = {
    "m": {"kind": "map", "config": {"items": "inputs"}, "body": {"nodes": {"x": fn("same")}, "edges": {}}},
    "loop": fn("on_the_loop"),
    "thread": fn("in_a_thread", input={"items": "nodes.m.output.items"}),
    "process": fn("summed", input={"items": "nodes.m.output.items"}),
    "on": fn("hands_on"),
}


async def test_every_handler_gets_them_and_pages_are_read_by_cursor(tmp_path: Any) -> None:
    async with aob.open(tmp_path / "home", app=handlers()) as app:
        await app.push(flow("big", NODES, "m>loop", "m>thread", "m>process", "m>on"))
        await app.push(flow("plain", {"m": NODES["m"]}))
        run = await finished(app, (await app.start("big", list(range(COUNT)))).id)
        total = sum(range(COUNT))
        assert run["status"] == "COMPLETED", run["error"]
        assert {id: run["output"][id] for id in ("loop", "thread", "process")} == dict.fromkeys(
            ("loop", "thread", "process"), total
        )
        assert run["output"]["on"] == {"count": COUNT, "failed": 0, "failed_items": [], "items": list(range(COUNT))}
        await by_page(app)


async def by_page(app: App) -> None:
    run = await finished(app, (await app.start("plain", list(range(COUNT)))).id)
    output = run["output"]
    assert (output["count"], output["failed"], output["failed_items"]) == (COUNT, 0, [])
    items, cursor = list(output["items"]), output["next"]
    while cursor is not None:
        page = await app.views.items(VIEWER, cursor)
        items += page["items"]
        cursor = page["next"]
    assert items == list(range(COUNT))
    for wrong in ("", "0", "9.x", f"9.{output['next'].partition('.')[2]}", "0." + "0" * 63, "x." + "0" * 64):
        with pytest.raises(CallerError):
            await app.views.items(VIEWER, wrong)
