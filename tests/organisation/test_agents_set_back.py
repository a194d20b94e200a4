"""An agent set back: its records are handled again; outputs, effects and reminders are not doubled."""

import asyncio
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

import aob
from aob.compose import App
from aob.core.errors import NotFound
from aob.core.event import PARTITIONS, partition_of
from aob.core.policy import LOCAL
from aob.ports.log import Record
from aob.ports.topics import RecordRow
from tests.organisation.test_agents_at_work import home, records, send, values

ANN = partition_of("ann", PARTITIONS)


class Shop:
    """An agent that pays, sends and reminds itself, and what became of it."""

    def __init__(self, *, hold: Any = None) -> None:
        self.handled: list[Any] = []
        self.paid: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}
        self.came = asyncio.Condition()
        self.begun, self.go_on, self.hold = asyncio.Event(), asyncio.Event(), hold

        @aob.agent(consumes=["orders"], produces=["out"], on_uncertain="repeat", backoff="1ms")
        async def pays(record: Any, ctx: Any) -> None:
            await self._handle(record, ctx)

        self.agent = pays

    async def _handle(self, record: Any, ctx: Any) -> None:
        if record.type == "reminder":
            ctx.emit("out", "reminded", record.data)
            return
        self.keys.setdefault(record.id, set()).add(ctx.idempotency)
        if self.hold == ("before", record.data):
            await self._held()
        intended = await ctx.intend("pay", {"order": record.id})
        if intended.granted:
            if self.hold == ("amid", record.data):
                await self._held()
            self.paid[record.id] += 1
            await ctx.settle("paid")
        ctx.set_state((ctx.state or 0) + 1)
        ctx.emit("out", "paid", record.id)
        ctx.later("1ms", f"again {record.id}")
        async with self.came:
            self.handled.append(record.data)
            self.came.notify_all()

    async def _held(self) -> None:
        self.begun.set()
        await self.go_on.wait()

    async def has(self, count: int) -> None:
        """Returns once so many records were handled."""
        async with self.came, asyncio.timeout(20):
            await self.came.wait_for(lambda: len(self.handled) >= count)


async def last(app: App, number: int) -> None:
    """One more record of ann's."""
    record = Record(f"ann-{number}", "test", "order", "default", "ann", Raw(str(number).encode()))
    await app.shared.topics.append("default", "orders", ANN, [record])


async def told(app: App, count: int) -> list[Any]:
    """What is in `out`, once a record that comes after all others is there: so much was sent before, and once."""
    return sorted(values(await records(app, "out", count)))


@pytest.mark.every_store
async def test_records_are_handled_again_and_nothing_is_doubled(tmp_path: Path) -> None:
    shop = Shop()
    async with home(tmp_path, shop.agent) as app:
        await send(app, "ann", 0, 1, 2)
        once = await told(app, 6)
        preview = await app.metrics.reset_agent(LOCAL, "pays", to_offset=1, dry_run=True)
        assert (preview["again"], preview["done"], len(shop.handled)) == (2, False, 3)
        assert {**preview, "done": True, "topics": [{**preview["topics"][0], "done": True}]} == (
            await app.metrics.reset_agent(LOCAL, "pays", to_offset=1)
        )
        await shop.has(5)
        assert (await app.metrics.reset_agent(LOCAL, "pays", to="begin"))["again"] >= 1
        await shop.has(8)
    async with home(tmp_path, shop.agent) as app:
        await app.metrics.reset_group(LOCAL, "pays", "orders", to="begin")
        await shop.has(11)
        await last(app, 3)
        await shop.has(12)
        assert shop.handled == [0, 1, 2, 1, 2, 0, 1, 2, 0, 1, 2, 3]
        found = await told(app, 8)
        assert [each for each in found if each in once] == once
    assert shop.paid == dict.fromkeys(("ann-0", "ann-1", "ann-2", "ann-3"), 1)


