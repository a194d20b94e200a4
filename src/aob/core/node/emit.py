"""`emit`: publishes a business event on a topic of the home."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import Kind, filled

_TOPIC: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class EmitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`topic` is a name of yours under which the events are kept; those whose `type` has a contract pass the gate and
    move its metrics under any. `type` and `subject` are CloudEvents attributes, filled by `{name}`; `data` defaults to
    the input. Events of one subject (default: the run's id) keep their order. The output is `{id, topic, position}`.
    """

    topic: str
    type: str
    subject: str = ""
    data: Any = None


def check_emit(config: EmitConfig) -> Iterator[Problem]:
    """Checks beyond types: the name of a topic, a type of the event."""
    if not _TOPIC.fullmatch(config.topic):
        hint = "a topic has letters, digits, dots, _ and -, 200 at most"
        yield Problem("/topic", f"{config.topic!r} is not the name of a topic", "bad_topic", hint=hint)
    yield from filled("/type", config.type, "the type of the event")


EMIT = Kind(
    "emit",
    EmitConfig,
    effect=lambda config: "keyed",
    check=check_emit,
    templates=("type", "subject", "data"),
)
