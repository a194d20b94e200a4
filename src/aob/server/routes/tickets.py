"""Tickets: what waits for a person, and the person's decision."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import Answered, JsonObject, JsonValue, TicketList, TicketView, ticket_place
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Gives, Route, takes
from aob.server.limits import LIVE

LIMIT_MAX: Final = 1_000
"""Tickets of a page."""


class TicketsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which tickets to list."""

    open: Annotated[bool, msgspec.Meta(description="Only those that wait; false lists the decided ones too.")] = True
    role: str | None = None
    run_id: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = 100
    cursor: Annotated[str, msgspec.Meta(max_length=200, description="`next` of the page before.")] = ""


class AnswerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The decision: one of the ticket's choices (`approve`, `reject`), a reason for the record, the form's values."""

    choice: str
    reason: str = ""
    values: dict[str, JsonValue] | None = None


async def list_tickets(call: Call[TicketsQuery, None]) -> Answer:
    """A page of the tickets of the tenant."""
    query, limit = call.query, call.query.limit
    found = await call.verbs.tickets(
        call.who, open=query.open, role=query.role, run_id=query.run_id, limit=limit + 1, after=query.cursor
    )
    page: JsonObject = {"tickets": list(found[:limit])}
    if len(found) > limit:
        last = found[limit - 1]
        due_ms, id = ticket_place(last.get("due"), last["ticket_id"])
        page["next"] = f"{due_ms}.{id}"
    return json_answer(page)


async def show(call: Call[Nothing, None]) -> Answer:
    """One ticket."""
    return json_answer(await call.verbs.ticket(call.who, call.params["ticket_id"]))


async def answer(call: Call[Nothing, AnswerBody]) -> Answer:
    """Decide a ticket."""
    body = call.body
    decided = await call.verbs.answer(
        call.who,
        call.params["ticket_id"],
        body.choice,
        reason=body.reason,
        values=body.values,
        command=call.command_id(),
    )
    return json_answer(decided)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/tickets",
        list_tickets,
        name="list_tickets",
        summary="List tickets that wait for a person.",
        verb="tickets",
        query=TicketsQuery,
        body=NO_BODY,
        gives=(Gives(200, TicketList, "The tickets."),),
        refuses=(404,),
    ),
    Route(
        "GET",
        "/v1/tickets/{ticket_id}",
        show,
        name="show_ticket",
        summary="Show a ticket with its form and what it is about.",
        verb="ticket",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, TicketView, "The ticket."),),
        cost=LIVE,
    ),
    Route(
        "POST",
        "/v1/tickets/{ticket_id}/answer",
        answer,
        name="answer_ticket",
        summary="Decide a ticket. The first decision stands; the same one again answers the same.",
        verb="answer",
        query=Nothing,
        body=takes(AnswerBody),
        headers=("Idempotency-Key",),
        gives=(Gives(200, Answered, "The decision is committed."),),
        refuses=(409,),
    ),
)