@pytest.mark.parametrize("where", ["before", "amid"])
async def test_it_may_be_set_back_while_a_record_is_handled(tmp_path: Path, where: str) -> None:
    shop = Shop(hold=(where, 1))
    async with home(tmp_path, shop.agent) as app:
        await send(app, "ann", 0, 1, 2)
        await shop.begun.wait()
        await app.metrics.reset_agent(LOCAL, "pays", to="begin")
        await app.metrics.reset_agent(LOCAL, "pays", to="end")
        await app.metrics.reset_agent(LOCAL, "pays", to="begin")
        shop.hold = None
        shop.go_on.set()
        async with shop.came, asyncio.timeout(20):
            await shop.came.wait_for(lambda: shop.handled[-3:] == [0, 1, 2])
        await told(app, 6)
    assert shop.paid == {"ann-0": 1, "ann-1": 1, "ann-2": 1}
    assert all(len(keys) == 1 for keys in shop.keys.values()), "a service knows a record by one key, however often"


async def test_one_that_is_set_forward_passes_over_what_it_has_read_ahead(tmp_path: Path) -> None:
    shop = Shop(hold=("before", 0))
    async with home(tmp_path, shop.agent) as app:
        await send(app, "ann", 0, 1, 2)
        await shop.begun.wait()
        told_first = await app.metrics.reset_agent(LOCAL, "pays", to="end", dry_run=True)
        assert (told_first["skipped"], told_first["topics"][0]["partitions"][0]["after"]) == (3, 3)
        await app.metrics.reset_agent(LOCAL, "pays", to="end")
        shop.go_on.set()
        await last(app, 3)
        async with shop.came, asyncio.timeout(20):
            await shop.came.wait_for(lambda: 3 in shop.handled)
    assert shop.handled == [0, 3]


async def test_whenever_it_is_set_back_each_effect_and_output_is_there_once(tmp_path: Path) -> None:
    dice, shop = random.Random(13), Shop()
    names = [f"key-{n}" for n in range(5)]
    async with home(tmp_path, shop.agent) as app:
        for name in names:
            await send(app, name, *range(4))
        for _ in range(12):
            await shop.has(len(shop.handled) + dice.randrange(2))
            await app.metrics.reset_agent(LOCAL, "pays", to_offset=dice.randrange(4))
        await app.metrics.reset_agent(LOCAL, "pays", to="begin")
        expected = [f"{name}-{n}" for name in names for n in range(4)]
        assert await told(app, 40) == sorted([*expected, *(f"again {each}" for each in expected)])
    assert shop.paid == dict.fromkeys(expected, 1)


async def test_it_goes_on_behind_offsets_that_hold_no_record(tmp_path: Path) -> None:
    shop = Shop()
    async with home(tmp_path, shop.agent) as app:
        await send(app, "ann", 0)
        await shop.has(1)
    row = RecordRow.of("default", "orders", ANN, 1, 1, [None] * 600)  # as taken over, where tenants shared topics
    with sqlite3.connect(tmp_path / "shard-0.db") as file:
        file.execute("insert into record_row values (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(row))
        file.execute("update record_end set next = 601 where topic = 'orders'")
    async with home(tmp_path, shop.agent) as app:
        await last(app, 1)
        await shop.has(2)
        await told(app, 4)
        (group,) = (await app.metrics.group(LOCAL, "pays"))["topics"]
        assert (group["behind"], group["partitions"][0]["offset"]) == (0, 602)


async def test_another_topic_is_told_from_those_it_consumes(tmp_path: Path) -> None:
    async with home(tmp_path, Shop().agent) as app:
        with pytest.raises(NotFound, match="does not consume") as refused:
            await app.metrics.reset_agent(LOCAL, "pays", topic="order", to="begin")
        assert "orders" in refused.value.hint
        with pytest.raises(NotFound):
            await app.metrics.reset_agent(LOCAL, "payes", to="begin")
