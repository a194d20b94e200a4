"""Services: agents that bring records. One runs at a time, begins again when it ends, and stops with its home."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import Invalid
from aob.core.policy import LOCAL
from aob.work import WorkError
from tests.organisation.test_agents_at_work import home
from tests.organisation.test_agents_in_shards import SHARDS, told


async def test_a_service_begins_again_and_what_it_brings_is_there_once(tmp_path: Path) -> None:
    lives, stopped = list[int](), asyncio.Event()

    @aob.agent(kind="service", produces=["orders"], backoff="1ms")
    async def feed(ctx: Any) -> None:
        lives.append(len(lives))
        for n in range(3):
            fresh = await ctx.emit("orders", "order", n, subject=f"key-{n}", id=f"order-{n}")
            assert fresh == (lives == [0])
        with pytest.raises(WorkError):
            await ctx.emit("out", "order")
        if len(lives) < 3:
            raise ValueError("the other end is gone")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    @aob.agent(consumes=["orders"], produces=["out"])
    async def counts(record: Any, ctx: Any) -> None:
        ctx.set_state((ctx.state or 0) + 1)
        ctx.emit("out", "counted", [ctx.key, ctx.state])

    async with home(tmp_path, feed, counts, settings=SHARDS) as app:
        expected = [[f"key-{n}", 1] for n in range(3)]
        assert sorted(await told(app, "out", 3)) == expected
        async with asyncio.timeout(30):
            while len(lives) < 3:
                await asyncio.wait([asyncio.ensure_future(app.shared.topics.moved("default", "orders", 50))])
        assert (await app.metrics.agent(LOCAL, "feed"))["kind"] == "service"
        assert lives == [0, 1, 2], "in a home of several shards one runs"
    assert stopped.is_set()
    async with home(tmp_path, feed, counts, settings=SHARDS) as app:
        await app.produce("orders", "order", 3, subject="key-3")
        assert sorted(await told(app, "out", 4)) == [*expected, ["key-3", 1]]


async def test_a_paused_service_is_stopped_until_it_is_resumed(tmp_path: Path) -> None:
    begun, ended = asyncio.Queue[None](), asyncio.Queue[None]()

    @aob.agent(kind="service", produces=["orders"])
    async def feed(ctx: Any) -> None:
        begun.put_nowait(None)
        try:
            await asyncio.Event().wait()
        finally:
            ended.put_nowait(None)

    async with home(tmp_path, feed) as app, asyncio.timeout(30):
        await begun.get()
        await app.metrics.pause_agent(LOCAL, "feed")
        await ended.get()
        await app.metrics.resume_agent(LOCAL, "feed")
        await begun.get()


def test_what_is_no_service_is_refused_with_what_mends_it() -> None:
    from aob.work.topic_agents import scan_agents

    @aob.agent(kind="service", consumes=["orders"])
    async def consumes(ctx: Any) -> None: ...

    @aob.agent(kind="service")
    async def takes(record: Any, ctx: Any) -> None: ...

    for wrong, why in ((consumes, "nobody gives it records"), (takes, "a service takes ctx")):
        with pytest.raises(Invalid) as refused:
            scan_agents(type("app", (), {"agent": staticmethod(wrong)}))
        assert why in str(refused.value.problems)
