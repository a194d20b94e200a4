"""The same script on a log of one partition and of three: every reader of events tells the same."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

import aob
from aob.backends.memory.event_log import MemoryEventLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.compose import App
from aob.compose.storage import files
from aob.core.instant import iso
from aob.fanout.webhooks import inbox
from aob.metrics.contracts import unversioned
from aob.ports.event_log import Row
from tests.metrics.till import SHOP, counts, filled, numbers, refunded, sold
from tests.work.peers import Peer, peer

WATCHED: Final = """
alert: many
version: 1
metric: sales
window: all
by: [region]
when: value >= 20.0
"""
LATER: Final = """
metric: by_region
version: 1
type: sum
moves: [{on: sold, value: data.amount}]
dimensions: [region]
windows: [all]
---
metric: newest
version: 1
type: last
moves: [{on: sold, value: data.amount}]
windows: [all]
"""
PARTITIONS: Final = (1, 3)
BASE_MS: Final = 1_790_000_000_000
ORDERS: Final = 40
AMOUNT: Final = "(data->>'amount')::double"


def events(seed: int, count: int = 60) -> list[dict[str, Any]]:
    """Sales and refunds of a few orders; the times are all alike, so that only the log's own order differs."""
    dice = random.Random(seed)
    found = []
    for n in range(count):
        order = dice.randrange(ORDERS)
        make = refunded if dice.random() < 0.2 else sold
        made = make(f"{seed}-{n}", float(dice.randrange(1, 100)), dice.choice(["north", "south"]))
        made["data"]["order_id"] = f"o-{order}"
        found.append({**made, "subject": f"o-{order}", "time": iso(BASE_MS + 1_000 * (100 * seed + n))})
    return found


@asynccontextmanager
async def opened(folder: Path, kind: str, partitions: int) -> AsyncIterator[App]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "SqliteEventLog", partial(SqliteEventLog, partitions=partitions))
        patch.setattr(files, "MemoryEventLog", partial(MemoryEventLog, partitions))
        patch.setattr(inbox, "QUEUE_MAX", 8)  # hooks fall behind, and read on from the log
        async with aob.open(folder, **({"store": "memory:"} if kind == "memory" else {})) as app:
            yield app


async def ingested(app: App, found: list[dict[str, Any]]) -> tuple[str, int]:
    """The position of events, and an instant after them and before all that follow."""
    told = await app.ingest(found)
    assert told["rejected"] == 0, told
    at_ms = app.views.core.time_ms()
    async with asyncio.timeout(60):
        while app.views.core.time_ms() <= at_ms:
            await app.views.health()
    return told["position"], at_ms


async def came(ops: Peer, path: str, count: int) -> list[dict[str, Any]]:
    """What was delivered to a path, once each, in order."""
    async with asyncio.timeout(30):
        while True:
            asked = {each.headers["webhook-id"]: each.body for each in ops.requests if each.target == path}
            if len(asked) >= count:
                assert sum(each.target == path for each in ops.requests) <= 2 * len(asked), "few are sent again"
                return [msgspec.json.decode(body) for body in asked.values()]
            await ops.asked(len(ops.requests) + 1)


async def sql(app: App, statement: str, position: str = "") -> Any:
    return (await app.metrics.query(app.who, {"sql": statement, "min_position": position}))["rows"]


