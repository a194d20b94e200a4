"""A handler that logs, and notes outside what: `AOB_TEST_LEDGER` is a file."""

import asyncio
import os
from typing import Any

import aob

LEDGER = os.environ.get("AOB_TEST_LEDGER", os.devnull)
GATE = LEDGER + ".gate"  # as long as this file is missing it goes on talking


@aob.node
async def talks(ctx: Any, n: int) -> int:
    number = 0
    while number < n or not os.path.exists(GATE):  # noqa: ASYNC240  # a file
        ctx.log("line", number=number, pid=os.getpid())
        with open(LEDGER, "a") as ledger:  # noqa: ASYNC230  # a line
            ledger.write(f"{ctx.run_id} {os.getpid()} {number}\n")
        number += 1
        await asyncio.sleep(0.02)
    return number
