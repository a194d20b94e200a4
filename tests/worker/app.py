"""Handlers for worker processes under test. What they do outside is noted in a file, the ledger."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import aob


def note(what: str, key: str) -> None:
    with Path(os.environ["LEDGER"]).open("a") as file:
        file.write(f"{what} {key}\n")


def there(path: str) -> bool:
    return Path(path).exists()


@aob.node(effect="none")
async def echo(value: Any = None) -> Any:
    return value


@aob.node(effect="none")
def thread(value: Any = None) -> Any:
    return value


@aob.node(effect="none", cpu=True)
def crunch(n: int) -> int:
    return sum(range(n))


@aob.node
async def slow(value: dict[str, Any], ctx: Any) -> dict[str, Any]:
    ctx.log("begins", attempt=ctx.attempt)
    note("begin", ctx.key)
    while not there(value["until"]):
        await ctx.heartbeat()
        await asyncio.sleep(0.02)
    note("done", ctx.key)
    return {"attempt": ctx.attempt}


@aob.node
async def blocks(value: dict[str, Any], ctx: Any) -> str:
    note("begin", ctx.key)
    while not there(value["until"]):
        time.sleep(0.02)  # noqa: ASYNC251  # holds the loop on purpose
    return "done"


@aob.node
async def pays(value: Any, ctx: Any) -> Any:
    intended = await ctx.intend("pay", {"to": "ann"})
    if not intended.granted:
        return intended.recorded
    note("paid", ctx.key)
    await ctx.settle({"paid": True}, intent=intended)
    return {"paid": True}


@aob.node
async def fails(value: Any = None) -> None:
    raise aob.WorkError("not today", code="closed", transient=False, detail={"why": "sunday"})


@aob.node
async def exits(value: Any = None) -> None:
    os._exit(7)


@aob.node
async def segfaults(value: Any = None) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@aob.node
def hoards(value: Any = None) -> int:
    kept = bytearray(400 * 1024 * 1024)
    for at in range(0, len(kept), 4096):
        kept[at] = 1
    time.sleep(30)
    return len(kept)


@aob.node(effect="none")
async def computes(value: Any = None) -> Any:
    await asyncio.sleep(0.01)
    return value


@aob.node
def keyed(value: Any, ctx: Any) -> Any:
    note("keyed", ctx.key)
    time.sleep(0.01)
    return value


@aob.node(effect="once")
async def once(value: Any, ctx: Any) -> Any:
    await asyncio.sleep(0.02)
    note("once", ctx.key)
    await asyncio.sleep(0.02)
    return value
