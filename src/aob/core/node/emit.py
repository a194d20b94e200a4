"""`emit`: puts a business event on a topic of the home."""

from typing import Any

import msgspec

from aob.core.node.kind import Kind


class EmitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`type` and `subject` are CloudEvents attributes, filled by `{name}`; `data` defaults to the input."""

    topic: str
    type: str
    subject: str = ""
    data: Any = None


EMIT = Kind("emit", EmitConfig, effect=lambda config: "keyed")
