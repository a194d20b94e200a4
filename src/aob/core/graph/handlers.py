"""The facts of handlers that the graph may use, by name; never calls one."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from aob.core.document.shape import Tree
from aob.core.graph.compiled.ir import Effect


class HandlerFacts(msgspec.Struct, frozen=True):
    """The declaration of a handler. `version` is the hash of its source or a text set by its author; `cpu` handlers run
    in a separate process; `input` is the JSON Schema of its arguments, None if unknown."""

    name: str
    version: str
    effect: Effect = "keyed"
    deterministic: bool = False
    cpu: bool = False
    doc: str = ""
    input: Tree | None = None


Handlers: TypeAlias = Mapping[str, HandlerFacts]  # the handlers of a home, by name


class Accepted(Mapping[str, HandlerFacts]):
    """Handlers for compiling an already accepted document: their current declarations affect how it runs, but refuse
    nothing."""
