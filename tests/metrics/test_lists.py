"""What there is, in pages: types of entities and their ids, what was pushed, and turns of alerts for who asks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose.app import App
from aob.core.errors import Invalid, NotFound
from aob.core.policy import Caller

TEXT = """
event: placed
version: 1
owner: shop
fields: {order: string, amount: number, gone: {type: boolean, optional: true}}
entities:
  - {entity: order, key: data.order, set: {amount: data.amount}}
  - {entity: order, key: data.order, removes: "true", when: has(data.gone) && data.gone}
---
metric: orders
version: 1
type: count
owner: shop
moves: [{on: placed}]
windows: [all]
---
alert: many
version: 1
metric: orders
when: value >= 2.0
owner: shop
---
alert: few
version: 1
metric: orders
when: value >= 1.0
owner: shop
"""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": TEXT})
        yield app


async def place(app: App, *orders: str, **data: Any) -> None:
    lines = [
        msgspec.json.encode(
            {"id": f"{order}-{len(data)}", "source": "shop", "type": "placed",
             "data": {"order": order, "amount": 1, **data}}
        )
        for order in orders
    ]  # fmt: skip
    await app.metrics.ingest(app.who, b"\n".join(lines))


async def test_entities_are_listed_by_type_and_id_page_after_page(app: App) -> None:
    orders = ["a", "b", "B", "é", "o-10", "o-9", "z"]
    await place(app, *orders, "gone")
    await place(app, "gone", gone=True)
    (type,) = await app.metrics.entity_types(app.who)
    assert (type["name"], type["said_by"], type["view"]) == ("order", ["placed"], "entities_order")
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await app.metrics.entity_ids(app.who, "order", after=after, limit=3)
        assert len(page["ids"]) <= 3
        found += page["ids"]
        after = page["next"]
    assert found == sorted(orders)
    with pytest.raises(NotFound, match="no contract speaks of an entity 'user'"):
        await app.metrics.entity_ids(app.who, "user")
    other = Caller("other", "them", app.who.roles)
    assert await app.metrics.entity_types(other) == []


async def test_what_was_pushed_is_told_with_who_and_when(app: App) -> None:
    await app.push({"workflow": "hello", "nodes": {"a": {"kind": "approval", "config": {"text": "well?"}}}})
    more = TEXT.partition("---")[0].replace("version: 1", "version: 2")
    await app.metrics.push_contracts(app.who, {"more.yaml": more}, allow_breaking=True)
    await app.metrics.default_version(app.who, "placed", 2)
    told = await app.metrics.pushes(app.who, since_ms=0, until_ms=1 << 45)
    listed = [(each["kind"], each["name"], each["version"]) for each in told["pushes"]]
    assert listed[0] == ("default", "placed", "2")
    found = set(listed)
    contracts = {("event", "placed", "1"), ("event", "placed", "2"), ("metric", "orders", "1"), ("alert", "few", "1")}
    assert contracts < found
    assert {("workflow", "hello")} == {(kind, name) for kind, name, _ in found if kind == "workflow"}
    assert all(each["by"] == app.who.name and each["at"] > 0 for each in told["pushes"])
    assert ("tag", "hello", "v1.0") in found
    times = [each["at"] for each in told["pushes"]]
    assert times == sorted(times, reverse=True)
    page = await app.metrics.pushes(app.who, since_ms=0, until_ms=1 << 45, limit=2)
    assert (page["pushes"], page["truncated"]) == (told["pushes"][:2], True)
    assert (await app.metrics.pushes(app.who, since_ms=times[0], until_ms=1 << 45))["pushes"] == []
    with pytest.raises(Invalid, match="span is empty"):
        await app.metrics.pushes(app.who, since_ms=5, until_ms=5)
    other = Caller("other", "them", app.who.roles)
    assert (await app.metrics.pushes(other, since_ms=0, until_ms=1 << 45))["pushes"] == []


async def test_moves_of_tags_are_told_with_who_and_when_also_after_a_restart(tmp_path: Path) -> None:
    ann, ben = (Caller("default", name, frozenset(("admin",)), f"key_{name}") for name in ("ann", "ben"))
    first = {"workflow": "hello", "nodes": {"a": {"kind": "approval", "config": {"text": "well?"}}}}
    second = {"workflow": "hello", "nodes": {"a": {"kind": "approval", "config": {"text": "sure?"}}}}
    timer = [{"op": "add_node", "id": "t", "node": {"kind": "timer", "config": {"for": "1ms"}}}]
    moved = []
    async with aob.open(tmp_path) as app:
        await app.views.push(ann, first)
        await app.views.push(ben, second)
        await app.views.push(ann, first)  # a version that is known: nothing is pushed, and the tag goes back
        await app.views.push(ann, first)  # nothing at all
        await app.views.push(ben, second, tag="next")
        await app.views.patch_tag(ben, "hello", "main", timer)
    async with aob.open(tmp_path) as app:
        told = (await app.metrics.pushes(app.who, since_ms=0, until_ms=1 << 45))["pushes"]
        moved = [each for each in told if each["kind"] == "tag"]
    assert sorted((each["tag"], each["version"], each["by"]) for each in moved) == sorted([
        ("main", "v1.0", "ann"), ("main", "v2.0", "ben"), ("main", "v1.0", "ann"), ("next", "v2.0", "ben"),
        ("main", "v1.1", "ben"),
    ])  # fmt: skip
    assert all(each["at"] > 0 for each in moved)
    assert sum(each["kind"] == "workflow" for each in told) == 2


async def test_turns_of_alerts_come_only_to_those_who_ask_for_them(app: App) -> None:
    heard: dict[str, list[tuple[str, str]]] = {"events": [], "all": [], "many": [], "both": []}
    asked: dict[str, dict[str, Any]] = {
        "events": {}, "all": {"alerts": frozenset(("*",))}, "many": {"alerts": frozenset(("many",))},
        "both": {"alerts": frozenset(("few",)), "types": frozenset(("placed",))},
    }  # fmt: skip
    enough = asyncio.Event()

    async def follow(name: str) -> None:
        async for _, event, data in app.metrics.stream(app.who, **asked[name]):
            heard[name].append((event, data.get("alert", data.get("id", ""))))
            if len(heard["events"]) == 2 and len(heard["all"]) == 2 and heard["many"] and len(heard["both"]) == 3:
                enough.set()

    followers = [asyncio.create_task(follow(name)) for name in heard]
    await asyncio.sleep(0)
    await place(app, "a", "b")
    await asyncio.wait_for(enough.wait(), 30)
    for each in followers:
        each.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    assert set(heard["events"]) == {("event", "a-0"), ("event", "b-0")}
    assert set(heard["all"]) == {("alert", "few"), ("alert", "many")}
    assert set(heard["many"]) == {("alert", "many")}
    assert {name for kind, name in heard["both"] if kind == "alert"} <= {"few"}
    assert {name for kind, name in heard["both"] if kind == "event"} == {"a-0", "b-0"}
