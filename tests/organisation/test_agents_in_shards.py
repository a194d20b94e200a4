"""Agents in a home of several shards, on files and in a database, and after another process has had the shard."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.policy import LOCAL
from tests.organisation.test_agents_at_work import home

KEYS = [f"key-{n}" for n in range(9)]
SHARDS: dict[str, Any] = {"processes": "one", "shards": 3}


@aob.agent(consumes=["prices"])
async def prices(record: Any, ctx: Any) -> None:
    ctx.reply(len(record.data))


@aob.agent(consumes=["orders"], produces=["out"])
async def sends(record: Any, ctx: Any) -> None:
    """State of its own shard, a reply from another, a record for a third."""
    seen = (ctx.state or 0) + 1
    ctx.set_state(seen)
    price = await ctx.ask("prices", f"of-{record.data}", record.data)
    ctx.emit("out", "sent", {"key": ctx.key, "seen": seen, "price": price}, subject=f"to-{ctx.key}")


async def told(app: App, topic: str, count: int) -> list[Any]:
    """The data of the first records of a topic."""
    found = list[Any]()
    async with asyncio.timeout(30):
        async for record in app.follow(topic):
            found.append(record.data)
            if len(found) == count:
                return found
    raise AssertionError


@pytest.mark.every_store
async def test_keys_of_all_partitions_are_handled_in_a_home_of_several_shards(tmp_path: Path) -> None:
    settings = {} if os.environ.get("AOB_STORE") else SHARDS
    for life in (1, 2):
        async with home(tmp_path, prices, sends, topics=("orders", "out", "prices"), settings=settings) as app:
            for name in KEYS:
                await app.produce("orders", "order", "iron", subject=name)
            found = await told(app, "out", life * len(KEYS))
            expected = [{"key": name, "seen": n, "price": 4} for name in KEYS for n in range(1, life + 1)]
            assert sorted(found, key=lambda each: (each["key"], each["seen"])) == expected


async def test_an_effect_that_another_process_began_is_not_repeated_unasked(tmp_path: Path) -> None:
    begun = asyncio.Event()

    @aob.agent(consumes=["orders"], produces=["out"])
    async def pays(record: Any, ctx: Any) -> None:
        intended = await ctx.intend("pay", {"order": record.id})
        if record.data == "first" and not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        await ctx.settle({"paid": intended.granted})
        ctx.emit("out", "paid", record.data)

    async with home(tmp_path, pays) as app:
        await app.produce("orders", "order", "first", subject="ann")
        await begun.wait()
        await app.views.core.pool.stop(0)
    (tmp_path / "running-0").unlink()  # a list of the process that had it: another one has none
    async with home(tmp_path, pays) as app:
        await app.produce("orders", "order", "second", subject="ann")
        assert await told(app, "out", 1) == ["second"]
        (letter,) = await told(app, "dead.pays", 1)
        assert letter["code"] == "uncertain"


@pytest.mark.every_store
async def test_a_pause_holds_in_all_shards_and_after_a_restart(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def rests(record: Any, ctx: Any) -> None:
        ctx.emit("out", "handled", ctx.key)

    @aob.agent(consumes=["orders"], produces=["seen"])
    async def goes_on(record: Any, ctx: Any) -> None:
        ctx.emit("seen", "seen", ctx.key)

    settings = {} if os.environ.get("AOB_STORE") else SHARDS
    topics = ("orders", "out", "seen")
    async with home(tmp_path, rests, goes_on, topics=topics, settings=settings) as app:
        await app.metrics.pause_agent(LOCAL, "rests")
        for name in KEYS:
            await app.produce("orders", "order", 1, subject=name)
        await told(app, "seen", len(KEYS))
    async with home(tmp_path, rests, goes_on, topics=topics, settings=settings) as app:
        for name in KEYS:
            await app.produce("orders", "order", 2, subject=name)
        await told(app, "seen", 2 * len(KEYS))
        assert not await app.shared.topics.topics("default", "out"), "nothing is handled before it is resumed"
        await app.metrics.resume_agent(LOCAL, "rests")
        assert sorted(await told(app, "out", 2 * len(KEYS))) == sorted(KEYS * 2)
