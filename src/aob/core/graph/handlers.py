"""What the graph may know of handlers without calling one: their facts, by name."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from aob.core.document.shape import Tree
from aob.core.graph.compiled.spec import Effect


class HandlerFacts(msgspec.Struct, frozen=True):
    """What a handler declares of itself. `version` is the hash of its source or a text that its author changes;
    `cpu` handlers run in a process of their own; `input` is the JSON Schema of its arguments, None when unknown."""

    name: str
    version: str
    effect: Effect = "keyed"
    deterministic: bool = False
    cpu: bool = False
    doc: str = ""
    input: Tree | None = None


Handlers: TypeAlias = Mapping[str, HandlerFacts]
"""The handlers of a home, by name."""


class Accepted(Mapping[str, HandlerFacts]):
    """Handlers by which a document is compiled that was accepted before: what a handler now says of itself holds for
    how it runs, and refuses nothing."""
