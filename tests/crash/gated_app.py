"""Handlers that note that they have begun, and end when the file beside the ledger is there."""

import asyncio
import os
from pathlib import Path
from typing import Any

import aob

LEDGER = Path(os.environ.get("AOB_TEST_LEDGER", os.devnull))


async def gated(ctx: Any) -> str:
    """Note it, and wait for the gate."""
    with LEDGER.open("a") as ledger:  # noqa: ASYNC230  # a line
        ledger.write(f"{ctx.run_id} {ctx.visit} {ctx.attempt}\n")
    while not LEDGER.with_suffix(".gate").exists():  # noqa: ASYNC110  # another process makes it
        await asyncio.sleep(0.02)
    return str(ctx.visit)


@aob.node
async def keyed(ctx: Any) -> str:
    return await gated(ctx)


@aob.node(effect="once")
async def once(ctx: Any) -> str:
    return await gated(ctx)
