"""Nodes of a body under construction, and `>>` between them.

In: ids, definitions, edges as they are drawn. Out: `nodes` and `edges` by id, in canonical form. Refuses an id that
stands twice; all else is left to `check`.
"""

from collections.abc import Iterable
from typing import TypeAlias, Union

from aob.core.document.shape import Tree, escape
from aob.core.errors import Invalid, Problem
from aob.core.graph.edge_name import edge_id


class Sketch:
    """The nodes and edges of one body, in the order in which they were made."""

    def __init__(self) -> None:
        self.nodes: dict[str, Tree] = {}
        self.edges: dict[str, Tree] = {}

    def add_node(self, id: str, node: Tree) -> None:
        """A node under its id. Raises Invalid when there is one already."""
        if id in self.nodes:
            problem = Problem(f"/nodes/{escape(id)}", f"node `{id}` stands twice", "duplicate_id")
            raise Invalid(f"there is a node `{id}` already", (problem,))
        self.nodes[id] = node

    def add_edge(self, edge: Tree, id: str = "") -> str:
        """An edge under its id, or one made of its ends; the id. Raises Invalid when it is taken."""
        name = id or edge_id(edge, self.edges)
        if name in self.edges:
            problem = Problem(f"/edges/{escape(name)}", f"edge `{name}` stands twice", "duplicate_id")
            raise Invalid(f"there is an edge `{name}` already", (problem,))
        self.edges[name] = edge
        return name


class Port:
    """The side of a node that an edge leaves from: an outcome, a condition, or `else`."""

    def __init__(self, step: "Step", **more: str | int | bool) -> None:
        self.step = step
        self.more = more

    def to(self, target: "Step", *, id: str = "") -> "Step":
        """Draws the edge, under an id of its own if one is given; the target, so that one can go on from it."""
        self.step.sketch.add_edge({"from": self.step.id, "to": target.id, **self.more}, id)
        return target

    def __rshift__(self, target: "Target") -> "Step | Group":
        return _join(self, target)


class Step(Port):
    """A node that was added. `a >> b` draws an edge; `a >> [b, c] >> d` a fan-out and what follows it."""

    def __init__(self, sketch: Sketch, id: str) -> None:
        super().__init__(self)
        self.sketch = sketch
        self.id = id
        self._conditions = 0

    @property
    def output(self) -> str:
        """CEL for what this node gives: `nodes.fetch.output`."""
        return f"nodes.{self.id}.output" if "-" not in self.id else f'nodes["{self.id}"].output'

    def on(self, outcome: str) -> Port:
        """The edges of an outcome: `failure`, `approved`, `rejected`, `expired`."""
        return Port(self, on=outcome)

    def when(self, condition: str, *, order: int = 0) -> Port:
        """An edge of a branch with a CEL condition. Conditions are asked in the order in which they are written."""
        self._conditions = order or self._conditions + 1
        return Port(self, when=condition, order=self._conditions)

    def otherwise(self) -> Port:
        """The edge of a branch that is taken when no condition holds."""
        return Port(self, **{"else": True})

    def __rrshift__(self, sources: "Port | Iterable[Port]") -> "Step":
        # Python asks the right side first when it is of a subclass of the left: a Step after a Port.
        for source in [sources] if isinstance(sources, Port) else sources:
            source.to(self)
        return self


class Group(list[Step]):
    """Steps side by side, after a fan-out."""

    def __rshift__(self, target: "Target") -> "Step | Group":
        reached: Step | Group = self
        for step in self:
            reached = _join(step, target)
        return reached


Target: TypeAlias = Union[Step, "Iterable[Step]"]


def _join(port: Port, target: Target) -> Step | Group:
    if isinstance(target, Step):
        return port.to(target)
    return Group(port.to(each) for each in target)
