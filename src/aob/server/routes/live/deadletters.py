"""Dead letters where HTTP differs from the verb: numbers in paths, one or many to replay."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Invalid, Problem
from aob.core.verbs import event_verbs
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import AnyCall, Call
from aob.server.http.route import may_take, takes
from aob.server.http.verb_routes import Fields, Odd
from aob.server.routes.live.asked import Word

NUMBER_MAX: Final = event_verbs.NUMBER_MAX


class OneAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to replay one: `event` is its mended form (without: as received); a dry run changes nothing."""

    event: JsonObject | None = None
    dry_run: bool = False


class ManyAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which to replay: by number, or all open ones of a `type`, of a `reason`, or of both."""

    numbers: event_verbs.Numbers = ()
    type: Word = ""
    reason: Word = ""
    dry_run: bool = False


async def show(call: AnyCall, fields: Fields) -> Answer:
    """Shows one."""
    return json_answer(await call.act("deadletter")(call.who, _number(fields["number"])))


async def replay_one(call: Call[object, OneAgain], fields: Fields) -> Answer:
    """Replays one."""
    numbers = (_number(call.params["number"]),)
    body = call.body
    return json_answer(
        await call.act("replay_deadletters")(call.who, numbers=numbers, event=body.event, dry_run=body.dry_run)
    )


async def replay_many(call: Call[object, ManyAgain], fields: Fields) -> Answer:
    """Replays many."""
    body = call.body
    if not (body.numbers or body.type or body.reason):
        why = "nothing says which dead letters are meant"
        hint = "GET /v1/deadletter/groups lists types and reasons"
        raise Invalid(why, [Problem("", "numbers, type and reason are all empty")], hint=hint)
    done = await call.act("replay_deadletters")(
        call.who, numbers=body.numbers, type=body.type, reason=body.reason, dry_run=body.dry_run
    )
    return json_answer(done)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= NUMBER_MAX):
        why = f"{text[:50]!r} is not the number of a dead letter"
        raise CallerError(why, code="bad_number", hint="GET /v1/deadletter lists them")
    return int(text)


ODD: Final = {
    "show_deadletter": Odd(show),
    "replay_deadletter": Odd(replay_one, may_take(OneAgain)),
    "replay_deadletters": Odd(replay_many, takes(ManyAgain)),
}
