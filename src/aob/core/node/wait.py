"""`wait`: waits for a message to the run, by name and correlation key (`POST /v1/runs/{id}/messages`)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import ConfigExpression, Kind, filled


class WaitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`message` is the name, `key` a CEL expression giving the correlation key (default: any). `payload` is a JSON
    Schema that a message must fit. The deadline of the node's `timeout` offers the edges `on: expired`."""

    message: str
    key: str = ""
    payload: dict[str, Any] | None = None


def check_wait(config: WaitConfig) -> Iterator[Problem]:
    """Checks beyond types: the message has a name."""
    yield from filled("/message", config.message, "the name of the message")


WAIT = Kind(
    "wait",
    WaitConfig,
    waits=True,
    outcomes=("success", "expired"),
    check=lambda config: tuple(check_wait(config)),
    expressions=(ConfigExpression("key", "key", gives=("string", "int", "uint")),),
    schemas=("payload",),
)
