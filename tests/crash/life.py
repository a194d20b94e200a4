"""One life of a home in a process of its own: push, start what has not been started, wait until all of it rests.

Everything is asked again in each life, under the same keys and ids, as a client does that heard no answer.
"""

import asyncio
import os
from contextlib import aclosing
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import aob
from aob.compose import App
from tests.crash.points import Trap, set_traps
from tests.runs.home import flow, fn

BIG: Final = 70_000
"""Characters of an output that does not fit a row: it goes to a blob."""

REST_S: Final = 40


def handlers(deeds: Path, trap: Trap) -> SimpleNamespace:
    """Handlers that note each performance, durably, where the test can read it."""

    def perform(ctx: Any) -> None:
        with deeds.open("a") as file:
            file.write(f"{ctx.run_id} {ctx.visit} {ctx.attempt} {os.getpid()}\n")
            file.flush()
            os.fsync(file.fileno())
        trap.at("handler.performed")

    @aob.node
    async def step(ctx: Any, value: object = None) -> object:
        perform(ctx)
        return value

    @aob.node
    def thread(ctx: Any, value: object = None) -> object:
        perform(ctx)
        return value

    @aob.node
    async def big(ctx: Any) -> str:
        perform(ctx)
        return str(ctx.run_id[-1]) * BIG

    @aob.node
    async def flaky(ctx: Any) -> int:
        perform(ctx)
        if ctx.attempt == 1:
            raise aob.WorkError("the first attempt fails")
        return int(ctx.attempt)

    @aob.node(effect="once")
    async def pay(ctx: Any) -> str:
        intended = await ctx.intend("pay", {"amount": 7})
        if not intended.granted:
            return str(intended.recorded)
        trap.at("once.intended")
        perform(ctx)
        trap.at("once.performed")
        await ctx.settle("paid")
        trap.at("once.settled")
        return "paid"

    @aob.node(effect="once")
    async def send(ctx: Any) -> str:
        perform(ctx)
        trap.at("once.unasked")
        return "sent"

    return SimpleNamespace(step=step, thread=thread, big=big, flaky=flaky, pay=pay, send=send)


def then(name: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    """Nodes `a`, `b`, ... behind one another."""
    named = dict(zip("abcdefgh", nodes, strict=False))
    on = {source: ":approved" if node["kind"] == "approval" else "" for source, node in named.items()}
    return flow(name, named, *(f"{a}>{b}{on[a]}" for a, b in pairwise(named)))


RETRY: Final = {"attempts": 5, "first": "5ms", "jitter": 0}
EACH: Final = {
    "kind": "map",
    "config": {"items": "inputs.items", "window": 2},
    "body": {"nodes": {"do": fn("step", input={"value": "item"})}, "edges": {}},
}
PASSES: Final = {
    "kind": "loop", "config": {"max": 400, "collect": True},
    "body": {"nodes": {"x": fn("step", disabled=True)}, "edges": {}},
}  # fmt: skip
"""More passes than one decision does."""
DOCUMENTS: Final = [
    then("chain", fn("step"), fn("thread"), fn("step"), fn("big"), fn("step")),
    then("each", EACH, fn("step")),
    then("passes", PASSES, fn("step")),
    then("ask", fn("step"), {"kind": "approval", "config": {"text": "well?"}}, fn("step")),
    then("person", fn("step"), {"kind": "approval", "config": {"text": "well?"}}),
    then("nap", {"kind": "timer", "config": {"for": "40ms"}}, fn("step")),
    then("far", fn("step"), {"kind": "timer", "config": {"for": "1h"}}),
    then("wait", {"kind": "wait", "config": {"message": "go"}}, fn("step")),
    then("late", fn("step"), {"kind": "wait", "config": {"message": "never"}}),
    then("pay", fn("pay", effect="once"), fn("step")),
    then("send", fn("send", effect="once"), fn("step")),
    then("again", fn("flaky", retry=RETRY), fn("step")),
]
RESTS: Final = {
    "person": ("ticket_opened", {"subject": "approval"}), "far": ("timer_set", {"kind": "sleep"}),
    "late": ("wait_opened", {}),
}  # fmt: skip
"""What tells that a run which does not end has come as far as it can."""


async def seen(app: App, run_id: str, *wanted: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The first event of a run, past or to come, that is one of these."""
    told: Any = app.views.follow(app.who, run_id=run_id)
    async with asyncio.timeout(REST_S), aclosing(told) as feed:
        async for _, event, entry in feed:
            found: dict[str, Any] = entry
            if event == "run_finished" or any(event == n and f.items() <= found.items() for n, f in wanted):
                return found
    raise AssertionError(f"{run_id} ended without {wanted}")


async def rest(app: App, name: str, run_id: str, decide: str) -> dict[str, Any]:
    """Drives a run until it has ended or waits for what does not come; then tells all of it."""
    if name == "ask":
        opened = await seen(app, run_id, ("ticket_opened", {"subject": "approval"}))
        await app.answer(opened["id"], "approve")
    if name == "wait":
        await seen(app, run_id, ("wait_opened", {}))
        await app.views.message(app.who, run_id, "go", payload={"n": 1}, id="go-1")
    last = await seen(app, run_id, RESTS.get(name, ("", {})), ("ticket_opened", {"subject": "uncertain"}))
    if decide and last.get("subject") == "uncertain":
        await app.answer(last["id"], decide)
        await seen(app, run_id)
    return {"run": await app.run(run_id), "timeline": await app.views.timeline(app.who, run_id)}


async def live(home: Path, trap: Trap, tell: Connection, decide: str) -> None:
    """A whole life."""
    set_traps(trap)
    async with aob.open(home, app=handlers(home.parent / "deeds", trap)) as app:
        for document in DOCUMENTS:
            await app.push(document)
        started = {}
        for name in (document["workflow"] for document in DOCUMENTS):
            run = await app.start(name, {"items": [1, 2, 3, 4]}, key=f"key-{name}")
            tell.send(("started", name, run.id))
            started[name] = run.id
        told = await asyncio.gather(*(rest(app, name, run_id, decide) for name, run_id in started.items()))
        tell.send(("rested", dict(zip(started, told, strict=True))))


def main(home: str, point: str, count: int, tell: Connection, decide: str) -> None:
    """The child process."""
    asyncio.run(live(Path(home), Trap(point, count), tell, decide))
