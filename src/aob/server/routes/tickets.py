"""Lists of tickets, by page."""

from typing import Final

from aob.core.answers import JsonObject, ticket_place
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import AnyCall
from aob.server.http.verb_routes import Fields, Odd


async def list_tickets(call: AnyCall, fields: Fields) -> Answer:
    """A page of the tenant's tickets: reads one more, to know whether another page follows."""
    limit: int = fields.pop("limit")
    found = await call.act("tickets")(call.who, **fields, limit=limit + 1)
    page: JsonObject = {"tickets": list(found[:limit])}
    if len(found) > limit:
        last = found[limit - 1]
        due_ms, id = ticket_place(last.get("due"), last["ticket_id"])
        page["next"] = f"{due_ms}.{id}"
    return json_answer(page)


ODD: Final = {"list_tickets": Odd(list_tickets)}
