"""`function`: a handler of the home's application, by name. `task` is an alias."""

import msgspec

from aob.core.node.kind import Kind


class FunctionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`handler` names the function; what it declares of itself stands in the handler table."""

    handler: str


FUNCTION = Kind("function", FunctionConfig, effect=lambda config: "keyed")
