"""`function`: a handler of the home's application, by name. `task` is an alias."""

from collections.abc import Iterator

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import Kind, filled


class FunctionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`handler` names the function; its declarations are in the handler table."""

    handler: str


def check_function(config: FunctionConfig) -> Iterator[Problem]:
    """Checks beyond types: the handler has a name."""
    yield from filled("/handler", config.handler, "the name of the handler")


FUNCTION = Kind(
    "function",
    FunctionConfig,
    effect=lambda config: "keyed",
    check=lambda config: tuple(check_function(config)),
    handlers=lambda config: [("/handler", config.handler)],
)
