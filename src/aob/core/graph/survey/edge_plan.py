"""Reads the edges of one body and checks them against its nodes: missing ends, outcomes that are not offered,
conditions outside a branch, duplicate edges."""

from collections.abc import Iterator, Mapping

from aob.core.errors import Problem
from aob.core.expression import Expression
from aob.core.graph.definition import EdgeDefinition
from aob.core.graph.survey.node_plan import NodePlan, read_struct
from aob.core.hint import meant
from aob.core.node import Kind


class EdgePlan:
    """An edge whose two ends exist. The survey sets `when`, and `dead`: why it can never be taken."""

    __slots__ = ("dead", "definition", "id", "path", "when")

    def __init__(self, id: str, path: str, definition: EdgeDefinition) -> None:
        self.id, self.path, self.definition = id, path, definition
        self.when: Expression | None = None
        self.dead = ""


def read_edge(
    id: str, raw: object, path: str, kinds: Mapping[str, Kind | None], problems: list[Problem]
) -> EdgePlan | None:
    """The plan of an edge, or None if an end is missing."""
    definition = read_struct(raw, EdgeDefinition, path, problems)
    if definition is None:
        return None
    if definition.source not in kinds or definition.target not in kinds:
        for key, end in (("from", definition.source), ("to", definition.target)):
            if end not in kinds:
                hint = meant(end, kinds, "nodes")
                problems.append(Problem(f"{path}/{key}", f"there is no node `{end}`", "unknown_node", hint=hint))
        return None
    kind = kinds[definition.source]
    if kind is not None:
        if definition.on not in kind.outcomes:
            message = f"a {kind.name} offers no outcome `{definition.on}`"
            hint = meant(definition.on, kind.outcomes, "outcomes")
            problems.append(Problem(f"{path}/on", message, "bad_outcome", hint=hint))
        if kind.name == "branch" or definition.when is not None or definition.default:
            problems.extend(_wrong_condition(definition, kind, path))
    return EdgePlan(id, path, definition)


def _wrong_condition(edge: EdgeDefinition, kind: Kind, path: str) -> Iterator[Problem]:
    if kind.name != "branch" or edge.on != "success":
        where = f"`{edge.source}` is a {kind.name}" if kind.name != "branch" else f"this edge is on: {edge.on}"
        for key, there in (("when", edge.when is not None), ("else", edge.default)):
            if there:
                hint = "put a branch between, and the condition on its edges"
                message = f"`{key}` stands on edges of a branch, and {where}"
                yield Problem(f"{path}/{key}", message, "bad_when", hint=hint)
    elif edge.when is not None and edge.default:
        hint = "an `else` edge is taken when no condition holds"
        yield Problem(f"{path}/else", "an edge has `when` or `else`, not both", "bad_when", hint=hint)
    elif edge.when is None and not edge.default:
        hint = 'add when: "CEL", or else: true'
        yield Problem(path, f"an edge of branch `{edge.source}` has no condition", "bad_when", hint=hint)


def wrong_together(edges: list[EdgePlan], nodes: Mapping[str, NodePlan]) -> Iterator[Problem]:
    """Problems of several edges: duplicates, a second `else`, a branch without edges."""
    seen: dict[tuple[str, str, str, str | None], str] = {}
    others: dict[str, str] = {}
    chosen: set[str] = set()
    for plan in edges:
        edge = plan.definition
        key = (edge.source, edge.target, edge.on, edge.when)
        first = seen.setdefault(key, plan.id)
        if first != plan.id:
            message = f"the same as edge `{first}`: {edge.source} → {edge.target} on {edge.on}"
            yield Problem(plan.path, message, "duplicate_edge", hint="remove one of the two")
        if edge.default:
            other = others.setdefault(edge.source, plan.id)
            if other != plan.id:
                message = f"`{edge.source}` has an `else` already: edge `{other}`"
                yield Problem(f"{plan.path}/else", message, "bad_when", hint="give this one a condition with `when`")
        if edge.on != "failure":
            chosen.add(edge.source)
    for id, node in nodes.items():
        if node.kind.name == "branch" and id not in chosen:
            hint = 'add an edge with when: "CEL" and one with else: true'
            yield Problem(node.path, f"branch `{id}` has no edges to choose from", "bad_when", hint=hint)


def dead_reason(edge: EdgeDefinition, source: NodePlan | None) -> str:
    """Why an edge can never be taken; empty if it can."""
    if edge.when is not None and edge.when.strip() == "false":
        return "its condition is false"
    if edge.on != "expired" or source is None:
        return ""
    times = source.spec.timeout
    if not times.deadline_ms:
        return f"`{edge.source}` has no deadline, so it never expires"
    if times.expire in {"approve", "reject"}:
        return f"at its deadline `{edge.source}` is settled by expire: {times.expire}"
    return ""
