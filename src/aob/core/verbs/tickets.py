"""Verbs of tickets: requests for a person's decision, and the decisions."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import Answered, JsonValue, TicketList, TicketView
from aob.core.rights import ANY
from aob.core.verb import LIVE, Http, Verb, ok

PAGE_MAX: Final = 1_000  # The maximum and default length of a list: each ticket has its run read.
PAGE: Final = 100  # the maximum and default length of a page in HTTP


class ListTickets(msgspec.Struct, frozen=True):
    """Which tickets to list: at most `limit` after a place, which is `DUE.TICKET` of the last one of the previous
    page."""

    open: Annotated[bool, msgspec.Meta(
        description="Only those that wait; false lists the decided ones too: of a run, or of the last 5,000 in memory."
    )] = True  # fmt: skip
    role: str | None = None
    run_id: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = PAGE_MAX
    after: Annotated[str, msgspec.Meta(max_length=200, description="`next` of the page before.")] = msgspec.field(
        default="", name="cursor"
    )


class NamedTicket(msgspec.Struct, frozen=True):
    """A ticket by its id."""

    ticket_id: str


class AnswerTicket(msgspec.Struct, frozen=True):
    """The decision: one of the ticket's choices (`approve`, `reject`), a reason for the record, the form's values."""

    ticket_id: str
    choice: str
    reason: str = ""
    values: dict[str, JsonValue] | None = None
    command: str | None = None


LIST: Final = Verb(
    "tickets", ListTickets, "view", "ticket", "every",
    Http("GET", "/v1/tickets", "list_tickets", "List tickets that wait for a person.", ok(TicketList, "The tickets."),
         wraps="tickets", refuses=(404,), defaults={"limit": PAGE}),
)  # fmt: skip
SHOW: Final = Verb(
    "ticket", NamedTicket, "view", "ticket", "holder",
    Http("GET", "/v1/tickets/{ticket_id}", "show_ticket", "Show a ticket with its form and what it is about.",
         ok(TicketView, "The ticket."), cost=LIVE),
)  # fmt: skip
ANSWER: Final = Verb(
    "answer", AnswerTicket, ANY, "ticket", "holder",
    Http("POST", "/v1/tickets/{ticket_id}/answer", "answer_ticket",
         "Decide a ticket. The first decision stands; the same one again answers the same.",
         ok(Answered, "The decision is committed."), takes="AnswerBody", apart=("command",), once="command",
         refuses=(409,)),
)  # fmt: skip
DECIDING: Final = Verb("deciding", NamedTicket, ANY, "ticket", "holder", gives=TicketView)
"""A ticket that the caller may decide: has its roles, and is not barred."""

VERBS: Final = (LIST, SHOW, ANSWER, DECIDING)
