"""Alerts where HTTP differs from the verb: the duration of a silence, as people write it."""

from typing import Annotated, Final

import msgspec

from aob.core.duration import parse_duration
from aob.core.errors import Invalid, Problem
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call
from aob.server.http.route import takes
from aob.server.http.verb_routes import Fields, Odd
from aob.server.routes.live.asked import instant

SILENCE_MS: Final = 3_600_000


class SilenceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long an alert sends and starts nothing: `until` an instant (RFC 3339 or ms; 0 ends the silence), or `for` a
    duration; an hour without either."""

    until: str | int | None = None
    for_: Annotated[str, msgspec.Meta(max_length=50)] | None = msgspec.field(name="for", default=None)
    reason: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


async def silence(call: Call[object, SilenceBody], fields: Fields) -> Answer:
    """Silences an alert."""
    until_ms = _until(call.body, call.now_ms())
    return json_answer(await call.act("silence_alert")(call.who, **fields, until_ms=until_ms, reason=call.body.reason))


def _until(body: SilenceBody, now_ms: int) -> int:
    if body.until is not None:
        if body.for_ is not None:
            raise Invalid("say until when, or for how long", [Problem("/for", "stands beside until")])
        return instant(body.until, "until") or 0
    try:
        return now_ms + (SILENCE_MS if body.for_ is None else parse_duration(body.for_))
    except ValueError as error:
        raise Invalid("for is no duration", [Problem("/for", str(error), hint="30m, 2h, 1d")]) from error


ODD: Final = {"silence_alert": Odd(silence, takes(SilenceBody))}
