"""Webhooks where HTTP differs from the verb: secrets that forbid caching, and instants."""

from typing import Final

import msgspec

from aob.core.verbs import webhook_verbs
from aob.server.http.answer import Answer, Header, json_answer
from aob.server.http.call import AnyCall, Call
from aob.server.http.route import takes
from aob.server.http.verb_routes import Fields, Odd
from aob.server.routes.live.asked import instant

UNSTORED: Final[Header] = (b"cache-control", b"no-store")


class AgainBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages to redeliver: these, or all that failed since an instant (RFC 3339 or ms)."""

    deliveries: webhook_verbs.Names = ()
    since: str | int | None = None


async def create(call: AnyCall, fields: Fields) -> Answer:
    """Creates a subscription."""
    made = await call.act("create_webhook")(call.who, **fields)
    return json_answer(made, status=201, headers=(UNSTORED, (b"location", f"/v1/webhooks/{made['id']}".encode())))


async def update(call: AnyCall, fields: Fields) -> Answer:
    """Changes a subscription."""
    return json_answer(await call.act("update_webhook")(call.who, **fields), headers=(UNSTORED,))


async def redeliver(call: Call[object, AgainBody], fields: Fields) -> Answer:
    """Redelivers messages."""
    body, since_ms = call.body, instant(call.body.since, "since")
    return json_answer(await call.act("redeliver")(call.who, **fields, deliveries=body.deliveries, since_ms=since_ms))


ODD: Final = {
    "create_webhook": Odd(create),
    "update_webhook": Odd(update),
    "redeliver": Odd(redeliver, takes(AgainBody)),
}
