"""`object`: puts a value into an object store or gets one, by obstore."""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import Kind, filled

KEY_MAX: Final = 1_024


class ObjectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`store` names an object store of the home's settings (default: the home's own folder), `key` the object, filled
    by `{name}`. `put` stores `value`, filled (or the whole input); `get` reads. Output: `{key, size, etag, sha256}` of
    a put; the value of a get (JSON when it is JSON, else text)."""

    op: Literal["put", "get", "head", "delete"]
    key: str
    store: str = "home"
    content_type: str = "application/json"
    value: Any = None


def check_object(config: ObjectConfig) -> Iterator[Problem]:
    """Checks beyond types: a key inside the store, a value only for a put."""
    yield from filled("/key", config.key, "the key")
    if len(config.key) > KEY_MAX:
        yield Problem("/key", f"a key of {len(config.key):,} characters is over the limit of {KEY_MAX:,}", "too_large")
    if config.key.startswith("/") or ".." in config.key.split("/"):
        hint = "write a key such as orders/{order_id}.json"
        yield Problem("/key", f"{config.key[:80]!r} leads out of the store", "bad_key", hint=hint)
    if config.value is not None and config.op != "put":
        yield Problem("/value", f"`{config.op}` takes no value", "bad_value")


OBJECT = Kind(
    "object",
    ObjectConfig,
    effect=lambda config: "none" if config.op in {"get", "head"} else "keyed",  # a put under one key is repeatable
    check=check_object,
    templates=("key", "value"),
)
