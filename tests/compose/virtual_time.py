"""Time that passes on a virtual loop: no test waits for it."""

import asyncio

from aob.testing.world.loop import VirtualLoop


async def passes(seconds: float) -> None:
    """So long later."""
    assert isinstance(asyncio.get_running_loop(), VirtualLoop), "this would wait"
    await asyncio.sleep(seconds)
