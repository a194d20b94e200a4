"""The agents of an application serve every tenant that has declared what they consume, each apart."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

import aob
from aob.core.policy import LOCAL
from aob.core.verbs.organisation.records import ProducedRecord
from tests.organisation.test_agents_at_work import home

OTHER = msgspec.structs.replace(LOCAL, tenant="other")


@aob.agent(consumes=["orders"], produces=["out"], budget={"usd": 3})
async def counts(record: Any, ctx: Any) -> None:
    seen = (ctx.state or 0) + 1
    ctx.set_state(seen)
    intended = await ctx.intend("pay", {"of": record.id})
    await ctx.settle(1, intent=intended, usage={"usd": 1})
    ctx.emit("out", "counted", [ctx.tenant, ctx.key, seen])


async def sent(app: Any, who: Any, topic: str, count: int) -> list[Any]:
    """The data of the records of a topic of a tenant, once there are so many."""
    position, found = None, list[Any]()
    async with asyncio.timeout(30):
        while len(found) < count:
            where = {"position": position} if position else {"from_offset": 0}
            told = await app.metrics.consume(who, topic, wait_ms=1_000, **where)
            found, position = [*found, *(each["data"] for each in told["records"])], told["position"]
    return found


async def order(app: Any, who: Any, count: int) -> None:
    await app.metrics.produce(who, "orders", [ProducedRecord("order", n, "ann") for n in range(count)])


async def test_each_tenant_has_keys_budgets_and_records_of_its_own(tmp_path: Path) -> None:
    async with home(tmp_path, counts) as app:
        await order(app, LOCAL, 2)
        assert await sent(app, LOCAL, "out", 2) == [["default", "ann", 1], ["default", "ann", 2]]
        assert (await app.metrics.agents(OTHER))["agents"] == []
        for topic in ("orders", "out"):
            await app.metrics.create_topic(OTHER, topic)
        await order(app, OTHER, 2)
        assert await sent(app, OTHER, "out", 2) == [["other", "ann", 1], ["other", "ann", 2]]
        async with asyncio.timeout(30):
            async for _ in app.views.core.feed.commits(0):
                if [each["agent"] for each in (await app.metrics.agents(OTHER))["agents"]] == ["counts"]:
                    break
    async with home(tmp_path, counts) as app:  # both go on where they were
        for who in (OTHER, LOCAL):
            await order(app, who, 1)
            assert (await sent(app, who, "out", 3))[2:] == [[who.tenant, "ann", 3]]
        (first,) = (await app.metrics.group(LOCAL, "counts"))["topics"]
        (second,) = (await app.metrics.group(OTHER, "counts"))["topics"]
        assert (first["behind"], second["behind"]) == (0, 0)


async def test_a_tenant_that_is_paused_holds_up_no_other(tmp_path: Path) -> None:
    async with home(tmp_path, counts) as app:
        for topic in ("orders", "out"):
            await app.metrics.create_topic(OTHER, topic)
        await order(app, OTHER, 1)
        await sent(app, OTHER, "out", 1)
        await app.metrics.pause_agent(OTHER, "counts")
        await order(app, OTHER, 1)
        await order(app, LOCAL, 1)
        assert await sent(app, LOCAL, "out", 1) == [["default", "ann", 1]]
        assert await sent(app, OTHER, "out", 1) == [["other", "ann", 1]]
        await app.metrics.resume_agent(OTHER, "counts")
        assert (await sent(app, OTHER, "out", 2))[1:] == [["other", "ann", 2]]


async def test_a_record_addresses_nobody_of_another_tenant(tmp_path: Path) -> None:
    """A record may say who waits for its answer: here it names an agent of another tenant and what that waits for."""
    forged = asyncio.Event()

    @aob.agent(consumes=["orders"], produces=["out"])
    async def buys(record: Any, ctx: Any) -> None:
        ctx.emit("out", "bought", await ctx.ask("prices", "gold", 1))

    @aob.agent(consumes=["prices"], produces=["out"])
    async def prices(record: Any, ctx: Any) -> None:
        if ctx.tenant == "other":
            await forged.wait()
        ctx.reply(ctx.tenant)
        if ctx.tenant != "other":
            ctx.emit("out", "told", "all")

    topics = ("orders", "out", "prices")
    async with home(tmp_path, buys, prices, topics=topics) as app:
        for topic in topics:
            await app.metrics.create_topic(OTHER, topic)
        await order(app, OTHER, 1)
        told = await app.metrics.consume(OTHER, "prices", wait_ms=20_000, from_offset=0)
        known = told["records"][0]["extensions"]
        assert known["asker"].startswith("agent/other/")
        await app.metrics.produce(LOCAL, "prices", [ProducedRecord("price", 1, "gold", extensions=known)])
        assert await sent(app, LOCAL, "out", 1) == ["all"]
        forged.set()
        assert await sent(app, OTHER, "out", 1) == ["other"]
