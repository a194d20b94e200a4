"""Keys of the environment and of the engine; answers with a secret forbid caching."""

from aob.core.errors import NotFound
from aob.server.api_keys import API_KEYS, ENV_PREFIX, ApiKeys
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import AnyCall
from aob.server.http.verb_routes import Fields, Odd


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


def odd_keys(api_keys: ApiKeys) -> dict[str, Odd]:
    """The routes of keys; lists include those of the environment."""

    async def list_keys(call: AnyCall, fields: Fields) -> Answer:
        return json_answer({"keys": [*await call.act("list_keys")(call.who), *api_keys.rows(call.who.tenant)]})

    return {"list_keys": Odd(list_keys), "create_key": Odd(create), "revoke_key": Odd(revoke)}
