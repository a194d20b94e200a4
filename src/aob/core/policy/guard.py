"""Finds changes of a body's graph that weaken an approval or reach an effect in a new way, as sentences."""

from collections import defaultdict
from collections.abc import Container, Iterator

from aob.core.graph.patch.pointer import Document
from aob.core.policy.web import INERT, members

Way = tuple[str, str, str]  # A way to reach a node: source, outcome, condition.


class Graph:
    """Nodes and edges of one body, indexed by their ends; `approvals` are the nodes that ask a person."""

    def __init__(self, holder: Document) -> None:
        self.nodes = members(holder.get("nodes"))
        self.edges = members(holder.get("edges"))
        into: dict[str, list[Document]] = defaultdict(list)
        out_of: dict[str, list[Document]] = defaultdict(list)
        for edge in self.edges.values():
            into[str(edge.get("to"))].append(edge)
            out_of[str(edge.get("from"))].append(edge)
        self.into, self.out_of = dict(into), dict(out_of)
        self.approvals = sorted(
            id for id, node in self.nodes.items() if node.get("kind") == "approval" and node.get("disabled") is not True
        )

    def reached_without(self, approval: str) -> set[str]:
        """Nodes that can run without an approval."""
        asks = approval in self.approvals
        pending = [id for id in self.nodes if id not in self.into]
        reached = set(pending)
        while pending:
            node = pending.pop()
            for edge in self.out_of.get(node, ()):
                target = str(edge.get("to"))
                if target not in reached and not (asks and node == approval and edge.get("on") == "approved"):
                    reached.add(target)
                    pending.append(target)
        return reached

    def ways_to(self, id: str, through: Container[str] = ()) -> set[Way]:
        """The ways to reach a node; nodes in `through` are replaced by the ways that lead to them."""
        ways: set[Way] = set()
        seen = {id}
        pending = [id]
        while pending:
            for edge in self.into.get(pending.pop(), ()):
                source = str(edge.get("from"))
                if source not in through:
                    ways.add((source, str(edge.get("on", "success")), str(edge.get("when", edge.get("else", "")))))
                elif source not in seen:
                    seen.add(source)
                    pending.append(source)
        return ways


def weakened_approvals(old: Graph, new: Graph) -> Iterator[str]:
    """One sentence for each way in which fewer people are asked after the change."""
    added = new.nodes.keys() - old.nodes.keys()
    for approval in old.approvals:
        now = new.nodes.get(approval)
        if now is None:
            yield f"removes the approval `{approval}`"
        elif essence(now) != essence(old.nodes[approval]):
            yield f"changes the approval `{approval}`"
        open_before, open_after = old.reached_without(approval), new.reached_without(approval)
        for id in sorted((open_after - open_before) & old.nodes.keys() - {approval}):
            yield f"lets `{id}` run without the approval `{approval}`"
        if now is not None and not old.ways_to(approval) <= new.ways_to(approval, added):
            yield f"takes away a way that leads to the approval `{approval}`"
        sources = {str(edge.get("from")) for edge in old.into.get(approval, ())}
        for branch in sorted(id for id in sources if old.nodes.get(id, {}).get("kind") == "branch"):
            if _choices(old, branch) != _choices(new, branch):
                yield f"changes the branch `{branch}`, which decides whether the approval `{approval}` is asked"


def new_ways(old: Graph, new: Graph) -> Iterator[str]:
    """The existing nodes that can be reached in a new way."""
    added = new.nodes.keys() - old.nodes.keys()
    for id in sorted(old.nodes.keys() & new.nodes.keys()):
        were, are = old.into.get(id, ()), new.into.get(id, ())
        if were == are:
            continue
        entry = bool(were) and not are
        if entry or not new.ways_to(id, added) <= old.ways_to(id):
            yield id


def _choices(graph: Graph, branch: str) -> tuple[list[str], str]:
    """The conditions of a branch and their order, without the targets of its other edges."""
    choices = [
        str((edge.get("order", 0), edge.get("when", ""), edge.get("else", False)))
        for edge in graph.out_of.get(branch, ())
    ]
    return sorted(choices), str(essence(graph.nodes.get(branch, {})))


def essence(node: Document) -> Document:
    """The fields of a node that affect execution."""
    return {name: value for name, value in node.items() if name not in INERT}
