"""Agents of a home at a worker of another process: the worker is attached over real gRPC in the process of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("grpc")

import aob
from aob.compose import App
from aob.core.policy import LOCAL
from aob.work import WorkError
from aob.work.handlers import HandlerTable
from aob.work.topic_agents import scan_agents
from aob.worker import Holding
from tests.organisation.test_agents_ask_people import tickets
from tests.organisation.test_agents_at_work import Handled, home
from tests.organisation.test_agents_in_shards import told
from tests.organisation.test_decisions import KIND, script
from tests.worker.through import attached

SERVED: dict[str, Any] = {"grpc_port": 0}
TOPICS = ("orders", "out", "prices")


@asynccontextmanager
async def worker(app: App, *agents: Handled, name: str = "w") -> AsyncIterator[Holding]:
    """A worker with these agents."""
    handlers = HandlerTable()
    handlers.agents = scan_agents(SimpleNamespace(**{f"agent_{n}": each for n, each in enumerate(agents)}))
    async with attached(app, handlers, name) as holding:
        yield holding


def where(ctx: Any) -> str:
    """Where an agent is handled."""
    return {"AgentStream": "worker", "AgentContext": "home"}[type(ctx).__name__]


@aob.agent(consumes=["prices"])
async def prices(record: Any, ctx: Any) -> None:
    if record.data == "gold":
        raise WorkError("no price", code="unknown", transient=False)
    ctx.reply({"price": len(record.data), "at": where(ctx)})


async def test_a_worker_handles_records_with_all_that_an_agent_may_do(tmp_path: Path) -> None:
    paid = list[str]()

    @aob.agent(consumes=["orders"], produces=["out"], backoff="1ms")
    async def buys(record: Any, ctx: Any) -> None:
        if record.type == "reminder":
            ctx.emit("out", "woke", [ctx.key, ctx.state, record.data, where(ctx)])
            return
        try:
            price = await ctx.ask("prices", record.data, record.data)
        except WorkError as error:
            price = error.fault.code
        intended = await ctx.intend("pay", {"order": record.id})
        if intended.granted:
            paid.append(ctx.idempotency)
            await ctx.settle({"paid": 3}, usage={"usd": 1})
            await ctx.heartbeat({"step": 1})
            raise ValueError("after the effect")
        ctx.set_state({"seen": ((ctx.state or {}).get("seen", 0)) + 1})
        ctx.later("1ms", {"of": record.id})
        ctx.emit("out", "bought", [price, intended.recorded, ctx.attempt, ctx.resume])

    async with home(tmp_path, buys, prices, topics=TOPICS, settings=SERVED) as app:
        async with worker(app, buys, prices):
            await app.produce("orders", "order", "iron", subject="ann", id="one")
            assert await told(app, "out", 2) == [
                [{"price": 4, "at": "worker"}, {"paid": 3}, 2, {"step": 1}],
                ["ann", {"seen": 1}, {"of": "one"}, "worker"],
            ]
            await app.produce("orders", "order", "gold", subject="ann", id="two")
            assert (await told(app, "out", 3))[2][0] == "unknown"
            (at,) = await app.views.workers(LOCAL)
            assert at["handlers"] == sorted(at["handlers"])
            assert {each.partition("@")[0] for each in at["handlers"]} == {"agent:buys", "agent:prices"}
        assert len(paid) == 2


async def test_an_agent_at_a_worker_asks_people_and_gives_its_worker_back(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def asks(record: Any, ctx: Any) -> None:
        first = await ctx.interrupt("really?", choices=["yes", "no"])
        again = await ctx.interrupt("really?", choices=["yes", "no"])
        ctx.emit("out", "decided", [first["choice"], again["choice"], where(ctx)])

    async with home(tmp_path, asks, settings=SERVED) as app, worker(app, asks):
        await app.produce("orders", "order", 1, subject="ann")
        for choice in ("yes", "no"):
            (ticket,) = await tickets(app, 1)
            await app.answer(ticket["ticket_id"], choice)
        assert await told(app, "out", 1) == [["yes", "no", "worker"]]


async def test_what_goes_wrong_at_a_worker_is_a_dead_letter_as_here(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"], attempts=1)
    async def fails(record: Any, ctx: Any) -> None:
        if record.data == "undeclared":
            ctx.emit("elsewhere", "x", 1)
        if record.data == "large":
            ctx.set_state("x" * 2_000_000)
        if record.data == "bad":
            raise ValueError("no")
        ctx.emit("out", "done", where(ctx))

    async with home(tmp_path, fails, settings=SERVED) as app, worker(app, fails):
        for name in ("undeclared", "large", "bad", "good"):
            await app.produce("orders", "order", name, subject="ann")
        assert await told(app, "out", 1) == ["worker"]
        letters = await told(app, "dead.fails", 3)
        assert [each["code"] for each in letters] == ["topic_undeclared", "state_too_large", "exception"]


async def test_records_are_handled_here_without_a_worker_with_the_same_code_and_there_once_one_comes(
    tmp_path: Path,
) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def tells(record: Any, ctx: Any) -> None:
        ctx.emit("out", "told", where(ctx))

    @aob.agent(consumes=["orders"], produces=["out"], name="tells")
    async def other(record: Any, ctx: Any) -> None:
        ctx.emit("out", "told", "other")

    async with home(tmp_path, tells, settings=SERVED) as app:
        async with worker(app, other):
            await app.produce("orders", "order", 1, subject="ann")
            assert await told(app, "out", 1) == ["home"]
        async with worker(app, tells):
            await app.produce("orders", "order", 2, subject="ann")
            assert await told(app, "out", 2) == ["home", "worker"]
        await app.produce("orders", "order", 3, subject="ann")
        assert await told(app, "out", 3) == ["home", "worker", "home"]


async def test_a_record_whose_worker_is_gone_is_handled_again_and_its_effect_is_judged(tmp_path: Path) -> None:
    begun, paid = asyncio.Event(), list[str]()

    @aob.agent(consumes=["orders"], produces=["out"])
    async def pays(record: Any, ctx: Any) -> None:
        if record.data == "safe" and where(ctx) == "worker":
            begun.set()
            await asyncio.Event().wait()
        if record.data == "paid":
            intended = await ctx.intend("pay", {"order": record.id})
            paid.append(record.id)
            begun.set()
            await asyncio.Event().wait()
            await ctx.settle(intended.granted)
        ctx.emit("out", "paid", [record.data, ctx.attempt])

    async with home(tmp_path, pays, settings=SERVED) as app:
        for name in ("safe", "paid"):
            begun.clear()
            async with worker(app, pays, name="first") as holding:
                await app.produce("orders", "order", name, subject=name)
                async with asyncio.timeout(20):
                    await begun.wait()
                assert holding.running == 1
            async with worker(app, prices, name="first"):  # another incarnation: the one before is gone
                if name == "safe":
                    assert await told(app, "out", 1) == [["safe", 2]]
                else:
                    (letter,) = await told(app, "dead.pays", 1)
                    assert letter["code"] == "uncertain"
        assert len(paid) == 1


async def test_an_agent_at_a_worker_asks_models_of_the_home(tmp_path: Path) -> None:
    script(tmp_path)

    @aob.agent(consumes=["orders"], produces=["out"], backoff="1ms")
    async def sorts(record: Any, ctx: Any) -> None:
        found = await ctx.model("sort {text}", {"text": record.data}, model="script:desk", output=KIND)
        if ctx.attempt == 1:
            raise ValueError("once more")
        ctx.emit("out", "sorted", [found, where(ctx)])

    async with home(tmp_path, sorts, topics=TOPICS, settings=SERVED) as app, worker(app, sorts):
        await app.produce("orders", "order", "iron", subject="ann")
        assert await told(app, "out", 1) == [[{"kind": "billing"}, "worker"]]
        [row] = (await app.metrics.decisions(app.who))["decisions"]  # asked once in two attempts
        assert (row["agent"], row["key"], row["attempt"]) == ("sorts", "ann", 1)
