"""A ticket in, what a person chooses out: at the prompt, in another terminal, or as the corpus says where nobody is."""

import asyncio
import sys
from typing import Any, Final

from aob.client import AsyncClient
from demo.prompt import line
from triage.corpus import corpus
from triage.telling import Telling

LOOK_S: Final = 0.1


def known(text: str) -> str:
    """The desk of a held-out question that stands in a text: what a person at this library would know."""
    return next(one.desk for one in corpus().held_out if f"“{one.question}”" in text)


async def decided(telling: Telling, aob: AsyncClient, ticket: Any, command: str) -> str:
    """Let a ticket be decided; the choice, empty if it was made in another terminal. Without a terminal it is
    what the corpus says, and that is said."""
    choice, there = known(ticket["text"]), telling.asks and sys.stdin.isatty()
    if not there:
        telling.line(f"[dim]No terminal to ask at: the demo answers “{choice}”, which is what the corpus says.[/]")
    else:
        choice = await _typed(telling, aob, ticket, choice, command)
    if choice:
        await aob.answer(ticket["ticket_id"], choice)
    else:
        telling.line("decided in the other terminal")
    return choice


async def _typed(telling: Telling, aob: AsyncClient, ticket: Any, usual: str, command: str) -> str:
    """What a person types, Enter for the usual; empty when the ticket was decided elsewhere meanwhile."""
    telling.line(f"[bold]{', '.join(ticket['choices'])}[/]?   Enter: {usual}   [dim](or elsewhere: {command})[/]")
    elsewhere = asyncio.ensure_future(gone(aob, ticket["ticket_id"]))
    try:
        while True:
            typed = asyncio.ensure_future(line())
            await asyncio.wait({elsewhere, typed}, return_when=asyncio.FIRST_COMPLETED)
            if elsewhere.done():
                typed.cancel()
                await asyncio.gather(typed, return_exceptions=True)
                await elsewhere  # raises what broke the wait
                return ""
            word = typed.result().strip().lower() or usual
            if word in ticket["choices"]:
                return word
            telling.line("one of these?")
    finally:
        elsewhere.cancel()
        await asyncio.gather(elsewhere, return_exceptions=True)


async def gone(aob: AsyncClient, ticket_id: str) -> None:
    """Returns once a ticket is open no more."""
    while True:
        if all(each["ticket_id"] != ticket_id for each in await aob.tickets()):
            return
        await asyncio.sleep(LOOK_S)
