"""A handler that notes outside what it did: `AOB_TEST_LEDGER` is a file."""

import os
from typing import Any

import aob

LEDGER = os.environ.get("AOB_TEST_LEDGER", os.devnull)


@aob.node
async def noted(ctx: Any, n: int) -> int:
    with open(LEDGER, "a") as ledger:  # noqa: ASYNC230  # a line
        ledger.write(f"{os.getpid()} {ctx.run_id} {ctx.visit}\n")
    return n
