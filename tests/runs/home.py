"""Homes for the tests of verbs: handlers that do little, documents in a line, and waiting for what was committed."""

import asyncio
import shutil
from collections.abc import Iterable
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aob
from aob.compose import App
from aob.core.policy import Caller

BOB = Caller("other", "bob", frozenset({"admin"}))
VIEWER = Caller("default", "vera", frozenset({"view"}))
FINANCE = Caller("default", "fin", frozenset({"view", "finance"}))
RUNNER = Caller("default", "rex", frozenset({"view", "run"}))
PATCHER = Caller("default", "pat", frozenset({"view", "patch"}))


class Deed:
    """Handlers of one test. `calls` lists what was called, `gates` hold `gated` until they are opened."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.failures: dict[str, int] = {}
        self.begun: dict[str, asyncio.Event] = {}
        self.over = False

    def gate(self, name: str) -> asyncio.Event:
        gate = self.gates.setdefault(name, asyncio.Event())
        if self.over:
            gate.set()
        return gate

    def release(self) -> None:
        """Opens every gate, also those to come: a home that closes waits for who works in it."""
        self.over = True
        for gate in self.gates.values():
            gate.set()

    def begins(self, name: str) -> asyncio.Event:
        return self.begun.setdefault(name, asyncio.Event())

    def handlers(self, *without: str) -> SimpleNamespace:
        """A module's worth of handlers, less those named."""

        @aob.node(effect="none")
        async def echo(value: object = None) -> object:
            self.calls.append(("echo", value))
            return value

        @aob.node(effect="none")
        def plain(value: object = None) -> object:
            self.calls.append(("plain", value))
            return value

        @aob.node(effect="none", deterministic=True)
        async def double(n: int) -> int:
            self.calls.append(("double", n))
            return n * 2

        @aob.node
        async def sized(n: int) -> str:
            return "x" * n

        @aob.node
        async def gated(ctx: Any, value: object = None) -> object:
            self.calls.append(("gated", ctx.visit))
            self.begins(ctx.visit).set()
            await self.gate(ctx.visit).wait()
            return value

        @aob.node(effect="once")
        async def once(ctx: Any, value: object = None) -> object:
            self.calls.append(("once", ctx.visit))
            self.begins(ctx.visit).set()
            await self.gate(ctx.visit).wait()
            return "done"

        @aob.node
        async def flaky(ctx: Any, value: object = None) -> int:
            self.calls.append(("flaky", ctx.attempt))
            if ctx.attempt <= self.failures.get(ctx.visit, 0):
                raise aob.WorkError(f"attempt {ctx.attempt} failed")
            return int(ctx.attempt)

        @aob.node
        async def wrong(value: object = None) -> None:
            raise aob.WorkError("this can never work", code="never", transient=False)

        @aob.node
        async def talk(ctx: Any, value: object = None) -> None:
            ctx.log("hello", n=1)
            ctx.log("bye", n=2)

        names = {"echo", "plain", "double", "sized", "gated", "once", "flaky", "wrong", "talk"} - set(without)
        found = {k: v for k, v in locals().items() if k in names}
        return SimpleNamespace(**found)


def fn(handler: str = "echo", **more: Any) -> dict[str, Any]:
    """A function node."""
    return {"kind": "function", "config": {"handler": handler}, **more}


def flow(workflow: str, nodes: dict[str, Any], *edges: str, **more: Any) -> dict[str, Any]:
    """A document; an edge is `a>b`, or `a>b:rejected` for another outcome."""
    made = {}
    for edge in edges:
        source, _, rest = edge.partition(">")
        target, _, on = rest.partition(":")
        made[f"{source}-{target}"] = {"from": source, "to": target, **({"on": on} if on else {})}
    return {"workflow": workflow, "nodes": nodes, "edges": made, **more}


def chain(workflow: str, *handlers: str, **more: Any) -> dict[str, Any]:
    """Nodes `a`, `b`, ... one after the other, each with its handler."""
    names = "abcdefgh"[: len(handlers)]
    nodes = {name: fn(handler) for name, handler in zip(names, handlers, strict=True)}
    return flow(workflow, nodes, *(f"{a}>{b}" for a, b in pairwise(names)), **more)


async def until(app: App, run_id: str, name: str, **fields: Any) -> dict[str, Any]:
    """The first committed event of a run with this name and these fields, past or to come."""
    async with asyncio.timeout(20), aclosing(app.views.follow(app.who, run_id=run_id)) as feed:
        async for _, event, entry in feed:
            if event == name and fields.items() <= entry.items():
                return entry
    raise AssertionError(f"{run_id} ended without {name} {fields}")


async def ticket_of(app: App, run_id: str, subject: str = "approval") -> dict[str, Any]:
    """The open ticket of a run, once it is there."""
    opened = await until(app, run_id, "ticket_opened", subject=subject)
    return await app.views.ticket(app.who, opened["id"])


async def finished(app: App, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""
    async with asyncio.timeout(60):
        await app.views.core.ended(app.who, run_id)
    return await app.run(run_id)


def crashed(app: App, to: Path) -> Path:
    """The home as a crash at this moment would leave it: its files, with nobody who closed them."""
    shutil.copytree(app.home, to, ignore=shutil.ignore_patterns("lock", "server.json"))
    return to


def kinds(timeline: Iterable[dict[str, Any]]) -> list[str]:
    """The names of the events of a timeline."""
    return [entry["type"] for entry in timeline]
