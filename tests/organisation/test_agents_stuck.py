"""Agents that hang: an attempt without progress is stopped, tried again, and a dead letter in the end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import Invalid
from aob.work.pool import pool
from aob.work.topic_agents import scan_agents
from tests.organisation.test_agents_at_work import home, records, send, values


async def test_one_that_ignores_its_end_holds_neither_its_key_nor_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "GRACE_S", 0.05)
    monkeypatch.setattr(pool, "DRAIN_S", 0.05)
    freed, refused = asyncio.Event(), list[str]()

    @aob.agent(consumes=["orders"], produces=["out"], attempts=2, backoff="1ms", progress="50ms", concurrency=1)
    async def hangs(record: Any, ctx: Any) -> None:
        while record.data == "bad" and not freed.is_set():
            try:
                await freed.wait()
            except asyncio.CancelledError:
                continue
        if record.data == "bad":
            try:
                await ctx.intend("pay", {"order": record.id})
            except asyncio.CancelledError:
                refused.append("pay")
        ctx.emit("out", "done", record.data)

    async with home(tmp_path, hangs) as app:
        await send(app, "ann", "bad", "good")
        (letter,) = values(await records(app, "dead.hangs", 1))
        assert (letter["record"], letter["code"], letter["attempts"]) == ("ann-0", "timeout_heartbeat", 2)
        assert values(await records(app, "out", 1)) == ["good"]
        freed.set()
        await send(app, "ann", "more")
        assert values(await records(app, "out", 2)) == ["good", "more"], "the end of a zombie does not count"
    assert refused == ["pay", "pay"]


async def test_who_shows_progress_or_waits_for_an_answer_is_not_stuck(tmp_path: Path) -> None:
    answer, never = asyncio.Event(), asyncio.get_running_loop().create_future()

    @aob.agent(consumes=["prices"])
    async def prices(record: Any, ctx: Any) -> None:
        await answer.wait()
        ctx.reply(4)

    @aob.agent(consumes=["orders"], produces=["out"], attempts=1, progress={"order": "1500ms"})
    async def buys(record: Any, ctx: Any) -> None:
        for _ in range(5):
            await asyncio.wait([never], timeout=0.4)  # five times: longer than it may be silent
            await ctx.heartbeat()
        asyncio.get_running_loop().call_later(1, answer.set)
        ctx.emit("out", "bought", await ctx.ask("prices", "iron"))

    async with home(tmp_path, prices, buys, topics=("orders", "out", "prices")) as app:
        await send(app, "ann", 0)
        assert values(await records(app, "out", 1)) == [4]


@pytest.mark.parametrize(("on_uncertain", "code"), [("fail", "uncertain"), ("repeat", "timeout_heartbeat")])
async def test_in_the_middle_of_an_effect_it_is_not_repeated_unasked(
    tmp_path: Path, on_uncertain: Any, code: str
) -> None:
    acted: list[int] = []

    @aob.agent(consumes=["orders"], attempts=2, backoff="1ms", progress="50ms", on_uncertain=on_uncertain)
    async def pays(record: Any, ctx: Any) -> None:
        await ctx.intend("pay", {"order": record.id})
        acted.append(ctx.attempt)
        await asyncio.Event().wait()

    async with home(tmp_path, pays) as app:
        await send(app, "ann", 0)
        (letter,) = values(await records(app, "dead.pays", 1))
        assert letter["code"] == code
    assert acted == ([1] if on_uncertain == "fail" else [1, 2])


def test_a_progress_is_a_duration() -> None:
    @aob.agent(consumes=["orders"], progress={"order": "soon"})
    async def wrong(record: Any) -> None:
        """Never called."""

    with pytest.raises(Invalid) as refused:
        scan_agents(wrong)
    assert "progress order='soon'" in str(refused.value.problems)
