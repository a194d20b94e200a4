"""The inputs of a decision besides its run: graphs, values, rules, and data kept from earlier attempts of it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.graph.compiled.ir import IR
from aob.core.policy.patch import PatchRules
from aob.core.value import Cell, Ref


class Graphs(Protocol):
    """The compiled versions of one run's graph: version k is the base and the first k applied patches."""

    def ir(self, version: int) -> IR:
        """The root body of a version."""

    def body(self, version: int, body: str) -> IR:
        """The body at a path of nodes (`each/inner`)."""

    def document(self, version: int) -> JsonObject:
        """The complete document of a version."""

    def extended(self, operations: list[JsonObject]) -> "Graphs":
        """A copy with one more version, checked and compiled. Raises Invalid with every problem."""


class Begun(msgspec.Struct, gc=False):
    """A partial page of outputs: the cells that were read, their JSON, and what was charged for it."""

    cells: list[Cell]
    parts: list[bytes]
    paged: int


class Given(msgspec.Struct, gc=False, eq=False):
    """The inputs of a decision besides its run: the graphs, values behind references, the rules of the home. `lists`
    caches decoded items of maps by digest. `judges` says that nodes added by a patch are checked when they begin.
    `begun` are partial pages of outputs that wait for a value, so that nothing is read twice."""

    graphs: Graphs
    values: Mapping[bytes, bytes]
    rules: PatchRules
    effects: Mapping[str, str] = {}
    lists: dict[bytes, Sequence[JsonValue]] = {}
    judges: bool = True
    begun: dict[tuple[str, int], Begun] = {}

    def under(self, graphs: Graphs) -> "Given":
        """A copy with other graphs."""
        return Given(graphs, self.values, self.rules, self.effects, self.lists, self.judges, self.begun)


class Needs(Exception):  # noqa: N818  # not an error: the shell fetches the value and asks again
    """A decision needs a value that is stored outside the record."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(ref.hex)
        self.ref = ref
