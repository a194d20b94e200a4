"""Verbs of keys: create, list, revoke. Only the answer to a creation contains the secret."""

from typing import Annotated, Final, TypeAlias

import msgspec

from aob.core.answers import KeyCreated, KeyList
from aob.core.rights import ROLE_CHARS_MAX, ROLE_PATTERN, TENANT_PATTERN
from aob.core.verb import Http, NoArgs, Verb, ok

ROLES_MAX: Final = 32
RoleName: TypeAlias = Annotated[str, msgspec.Meta(pattern=ROLE_PATTERN, max_length=ROLE_CHARS_MAX)]
"""`view run deploy approve patch admin`, or a custom role of letters."""


class CreateKey(msgspec.Struct, frozen=True):
    """Whose key, with which roles, in which tenant (the caller's own by default)."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    roles: Annotated[tuple[RoleName, ...], msgspec.Meta(min_length=1, max_length=ROLES_MAX)]
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)] | None = None


class NamedKey(msgspec.Struct, frozen=True):
    """A key by its id."""

    key_id: str


LIST: Final = Verb(
    "list_keys", NoArgs, "admin", "key", "main",
    Http("GET", "/v1/keys", "list_keys", "List the keys of the tenant, without their secrets.",
         ok(KeyList, "The keys."), wraps="keys"),
)  # fmt: skip
CREATE: Final = Verb(
    "create_key", CreateKey, "admin", "key", "main",
    Http("POST", "/v1/keys", "create_key", "Make a key. Its secret is in this answer and nowhere else.",
         ok(KeyCreated, "The key with its secret.", 201), takes="KeyBody", refuses=(409,)),
)  # fmt: skip
REVOKE: Final = Verb(
    "revoke_key", NamedKey, "admin", "key", "main",
    Http("DELETE", "/v1/keys/{key_id}", "revoke_key", "Revoke a key. It opens nothing from now on.",
         ok(None, "The key is revoked.", 204)),
)  # fmt: skip

VERBS: Final = (LIST, CREATE, REVOKE)
