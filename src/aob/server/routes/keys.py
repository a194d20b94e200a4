"""Keys: make, list, revoke. The secret of a key leaves once, in the answer that made it."""

from typing import Annotated, Final, TypeAlias

import msgspec

from aob.core.answers import KeyCreated, KeyList
from aob.core.errors import NotFound
from aob.core.rights import ROLE_CHARS_MAX, ROLE_PATTERN, TENANT_PATTERN, demand
from aob.core.verb import Gives
from aob.server.api_keys import API_KEYS, ENV_PREFIX, ApiKeys
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, AnyRoute, Route, takes

ROLES_MAX: Final = 32
RoleName: TypeAlias = Annotated[str, msgspec.Meta(pattern=ROLE_PATTERN, max_length=ROLE_CHARS_MAX)]
"""`view run deploy approve patch admin`, or a role of one's own: letters."""


class KeyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose key, with which roles, in which tenant (the caller's own by default)."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    roles: Annotated[tuple[RoleName, ...], msgspec.Meta(min_length=1, max_length=ROLES_MAX)]
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)] | None = None


async def create(call: Call[Nothing, KeyBody]) -> Answer:
    """Make a key."""
    body = call.body
    made = await call.verbs.create_key(call.who, body.name, body.roles, body.tenant)
    return json_answer(made, status=201, headers=((b"cache-control", b"no-store"),))


async def revoke(call: Call[Nothing, None]) -> Answer:
    """Revoke a key."""
    key_id = call.params["key_id"]
    if key_id.startswith(ENV_PREFIX):
        demand(call.who, "revoke_key")
        raise NotFound(f"the home keeps no key {key_id[:80]}", hint=f"take it out of {API_KEYS} and start again")
    await call.verbs.revoke_key(call.who, key_id)
    return Answer(b"", 204, b"")


def key_routes(api_keys: ApiKeys) -> tuple[AnyRoute, ...]:
    """The routes of keys, those of the environment beside those that the engine knows."""

    async def list_keys(call: Call[Nothing, None]) -> Answer:
        return json_answer({"keys": [*await call.verbs.list_keys(call.who), *api_keys.rows(call.who.tenant)]})

    listing = Route(
        "GET",
        "/v1/keys",
        list_keys,
        name="list_keys",
        summary="List the keys of the tenant, without their secrets.",
        verb="list_keys",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, KeyList, "The keys."),),
    )
    return listing, *ROUTES


ROUTES: Final = (
    Route(
        "POST",
        "/v1/keys",
        create,
        name="create_key",
        summary="Make a key. Its secret is in this answer and nowhere else.",
        verb="create_key",
        query=Nothing,
        body=takes(KeyBody),
        gives=(Gives(201, KeyCreated, "The key with its secret."),),
        refuses=(409,),
    ),
    Route(
        "DELETE",
        "/v1/keys/{key_id}",
        revoke,
        name="revoke_key",
        summary="Revoke a key. It opens nothing from now on.",
        verb="revoke_key",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(204, None, "The key is revoked."),),
    ),
)
