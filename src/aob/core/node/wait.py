"""`wait`: waits for a message to the run, by name and correlation key (`POST /v1/runs/{id}/messages`)."""

from typing import Any

import msgspec

from aob.core.node.kind import ConfigExpression, Kind, filled


class WaitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`message` is the name, `key` a CEL expression giving the correlation key (default: any). `payload` is a JSON
    Schema that a message must fit. The deadline of the node's `timeout` offers the edges `on: expired`."""

    message: str
    key: str = ""
    payload: dict[str, Any] | None = None


WAIT = Kind(
    "wait",
    WaitConfig,
    waits=True,
    outcomes=("success", "expired"),
    check=lambda config: filled("/message", config.message, "the name of the message"),
    expressions=(ConfigExpression("key", "key", gives=("string", "int", "uint")),),
    schemas=("payload",),
)
