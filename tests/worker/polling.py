"""Waiting for what another process does, where nothing tells of it."""

import asyncio
from collections.abc import Callable

WAIT_S = 60.0


async def pause(seconds: float) -> None:
    """Real time passes: a lease is of the real clock."""
    await asyncio.sleep(seconds)


async def until(ready: Callable[[], object]) -> None:
    """Waits until it is so."""
    async with asyncio.timeout(WAIT_S):
        while not ready():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
