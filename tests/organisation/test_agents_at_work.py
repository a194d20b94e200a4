"""Agents of an application on the topics of a home: order, state, outputs, failures, asks, reminders, pauses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import Raw

import aob
from aob.compose import App
from aob.core.errors import Invalid, NotFound
from aob.core.event import PARTITIONS, partition_of
from aob.core.policy import LOCAL
from aob.core.value import canonical, decode
from aob.ports.log import Logged, Record
from aob.work import WorkError

Handled = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def home(
    path: Path, *agents: Handled, topics: tuple[str, ...] = ("orders", "out"), settings: Mapping[str, Any] | None = None
) -> AsyncIterator[App]:
    """A home whose topics are declared before its agents start."""
    given = settings or {}
    if not (path / "home.json").exists():
        async with aob.open(path, **given) as app:
            for name in topics:
                await app.metrics.create_topic(LOCAL, name)
    marked = SimpleNamespace(**{f"agent_{n}": each for n, each in enumerate(agents)})
    async with aob.open(path, app=marked, **given) as app:
        yield app


async def send(app: App, subject: str, *data: Any, topic: str = "orders") -> None:
    records = [
        Record(f"{subject}-{n}", "test", "order", "default", subject, Raw(canonical(each)))
        for n, each in enumerate(data)
    ]
    await app.shared.topics.append("default", topic, partition_of(subject, PARTITIONS), records)


async def records(app: App, topic: str, count: int) -> list[Logged]:
    """The records of a topic, once there are so many."""
    log, journal = app.shared.topics, app.views.core.journal
    while True:
        bell = journal.bells.next("default", topic)
        found = [each for n in range(PARTITIONS) for each in await log.read("default", topic, n, 0)]
        if len(found) >= count:
            assert len(found) == count
            return found
        await bell


def values(found: list[Logged]) -> list[Any]:
    return [decode(each.record.data) for each in found]


@aob.agent(consumes=["orders"], produces=["out"])
async def counts(record: Any, ctx: Any) -> None:
    seen = (ctx.state or 0) + 1
    ctx.set_state(seen)
    ctx.emit("out", "counted", {"key": ctx.key, "seen": seen, "data": record.data})


async def test_records_of_a_key_are_handled_in_order_and_its_state_is_its_own(tmp_path: Path) -> None:
    async with home(tmp_path, counts) as app:
        for name in ("ann", "bob", "cid"):
            await send(app, name, 0, 1, 2)
        found = await records(app, "out", 9)
        for name in ("ann", "bob", "cid"):
            mine = [each for each in values(found) if each["key"] == name]
            assert mine == [{"key": name, "seen": n + 1, "data": n} for n in range(3)]
        first = next(each.record for each in found if each.record.subject == "ann")
        assert (first.causationid, first.correlationid, first.depth) == ("ann-0", "ann-0", 2)
        assert first.source.startswith("counts@")


@pytest.mark.every_store
async def test_after_a_restart_nothing_is_handled_twice_and_the_state_is_there(tmp_path: Path) -> None:
    async with home(tmp_path, counts) as app:
        await send(app, "ann", 0, 1)
        await records(app, "out", 2)
    async with home(tmp_path, counts) as app:
        await app.shared.topics.append(
            "default", "orders", partition_of("ann", PARTITIONS), [Record("x", "t", "order", "default", "ann")]
        )
        found = await records(app, "out", 3)
        assert [each["seen"] for each in values(found)] == [1, 2, 3]


async def test_a_key_is_handled_one_at_a_time_and_keys_side_by_side(tmp_path: Path) -> None:
    both, held = asyncio.Event(), set[str]()

    @aob.agent(consumes=["orders"], produces=["out"])
    async def waits(record: Any, ctx: Any) -> None:
        assert ctx.key not in held
        held.add(ctx.key)
        if len(held) == 2:
            both.set()
        await both.wait()
        held.discard(ctx.key)
        ctx.emit("out", "done", record.data)

    async with home(tmp_path, waits) as app:
        await send(app, "ann", 0, 1)
        await send(app, "bob", 0)
        await records(app, "out", 3)


@pytest.mark.every_store
async def test_a_failure_is_retried_then_a_dead_letter_and_the_key_goes_on(tmp_path: Path) -> None:
    tried: list[Any] = []

    @aob.agent(consumes=["orders"], produces=["out"], attempts=2, backoff="1ms")
    async def fails(record: Any, ctx: Any) -> None:
        tried.append((record.data, ctx.attempt))
        if record.data == "bad" or (record.data == "once" and ctx.attempt == 1):
            raise ValueError("no")
        if record.data == "never":
            raise WorkError("not this one", code="wrong", transient=False)
        ctx.emit("out", "done", record.data)

    async with home(tmp_path, fails) as app:
        await send(app, "ann", "bad", "once", "never", "good")
        assert values(await records(app, "out", 2)) == ["once", "good"]
        letters = values(await records(app, "dead.fails", 2))
        assert [(each["record"], each["code"], each["attempts"]) for each in letters] == [
            ("ann-0", "exception", 2), ("ann-2", "wrong", 1),
        ]  # fmt: skip
        assert "ValueError" in letters[0]["error"]["detail"]["traceback"]
    assert tried == [("bad", 1), ("bad", 2), ("once", 1), ("once", 2), ("never", 1), ("good", 1)]


@pytest.mark.every_store
async def test_the_result_of_an_effect_answers_the_next_attempt(tmp_path: Path) -> None:
    acted: list[str] = []

    @aob.agent(consumes=["orders"], produces=["out"], backoff="1ms")
    async def pays(record: Any, ctx: Any) -> None:
        intended = await ctx.intend("pay", {"order": record.id})
        if intended.granted:
            acted.append(ctx.idempotency)
            await ctx.settle({"paid": 3}, usage={"usd": 1})
            raise ValueError("after the effect")
        ctx.emit("out", "paid", intended.recorded)

    async with home(tmp_path, pays) as app:
        await send(app, "ann", 0)
        assert values(await records(app, "out", 1)) == [{"paid": 3}]
    assert len(acted) == 1


async def test_an_agent_asks_another_and_gets_its_reply_or_its_failure(tmp_path: Path) -> None:
    @aob.agent(consumes=["prices"], attempts=1)
    async def prices(record: Any, ctx: Any) -> None:
        if record.data == "gold":
            raise WorkError("no price", code="unknown", transient=False)
        ctx.reply({"price": len(record.data)})

    @aob.agent(consumes=["orders"], produces=["out"])
    async def buys(record: Any, ctx: Any) -> None:
        try:
            ctx.emit("out", "bought", await ctx.ask("prices", record.data, record.data))
        except WorkError as error:
            ctx.emit("out", "failed", error.fault.code)

    async with home(tmp_path, prices, buys, topics=("orders", "out", "prices")) as app:
        await send(app, "ann", "iron", "gold")
        assert values(await records(app, "out", 2)) == [{"price": 4}, "unknown"]


@pytest.mark.every_store
async def test_an_agent_reminds_itself(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def reminds(record: Any, ctx: Any) -> None:
        if record.type == "reminder":
            ctx.emit("out", "woke", record.data)
        else:
            ctx.later("1ms", {"of": record.id})

    async with home(tmp_path, reminds) as app:
        await send(app, "ann", 0)
        (woke,) = await records(app, "out", 1)
        assert (decode(woke.record.data), woke.record.subject) == ({"of": "ann-0"}, "ann")


async def test_agents_that_feed_one_another_for_ever_are_stopped(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["orders"], depth_max={"orders": 4})
    async def echoes(record: Any, ctx: Any) -> None:
        ctx.emit("orders", "again", record.data + 1)

    async with home(tmp_path, echoes) as app:
        await send(app, "ann", 0)
        (letter,) = values(await records(app, "dead.echoes", 1))
        assert (letter["code"], letter["error"]["detail"]["chain"]["depth"]) == ("too_deep", 4)
        assert letter["error"]["detail"]["chain"]["correlationid"] == "ann-0"


async def test_the_same_content_again_and_again_is_a_loop(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["orders"])
    async def repeats(record: Any, ctx: Any) -> None:
        ctx.emit("orders", "again", record.data)

    async with home(tmp_path, repeats) as app:
        await send(app, "ann", "x")
        (letter,) = values(await records(app, "dead.repeats", 1))
        assert letter["code"] == "loop"


@pytest.mark.every_store
async def test_a_large_state_is_kept_outside_the_record(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def grows(record: Any, ctx: Any) -> None:
        ctx.emit("out", "had", len(ctx.state or ""))
        ctx.set_state("x" * record.data)

    async with home(tmp_path, grows) as app:
        await send(app, "ann", 100_000, 2_000_000, 5)
        assert values(await records(app, "out", 2)) == [0, 100_000]
        (letter,) = values(await records(app, "dead.grows", 1))
        assert letter["code"] == "state_too_large"


async def test_a_subscription_without_its_topic_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        async with home(tmp_path, counts, topics=("out",)):
            pass
    assert [problem.hint for problem in refused.value.problems] == ["aob topic create orders"]


async def test_a_paused_agent_reads_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    async with home(tmp_path, counts) as app:
        await app.metrics.pause_agent(LOCAL, "counts")
        await send(app, "ann", 0)
        assert values(await records(app, "out", 0)) == []
        await app.metrics.resume_agent(LOCAL, "counts")
        await records(app, "out", 1)


async def test_what_an_agent_does_not_say_it_produces_is_refused(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"])
    async def silent(record: Any, ctx: Any) -> None:
        ctx.emit("out", "x", 1)

    async with home(tmp_path, silent) as app:
        await send(app, "ann", 0)
        (letter,) = values(await records(app, "dead.silent", 1))
        assert letter["code"] == "topic_undeclared"


async def test_the_registry_knows_the_agents_of_the_application(tmp_path: Path) -> None:
    async with home(tmp_path, counts) as app:
        told = await app.metrics.agent(LOCAL, "counts")
        assert (told["version"], told["definition"]["consumes"]) == (1, ("orders",))
    async with home(tmp_path, counts) as app:
        assert (await app.metrics.agent(LOCAL, "counts"))["version"] == 1


async def test_an_agent_reads_live_numbers(tmp_path: Path) -> None:
    contracts = "event: sold\nfields: {shop: string, amount: number}\n---\nmetric: sales\ntype: sum\n"
    contracts += "moves: [{on: sold, value: data.amount}]\ndimensions: [shop]\nwindows: [all]\n"

    @aob.agent(consumes=["orders"], produces=["out"])
    async def reads(record: Any, ctx: Any) -> None:
        one = await ctx.metric("sales", where={"shop": record.data})
        each = await ctx.metric("sales", "all", by=["shop"])
        try:
            await ctx.metric("sale")
        except WorkError as error:
            ctx.emit("out", "read", [one["value"], len(each["rows"]), error.fault.code, error.fault.transient])

    async with home(tmp_path, reads) as app:
        await app.push_contracts({"shop.yaml": contracts})
        for shop, amount in (("north", 2), ("north", 3), ("south", 9)):
            sold = {
                "type": "sold",
                "id": f"{shop}-{amount}",
                "source": "till",
                "data": {"shop": shop, "amount": amount},
            }
            assert (await app.ingest(sold))["accepted"] == 1
        await send(app, "ann", "north")
        assert values(await records(app, "out", 1)) == [[5.0, 2, "metric_not_found", False]]


async def test_the_dead_letters_of_an_agent_can_be_followed_before_there_are_any(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], attempts=1)
    async def strict(record: Any) -> None:
        raise ValueError(record.data)

    async with home(tmp_path, strict) as app:
        begun = await app.metrics.consume(LOCAL, "dead.strict")
        assert begun["records"] == []
        coming = asyncio.ensure_future(
            app.metrics.consume(LOCAL, "dead.strict", position=begun["position"], wait_ms=30_000)
        )
        await send(app, "ann", 1)
        assert [each["type"] for each in (await coming)["records"]] == ["agent.dead_letter"]
        with pytest.raises(NotFound):
            await app.metrics.consume(LOCAL, "dead.stranger")
