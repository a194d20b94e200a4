"""A home with several shards in the test's own process, its owners beside it, and handlers that both load."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aob
from aob.compose.app import assemble, at_rest
from aob.compose.layout import Layout, layout_of
from aob.compose.settings import read_settings
from aob.compose.shards import Owners
from aob.core.policy import LOCAL

HANDLERS = "tests.compose.shard_home"


@aob.node(effect="keyed")
async def count(value: Any) -> int:
    """One more."""
    return int(value["n"] if isinstance(value, dict) else value) + 1


@aob.node
async def gate(value: Any) -> Any:
    """Waits until somebody opens the pipe that the input names."""
    return await asyncio.to_thread(lambda: Path(value["gate"]).read_text())


class Gate:
    """Where handlers of this process wait, suspended and not in a thread."""

    def __init__(self) -> None:
        self.opened, self.begun = asyncio.Event(), asyncio.Queue[int]()


GATES: dict[str, Gate] = {}


@aob.node
async def held(value: Any) -> int:
    """Waits at the gate that the input names."""
    gate = GATES[value["gate"]]
    gate.begun.put_nowait(1)
    await gate.opened.wait()
    return 1


@aob.node
async def says(value: Any, ctx: Any) -> int:
    """Logs a line and tells which process it runs in."""
    ctx.log("here")
    return os.getpid()


@aob.node
async def wide(value: Any) -> str:
    """So many characters."""
    return "x" * int(value["n"])


@aob.node
async def gauge(value: Any) -> int:
    """How many characters."""
    return len(value)


def chain(name: str, *handlers: str) -> dict[str, Any]:
    """Function nodes behind one another."""
    nodes = {f"n{i}": {"kind": "function", "config": {"handler": handler}} for i, handler in enumerate(handlers)}
    edges = {f"e{i}": {"from": f"n{i}", "to": f"n{i + 1}"} for i in range(len(handlers) - 1)}
    return {"workflow": name, "nodes": nodes, "edges": edges}


COUNT = chain("count", "count", "count", "count")
WAIT = {"workflow": "wait", "nodes": {"w": {"kind": "wait", "config": {"message": "go"}}}, "edges": {}}
ASK = {
    "workflow": "ask",
    "nodes": {"a": {"kind": "approval", "config": {"role": "finance", "text": "well?"}}},
    "edges": {},
}


def shard_of(run_id: str, shards: int) -> int:
    """The shard of a run in a home that was made with so many."""
    return Layout.of(shards).shard_of(run_id)


@asynccontextmanager
async def sharded(home: Path, shards: int = 2, *documents: dict[str, Any], **given: Any) -> AsyncIterator[Owners]:
    """A home whose shard 0 is owned by this process; with `processes="one"` all are."""
    async with AsyncExitStack() as stack:
        settings = read_settings(home, {}, **given)
        layout = await at_rest(home, layout_of(home, shards))
        running = await assemble(stack, home, settings, [HANDLERS], layout)
        await stack.enter_async_context(running.working())
        owners = await stack.enter_async_context(Owners(running, [HANDLERS], layout))
        for document in documents:
            await owners.verbs.push(LOCAL, document)
        yield owners


async def finished(feed: Any, count: int) -> list[tuple[str, str]]:
    """The runs that a feed of `run_finished` tells of, with their status, once there are so many."""
    found = []
    async with asyncio.timeout(60):
        async for _, _, data in feed:
            found.append((data["run"], data["status"]))
            if len(found) == count:
                break
    await feed.aclose()
    return found


async def started(
    verbs: Any, workflow: str, shard: int, inputs: dict[str, Any] | None = None, shards: int = 2, **named: Any
) -> str:
    """A run in this shard."""
    while True:
        run_id: str = (await verbs.start(LOCAL, workflow, inputs or {}, **named))["run_id"]
        if shard_of(run_id, shards) == shard:
            return run_id


def kill(pid: int) -> None:
    """As the kernel would."""
    os.kill(pid, signal.SIGKILL)
