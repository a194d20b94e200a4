"""`object`: puts a value into an object store or gets one, by obstore."""

from typing import Any, Literal

import msgspec

from aob.core.node.kind import Kind


class ObjectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`store` names an object store of the home's settings (default: the home's own folder), `key` the object, filled
    by `{name}`. `put` stores `value` of the input (or the whole input); `get` reads. Output: `{key, size, etag, sha256}`
    of a put; the value of a get (JSON when it is JSON, else text)."""

    op: Literal["put", "get", "head", "delete"]
    key: str
    store: str = "home"
    content_type: str = "application/json"
    value: Any = None


def object_effect(config: ObjectConfig) -> str:
    """Reading has no effect; a put under one key is repeatable."""
    return "none" if config.op in {"get", "head"} else "keyed"


OBJECT = Kind("object", ObjectConfig, effect=object_effect)
