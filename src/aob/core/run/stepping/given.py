"""What a decision is given beside its run: graphs, values, rules, and what was kept of the times that it was tried."""

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
        ...

    def body(self, version: int, body: str) -> IR:
        """The body under a path of nodes (`each/inner`)."""
        ...

    def document(self, version: int) -> JsonObject:
        """The materialized document of a version."""
        ...

    def extended(self, operations: list[JsonObject]) -> "Graphs":
        """The same graphs with one version more, checked and compiled. Raises Invalid with every problem."""
        ...


class Begun(msgspec.Struct, gc=False):
    """A page of outputs in the making: the cells that were read, their JSON, and what was charged for it."""

    cells: list[Cell]
    parts: list[bytes]
    paged: int


class Given(msgspec.Struct, gc=False, eq=False):
    """What a decision may look at beside its run: the graphs, values behind references, the rules of the home.

    `lists` are decoded items of maps by digest: a cache, never truth. `judges` says that nodes which came by a patch
    are judged when they begin. `begun` are pages of outputs that wait for a value: what was read is not read again.
    """

    graphs: Graphs
    values: Mapping[bytes, bytes]
    rules: PatchRules
    effects: Mapping[str, str] = {}
    lists: dict[bytes, Sequence[JsonValue]] = {}
    judges: bool = True
    begun: dict[tuple[str, int], Begun] = {}

    def under(self, graphs: Graphs) -> "Given":
        """The same with other graphs."""
        return Given(graphs, self.values, self.rules, self.effects, self.lists, self.judges, self.begun)


class Needs(Exception):  # noqa: N818  # not an error: the shell fetches the value and asks again
    """A decision needs a value that lies outside the record."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(ref.hex)
        self.ref = ref