async def first_day(app: App, ops: Peer) -> dict[str, Any]:
    metrics, who, told = app.metrics, app.who, dict[str, Any]()
    await app.push_contracts({"shop.yaml": SHOP + "---\n" + WATCHED})
    for path in ("/events", "/alerts"):
        ops.answer(path)
    hook = await metrics.create_webhook(who, f"{ops.url}/events", events=["sold", "refunded"])
    await metrics.create_webhook(who, f"{ops.url}/alerts", alerts=["*"])
    before_ms = app.views.core.time_ms()
    _, first_ms = await ingested(app, events(1))
    await metrics.update_webhook(who, hook["id"], paused=True)
    position, second_ms = await ingested(app, events(2))
    told["sql"] = await sql(app, f"select type, count(*), sum({AMOUNT}) from events group by 1 order by 1", position)
    told["then"] = [
        (await app.metric("revenue", window="all", known_at_ms=at, min_position=position))["value"]
        for at in (first_ms, second_ms)
    ]
    await metrics.update_webhook(who, hook["id"], paused=False)
    largest = max(each["data"]["amount"] for each in events(1))
    back = next(each for each in events(1) if each["data"]["amount"] == largest)
    position, third_ms = await ingested(app, [
        {**refunded("back", largest, back["data"]["region"]), "subject": back["subject"], "time": back["time"]},
        *[{**each, "time": back["time"]} for each in events(3, 20)],
    ])  # fmt: skip
    told["restated"] = (await app.metric("largest", window="all", min_position=position))["value"]
    await app.push_contracts({"later.yaml": LATER})
    await filled(app)
    for name in ("by_region", "newest"):
        answer = await app.metric(name, window="all", **({"by": ("region",)} if name == "by_region" else {}))
        told[name] = answer["rows"] if name == "by_region" else answer["value"]
    why = await metrics.changelog(who, "revenue", first_ms + 1, third_ms)
    told["why"] = why["change"], why["moved_by"], len(why["changes"]), why["before"], why["after"]
    whole = await metrics.changelog(who, "sales", before_ms, third_ms)
    told["whole"] = whole["change"], whole["moved_by"]
    told["again"] = {name: (await app.ingest(events(2)))[name] for name in ("accepted", "duplicate")}
    told["entities"] = (await metrics.entity_ids(who, "order"))["ids"]
    for id in ("o-1", "o-2"):
        view = await metrics.entity(who, "order", id, history=50)
        told[id] = view["state"], view["changed_at"], [(each["at"], each["changed"]) for each in view["history"]]
    return told | {"counts": counts(app), "numbers": await numbers(app)}


async def second_day(app: App, ops: Peer, told: dict[str, Any]) -> dict[str, Any]:
    position, _ = await ingested(app, events(4))
    told["sql later"] = await sql(app, "select id from events order by id", position)
    told["numbers of events"] = await sql(app, "select count(*), count(distinct number) from events")
    told["counts later"], told["numbers later"] = counts(app), await numbers(app)
    sent = await came(ops, "/events", told["counts later"]["accepted"])
    by_subject: dict[str, list[str]] = {}
    for each in sent:
        by_subject.setdefault(each["data"]["subject"], []).append(each["data"]["id"])
    told["webhook"] = by_subject
    turns = await came(ops, "/alerts", 2)
    told["alerts"] = sorted(
        (each["data"]["alert"], str(each["data"].get("by")), each["data"]["what"]) for each in turns
    )
    return told


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_all_that_is_told_of_events_is_the_same_on_any_number_of_partitions(tmp_path: Path, kind: str) -> None:
    found = list[dict[str, Any]]()
    for partitions in PARTITIONS:
        folder = tmp_path / f"home-{partitions}"
        async with peer() as ops:
            folder.mkdir()
            (folder / "aob.toml").write_text(f'[egress]\nprivate = ["127.0.0.1:{ops.port}"]\n')
            async with opened(folder, kind, partitions) as app:
                told = await first_day(app, ops)
                if kind == "memory":
                    found.append(await second_day(app, ops, told))
                assert all(app.metrics.live.ends), "each partition has rows"
            if kind == "sqlite":
                async with opened(folder, kind, partitions) as app:
                    found.append(await second_day(app, ops, told))
    one, three = found
    assert {name: (one[name], three[name]) for name in one if one[name] != three[name]} == {}


async def test_events_without_a_version_are_counted_in_all_partitions() -> None:
    rates = []
    for partitions in PARTITIONS:
        log = MemoryEventLog(partitions)
        for n in range(12):
            line = b'{"type":"sold"}\n{"type":"sold","version":1}'
            await log.append([Row(0, "acme", BASE_MS + n, 0, 2, 0, 0, line, b"", n % partitions)])
        rates.append(await unversioned(log, "acme", ["sold", "other"], BASE_MS + 100))
    assert rates == [{"sold": 12.0, "other": 0.0}] * 2
