"""`function`: a handler of the home's application, by name. `task` is an alias."""

import msgspec

from aob.core.node.kind import Kind, filled


class FunctionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`handler` names the function; its declarations are in the handler table."""

    handler: str


FUNCTION = Kind(
    "function",
    FunctionConfig,
    effect=lambda config: "keyed",
    check=lambda config: filled("/handler", config.handler, "the name of the handler"),
    handlers=lambda config: [("/handler", config.handler)],
)
