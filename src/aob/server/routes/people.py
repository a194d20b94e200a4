"""Tickets by page; keys of the environment and of the engine, whose secrets no cache may keep."""

from aob.core.answers import JsonObject, ticket_place
from aob.core.errors import NotFound
from aob.server.api_keys import API_KEYS, ENV_PREFIX, ApiKeys
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


async def create(call: AnyCall, fields: Fields) -> Answer:
    """Creates a key."""
    made = await call.act("create_key")(call.who, **fields)
    return json_answer(made, status=201, headers=((b"cache-control", b"no-store"),))


async def revoke(call: AnyCall, fields: Fields) -> Answer:
    """Revokes a key."""
    key_id: str = fields["key_id"]
    if key_id.startswith(ENV_PREFIX):
        raise NotFound(f"the home keeps no key {key_id[:80]}", hint=f"take it out of {API_KEYS} and start again")
    await call.act("revoke_key")(call.who, key_id)
    return Answer(b"", 204, b"")


def odd_people(api_keys: ApiKeys) -> dict[str, Odd]:
    """The routes; lists of keys include those of the environment."""

    async def list_keys(call: AnyCall, fields: Fields) -> Answer:
        return json_answer({"keys": [*await call.act("list_keys")(call.who), *api_keys.rows(call.who.tenant)]})

    keys = {"list_keys": Odd(list_keys), "create_key": Odd(create), "revoke_key": Odd(revoke)}
    return {"list_tickets": Odd(list_tickets), **keys}
