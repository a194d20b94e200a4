"""The application: agents of a library's front desk. `aob up --app agents.py` runs them.

`sorter` says which desk a question belongs to; where it knows no word, `clerk` asks a person. `booker` reads a live
number, follows the rules of the house and writes the question into the book of the desk, which lies outside: an effect
that must not happen twice.
"""

import os
from functools import cache
from typing import Any, Final

import httpx
import msgspec

import aob
from triage.brains import SURE, sort
from triage.clerk import graph
from triage.letters import letter, look_up

QUESTIONS: Final = "questions"
UNKNOWN: Final = "unknown"
SORTED: Final = "sorted"
BOOKED: Final = "booked"
__all__ = ["booker", "clerk", "letter", "look_up", "sorter"]

AGENTS: Final = ("sorter", "clerk", "booker", "plan.letter", "task.look_up")
TOPICS: Final = (QUESTIONS, UNKNOWN, SORTED, BOOKED)
FRONT: Final = "front desk"
"""Where a question goes that nobody is sure about."""
LOST: Final = 0.3
"""Below this a person is asked: the brain knows nothing about it."""
REGULAR: Final = 8
"""Who has asked so many questions is a regular visitor, and comes first."""
LEDGER: Final = "TRIAGE_LEDGER"
"""The address of the books."""
PROCESS: Final = "CLUSTER_PROCESS"
"""What this process is called, where there are several: the books note who asked."""
WAIT_S_MAX: Final = 30.0


@aob.agent(
    consumes=[QUESTIONS],
    produces=[SORTED, UNKNOWN],
    capabilities=["sorts questions of visitors by the desk that answers them"],
)
async def sorter(record: Any, ctx: Any) -> None:
    """Says which desk a question belongs to, and how sure it is."""
    found = await sort(record.data["text"], ctx)
    ctx.emit(
        SORTED if found.sure >= LOST else UNKNOWN, "question.sorted",
        {"question": record.id, "text": record.data["text"], **msgspec.to_builtins(found)},
    )  # fmt: skip


clerk = aob.agent(
    name="clerk", consumes=[UNKNOWN], produces=[SORTED], input=lambda record: record.data, output=SORTED,
    capabilities=["asks people about questions that nobody could sort"],
)(graph())  # fmt: skip


@aob.agent(
    consumes=[SORTED], produces=[BOOKED], capabilities=["books questions at desks, regular visitors first"],
    attempts=5, backoff="200ms",
)  # fmt: skip
async def booker(record: Any, ctx: Any) -> None:
    """Writes a question into the book of its desk."""
    asked = await ctx.metric("asked", where={"visitor": ctx.key})
    nth = (ctx.state or 0) + 1
    booking = {
        "question": record.data["question"], "visitor": ctx.key, "nth": nth, "text": record.data["text"],
        "desk": record.data["desk"] if record.data["sure"] >= SURE else FRONT,
        "priority": "high" if asked["value"] >= REGULAR else "normal",
    }  # fmt: skip
    intent = await ctx.intend("book", {"effect": "keyed", "key": ctx.idempotency, **booking})
    number = intent.recorded
    if intent.granted:  # else an attempt before this one has booked it
        number = await booked({"key": ctx.idempotency, **booking})
        await ctx.settle(number)
    ctx.set_state(nth)
    ctx.emit(BOOKED, "question.in_book", {**booking, "number": number})


@cache
def books() -> httpx.AsyncClient:
    """One client for all bookings of this process."""
    return httpx.AsyncClient(timeout=WAIT_S_MAX, trust_env=False)


async def booked(booking: dict[str, Any]) -> int:
    """Ask the books to take it; the same key twice is one booking, with the same number."""
    who = {"x-process": os.environ.get(PROCESS, "")}
    answer = await books().post(os.environ[LEDGER] + "/bookings", json=booking, headers=who)
    number: int = answer.raise_for_status().json()["number"]
    return number
