"""Dead letters: list, group, show, pass through the gate again, set aside."""

from typing import Annotated, Final, Literal

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Invalid, Problem
from aob.core.metric_answers import DeadLetterPage, DeadLetterRow, Replayed
from aob.core.verb import Gives
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Route, may_take, takes
from aob.server.routes.live.asked import Word
from aob.server.routes.live.shapes import DeadLetterGroups, Discarded

PAGE_MAX: Final = 500
NUMBERS_MAX: Final = 10_000
NUMBER_MAX: Final = 2**53

State = Annotated[
    Literal["open", "replayed", "discarded", ""], msgspec.Meta(description="What became of them since; empty: any.")
]
Numbers = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)], ...], msgspec.Meta(max_length=NUMBERS_MAX)]


class DeadLettersAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters, newest first."""

    state: State = "open"
    type: Annotated[str, msgspec.Meta(max_length=200, description="Only of this type of event.")] = ""
    reason: Annotated[str, msgspec.Meta(max_length=200, description="Only with this rule, or this word of it.")] = ""
    before: Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX, description="`next` of the page before.")] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 50


class GroupsAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which to count, and whether to show one of each."""

    state: State = "open"
    sample: bool = True


class OneAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to replay one: `event` is its mended form (as it came, without); a dry run changes nothing."""

    event: JsonObject | None = None
    dry_run: bool = False


class ManyAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which to replay: by number, or all open ones of a `type`, of a `reason`, or of both."""

    numbers: Numbers = ()
    type: Word = ""
    reason: Word = ""
    dry_run: bool = False


class DiscardBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which to set aside, and why, for the record."""

    numbers: Numbers
    note: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


async def list_deadletters(call: Call[DeadLettersAsked, None]) -> Answer:
    """A page."""
    query = call.query
    page = await call.metrics.deadletters(
        call.who, state=query.state, type=query.type, reason=query.reason, before=query.before, limit=query.limit
    )
    return json_answer(page)


async def groups(call: Call[GroupsAsked, None]) -> Answer:
    """Counts by type and reason."""
    found = await call.metrics.deadletter_groups(call.who, state=call.query.state, sample=call.query.sample)
    return json_answer({"groups": found})


async def show(call: Call[Nothing, None]) -> Answer:
    """One."""
    return json_answer(await call.metrics.deadletter(call.who, _number(call.params["number"])))


async def replay_one(call: Call[Nothing, OneAgain]) -> Answer:
    """One again."""
    numbers = (_number(call.params["number"]),)
    body = call.body
    return json_answer(
        await call.metrics.replay_deadletters(call.who, numbers=numbers, event=body.event, dry_run=body.dry_run)
    )


async def replay_many(call: Call[Nothing, ManyAgain]) -> Answer:
    """Many again."""
    body = call.body
    if not (body.numbers or body.type or body.reason):
        raise Invalid(
            "nothing says which dead letters are meant",
            [Problem("", "numbers, type and reason are all empty")],
            hint="GET /v1/deadletter/groups lists types and reasons",
        )
    done = await call.metrics.replay_deadletters(
        call.who, numbers=body.numbers, type=body.type, reason=body.reason, dry_run=body.dry_run
    )
    return json_answer(done)


async def discard(call: Call[Nothing, DiscardBody]) -> Answer:
    """Set aside."""
    return json_answer(await call.metrics.discard_deadletters(call.who, call.body.numbers, note=call.body.note))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= NUMBER_MAX):
        raise CallerError(
            f"{text[:50]!r} is not the number of a dead letter", code="bad_number", hint="GET /v1/deadletter lists them"
        )
    return int(text)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/deadletter",
        list_deadletters,
        name="list_deadletters",
        summary="List refused events with their reasons, newest first.",
        verb="deadletters",
        query=DeadLettersAsked,
        body=NO_BODY,
        gives=(Gives(200, DeadLetterPage, "A page."),),
    ),
    Route(
        "GET",
        "/v1/deadletter/groups",
        groups,
        name="group_deadletters",
        summary="Count refused events by type and reason, with one of each.",
        verb="deadletter_groups",
        query=GroupsAsked,
        body=NO_BODY,
        gives=(Gives(200, DeadLetterGroups, "The groups, largest first."),),
    ),
    Route(
        "GET",
        "/v1/deadletter/{number}",
        show,
        name="show_deadletter",
        summary="Show one refused event as it came.",
        verb="deadletter",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, DeadLetterRow, "The event and why it was refused."),),
    ),
    Route(
        "POST",
        "/v1/deadletter/{number}/replay",
        replay_one,
        name="replay_deadletter",
        summary="Pass one through the gate again, as it came or mended. It keeps its event time and counts once.",
        verb="replay_deadletters",
        query=Nothing,
        body=may_take(OneAgain),
        gives=(Gives(200, Replayed, "What became of it, or would."),),
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/deadletter:replay",
        replay_many,
        name="replay_deadletters",
        summary="Pass many through the gate again: by number, or all open ones of a type or a reason.",
        verb="replay_deadletters",
        query=Nothing,
        body=takes(ManyAgain),
        gives=(Gives(200, Replayed, "What became of them, or would."),),
        refuses=(404, 409),
    ),
    Route(
        "POST",
        "/v1/deadletter:discard",
        discard,
        name="discard_deadletters",
        summary="Set refused events aside for good. They stay readable.",
        verb="discard_deadletters",
        query=Nothing,
        body=takes(DiscardBody),
        gives=(Gives(200, Discarded, "How many."),),
        refuses=(404, 409),
    ),
)
