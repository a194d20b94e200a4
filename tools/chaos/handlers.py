"""The handlers of the workers: each asks the ledger outside for one thing, with another promise of its effect."""

import os
import time
from typing import Any

import httpx

import aob

LEDGER = "CHAOS_LEDGER"


async def ask(kind: str, ctx: Any) -> None:
    """Ask the ledger to do something."""
    told = {
        "kind": kind, "run": ctx.run_id, "visit": ctx.visit, "attempt": ctx.attempt, "key": ctx.key,
        "pid": os.getpid(), "at_s": time.time(),
    }  # fmt: skip
    # Without a look at certificates: to read those of the machine takes longer than all the rest.
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as http:
        (await http.post(os.environ[LEDGER], json=told)).raise_for_status()


@aob.node(effect="none")
async def look(n: int, ctx: Any) -> int:
    """May be called any number of times."""
    await ask("look", ctx)
    return n


@aob.node(effect="keyed")
async def book(n: int, ctx: Any) -> int:
    """May be called again with the same key."""
    await ask("book", ctx)
    return n


@aob.node(effect="once")
async def pay(n: int, ctx: Any) -> dict[str, int]:
    """Must not be called again without a decision."""
    await ask("pay", ctx)
    return {"paid": n}
