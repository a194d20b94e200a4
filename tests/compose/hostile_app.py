"""Handlers that try to end, stop or hold the process that they run in."""

import asyncio
import os
import signal
import threading
import time
from typing import Any

import aob


def leave(what: str) -> None:
    raise {"exit": SystemExit(3), "ctrl-c": KeyboardInterrupt("mine"), "cancelled": asyncio.CancelledError()}[what]


async def leaves(what: str) -> None:
    await asyncio.sleep(0)
    leave(what)


@aob.node
async def itself(what: str) -> None:
    """Raises it in the handler, at once and later."""
    leave(what)


@aob.node
async def later(what: str) -> None:
    await leaves(what)


@aob.node
async def task(what: str) -> str:
    """Raises it in a task that is awaited."""
    try:
        await asyncio.create_task(leaves(what), name="mine")
    except RuntimeError as error:
        return str(error)
    except asyncio.CancelledError:
        return "cancelled"
    return "no error"


@aob.node
async def forgotten(what: str) -> str:
    """Raises it in a task of a task that nobody waits for."""
    seen = asyncio.Event()

    async def outer() -> None:
        inner = asyncio.create_task(leaves(what))
        inner.add_done_callback(lambda _: seen.set())

    kept = [asyncio.create_task(outer())]
    await seen.wait()
    return str(len(kept))


@aob.node
async def group(what: str) -> str:
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(leaves(what))
            tasks.create_task(asyncio.sleep(0.05))
    except BaseExceptionGroup as errors:
        return type(errors.exceptions[0]).__name__
    return "no error"


@aob.node
async def callback(what: str) -> str:
    """Raises it in callbacks of the loop."""
    loop = asyncio.get_running_loop()
    loop.call_soon(leave, what)
    loop.call_later(0.001, leave, what)
    await asyncio.sleep(0.01)
    return "here"


@aob.node
async def stops(what: str) -> str:
    """Stops the loop; `what` is for nobody."""
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.001)
    return "here"


@aob.node
async def cancels_itself(what: str) -> None:
    current = asyncio.current_task()
    assert current is not None
    current.cancel()
    await asyncio.sleep(10)


class Odd:
    def __init__(self, what: str) -> None:
        self.what = what

    def __del__(self) -> None:
        leave(self.what)


@aob.node
async def finaliser(what: str) -> str:
    """Raises it where an object and a generator come to their end."""

    async def endless() -> Any:
        try:
            yield 1
        finally:
            leave(what)

    Odd(what)
    async for _ in endless():
        break
    return "here"


@aob.node
async def handles_a_signal(what: str) -> str:
    """Raises it where a signal is handled."""
    before = signal.signal(signal.SIGUSR1, lambda number, frame: leave(what))
    try:
        signal.raise_signal(signal.SIGUSR1)
    except BaseException as error:
        return type(error).__name__
    finally:
        signal.signal(signal.SIGUSR1, before)
    return "no error"


@aob.node
async def hangs(what: str) -> str:
    """Leaves threads behind that never end."""
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, time.sleep, 3_600)
    threading.Thread(target=time.sleep, args=(3_600,), name="mine").start()
    return "here"


@aob.node
async def echo(what: str) -> str:
    return what


@aob.node
async def busy(until: str) -> None:
    """Always in the middle of a step, each of them short, until a file is there."""
    while not os.path.exists(until):  # noqa: ASYNC240
        time.sleep(0.01)  # noqa: ASYNC251
        await asyncio.sleep(0)


@aob.node
async def pid() -> int:
    return os.getpid()
