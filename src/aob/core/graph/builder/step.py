"""Nodes of a body under construction, and `>>` between them: `nodes` and `edges` by id, in canonical form. Refuses
duplicate ids; `check` does the rest."""

from collections.abc import Iterable
from typing import TypeAlias, Union

from aob.core.document.shape import Tree, escape
from aob.core.errors import Invalid, Problem
from aob.core.graph.normal_form import edge_id


class Sketch:
    """The nodes and edges of one body, in order of creation."""

    def __init__(self) -> None:
        self.nodes: dict[str, Tree] = {}
        self.edges: dict[str, Tree] = {}

    def add_node(self, id: str, node: Tree) -> None:
        """Adds a node. Raises Invalid if the id exists."""
        if id in self.nodes:
            problem = Problem(f"/nodes/{escape(id)}", f"node `{id}` stands twice", "duplicate_id")
            raise Invalid(f"there is a node `{id}` already", (problem,))
        self.nodes[id] = node

    def add_edge(self, edge: Tree, id: str = "") -> str:
        """Adds an edge and returns its id, by default made of its ends. Raises Invalid if it exists."""
        name = id or edge_id(edge, self.edges)
        if name in self.edges:
            problem = Problem(f"/edges/{escape(name)}", f"edge `{name}` stands twice", "duplicate_id")
            raise Invalid(f"there is an edge `{name}` already", (problem,))
        self.edges[name] = edge
        return name


class Port:
    """The start of an edge at a node: an outcome, a condition, or `else`."""

    def __init__(self, step: "Step", **more: str | int | bool) -> None:
        self.step = step
        self.more = more

    def to(self, target: "Step", *, id: str = "") -> "Step":
        """Adds the edge, under the given id if any. Returns the target, for chaining."""
        self.step.sketch.add_edge({"from": self.step.id, "to": target.id, **self.more}, id)
        return target

    def __rshift__(self, target: "Target") -> "Step | Group":
        return _join(self, target)


class Step(Port):
    """An added node. `a >> b` adds an edge; `a >> [b, c] >> d` a fan-out and its join."""

    def __init__(self, sketch: Sketch, id: str) -> None:
        super().__init__(self)
        self.sketch = sketch
        self.id = id
        self._conditions = 0

    @property
    def output(self) -> str:
        """CEL for the output of this node: `nodes.fetch.output`."""
        return f"nodes.{self.id}.output" if "-" not in self.id else f'nodes["{self.id}"].output'

    def on(self, outcome: str) -> Port:
        """The edges of an outcome: `failure`, `approved`, `rejected`, `expired`."""
        return Port(self, on=outcome)

    def when(self, condition: str, *, order: int = 0) -> Port:
        """An edge of a branch with a CEL condition. Conditions are evaluated in the order of writing."""
        self._conditions = order or self._conditions + 1
        return Port(self, when=condition, order=self._conditions)

    def otherwise(self) -> Port:
        """The edge of a branch that is taken when no condition holds."""
        return Port(self, **{"else": True})

    def __rrshift__(self, sources: "Port | Iterable[Port]") -> "Step":
        # Python tries the right operand first if its class is a subclass of the left's: a Step after a Port.
        for source in [sources] if isinstance(sources, Port) else sources:
            source.to(self)
        return self


class Group(list[Step]):
    """Parallel steps after a fan-out."""

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
