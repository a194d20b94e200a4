"""Reads the edges of one body, checks them against its nodes (missing ends, outcomes that are not offered, conditions
outside a branch, duplicate edges), and orders the nodes: ancestors, cycles, unreachable nodes. Ancestors are bit masks
over node indexes, so that a body of ten thousand nodes needs no sets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

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


class Order(msgspec.Struct):
    """`index` numbers the nodes; bit n of `before[i]` says that node n precedes node i; `loose` are the nodes in or
    after a cycle (their `before` is unknown); `cycles` are closed paths `a b a`, one for each knot; `unreached` says of
    each node that can never run, why."""

    index: dict[str, int]
    before: list[int]
    loose: frozenset[str]
    cycles: tuple[tuple[str, ...], ...]
    unreached: dict[str, str]


def order_of(ids: Iterable[str], edges: Sequence[EdgePlan]) -> Order:
    """The order of a body. The ends of all edges must be among the ids."""
    index = {id: number for number, id in enumerate(ids)}
    after: list[list[int]] = [[] for _ in index]
    open_ins = [0] * len(index)
    for edge in edges:
        source, target = index[edge.definition.source], index[edge.definition.target]
        after[source].append(target)
        open_ins[target] += 1
    before = [0] * len(index)
    ready = [number for number, count in enumerate(open_ins) if not count]
    for number in ready:  # grows during the loop
        mask = before[number] | (1 << number)
        for target in after[number]:
            before[target] |= mask
            open_ins[target] -= 1
            if not open_ins[target]:
                ready.append(target)
    if len(ready) == len(index) and not any(edge.dead for edge in edges):
        return Order(index, before, frozenset(), (), {})
    names = list(index)
    loose = frozenset(names[number] for number, count in enumerate(open_ins) if count)
    knots = _cycles(names, after, [number for number, count in enumerate(open_ins) if count])
    return Order(index, before, loose, knots, _unreached(names, edges, loose))


def _cycles(names: list[str], after: list[list[int]], numbers: list[int]) -> tuple[tuple[str, ...], ...]:
    """One closed path for each knot, by walking until a node repeats. Iterative, because bodies are large."""
    inside, found, done = set(numbers), [], set[int]()
    todo = [iter(targets) for targets in after]
    for first in sorted(numbers, key=names.__getitem__):
        path: list[int] = []
        at: dict[int, int] = {}
        walk = [first] if first not in done else []
        while walk:
            number = walk[-1]
            if number not in at:
                at[number] = len(path)
                path.append(number)
            target = next((each for each in todo[number] if each in inside and each not in done), None)
            if target is None:
                done.add(walk.pop())
                at.pop(path.pop())
            elif target in at:
                knot = path[at[target] :]
                found.append(_closed([names[each] for each in knot]))
                done.update(knot)
                del walk[at[target] :], path[at[target] :]
                for each in knot:
                    del at[each]
            else:
                walk.append(target)
    return tuple(found)


def _closed(path: list[str]) -> tuple[str, ...]:
    """A cycle starting at its smallest id, so that equal cycles are written equally."""
    start = path.index(min(path))
    turned = path[start:] + path[:start]
    return (*turned, turned[0])


def _unreached(names: list[str], edges: Sequence[EdgePlan], loose: frozenset[str]) -> dict[str, str]:
    ins: dict[str, list[EdgePlan]] = {name: [] for name in names}
    outs: dict[str, list[EdgePlan]] = {name: [] for name in names}
    for edge in edges:
        ins[edge.definition.target].append(edge)
        outs[edge.definition.source].append(edge)
    reached = {name for name in names if not ins[name]}
    walk = list(reached)
    while walk:
        for edge in outs[walk.pop()]:
            target = edge.definition.target
            if not edge.dead and target not in reached:
                reached.add(target)
                walk.append(target)
    return {name: _why(ins[name], loose) for name in names if name not in reached}


def _why(ins: Sequence[EdgePlan], loose: frozenset[str]) -> str:
    dead = next((edge for edge in ins if edge.dead), None)
    if dead is not None:
        return f"edge `{dead.id}` can never be taken: {dead.dead}"
    sources: Mapping[str, None] = dict.fromkeys(edge.definition.source for edge in ins)
    if any(source in loose for source in sources):
        return "every way to it begins in a cycle"
    return f"nothing ever reaches {', '.join(f'`{source}`' for source in sources)}"
