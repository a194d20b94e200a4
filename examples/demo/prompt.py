"""A question in, a person's decision out: at the prompt, from another terminal, or by itself where there is none."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from rich.console import Console

YES: Final = {"", "y", "yes", "approve", "a"}
NO: Final = {"n", "no", "reject", "r"}


async def decision(console: Console, elsewhere: Callable[[], Awaitable[object]], command: str) -> str | None:
    """`approve` or `reject`; None when the ticket was decided in another terminal meanwhile.

    `elsewhere()` ends when that happens; `command` is the line to type there. Without a terminal the answer is
    `approve`, and it is said.
    """
    if not sys.stdin.isatty():
        console.print("  [dim]No terminal to ask at: the demo approves by itself.[/]")
        return "approve"
    console.print(f"  Approve? [b]Y[/]/n   [dim](or from a second terminal: {command})[/]", end=" ")
    answered = asyncio.ensure_future(elsewhere())
    try:
        while True:
            typed = asyncio.ensure_future(line())
            await asyncio.wait({answered, typed}, return_when=asyncio.FIRST_COMPLETED)
            if answered.done():
                typed.cancel()
                await asyncio.gather(typed, return_exceptions=True)
                await answered  # raises what broke the wait
                console.print("\n  Decided in the other terminal.")
                return None
            word = typed.result().strip().lower()
            if word in YES | NO:
                return "approve" if word in YES else "reject"
            console.print("  y or n?", end=" ")
    finally:
        answered.cancel()
        await asyncio.gather(answered, return_exceptions=True)


async def line() -> str:
    """A line from the terminal; cancelling it takes no line away and leaves no thread behind."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[str] = loop.create_future()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not ready.done():
            ready.set_result(sys.stdin.readline())

    loop.add_reader(descriptor, read)
    try:
        return await ready
    finally:
        loop.remove_reader(descriptor)
