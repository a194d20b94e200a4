"""Computes inverses of operations, and rollbacks that keep what a run has dispatched, as RFC 6902 operations of a new
patch; and finds the changes that are forbidden because a run has dispatched the node (SEMANTICS 4.1)."""

from collections.abc import Container, Sequence
from typing import Final

from aob.core.errors import Problem
from aob.core.graph.patch.difference import diff
from aob.core.graph.patch.draft import END, Absent, Draft
from aob.core.graph.patch.operation import Operation, Step, apply, perform
from aob.core.graph.patch.pointer import Document, Json, Tokens, format_pointer, member_of, object_of, same

FORK_HINT: Final = "fork the run from this node instead: a fork runs it anew under the changed graph"
TUNABLE: Final = frozenset({"timeout", "retry", "priority", "budget", "labels"})
"""Fields of a node that may change after its dispatch (SEMANTICS 4.1)."""


def inverse(document: Document, operations: Sequence[Operation]) -> list[Operation]:
    """Operations with apply(apply(document, operations), inverse) == document. Raises PatchError as `apply`."""
    draft = Draft(document)
    undone: list[list[Operation]] = []
    for index, operation in enumerate(operations):
        undone.append(_undo(draft, Step(operation, index)))
    return [operation for step in reversed(undone) for operation in step]


def _undo(draft: Draft, step: Step) -> list[Operation]:
    """Apply one step to the draft. Returns the operations that undo it, in order. A displaced value has left the draft,
    so later steps cannot change the value in the inverse."""
    old = perform(draft, step)
    if step.verb == "test" or (step.verb == "move" and step.source == step.target):
        return []
    target = _settled(draft, step.target)
    path, source = format_pointer(target), format_pointer(step.source)
    if step.verb == "remove" and not isinstance(old, Absent):
        return [{"op": "add", "path": format_pointer(step.target), "value": old}]
    if step.verb != "move":
        return [{"op": "remove", "path": path} if isinstance(old, Absent) else _put_back(path, old)]
    if isinstance(old, Absent) and step.source[: len(target)] != target:
        return [{"op": "move", "from": path, "path": source}]
    # A move that displaced a value, or moved up its own path (which no move can reverse), is undone in two steps; the
    # moved value is then both in the inverse and in the draft.
    draft.share()
    first: Operation = {"op": "remove", "path": path} if isinstance(old, Absent) else _put_back(path, old)
    return [first, {"op": "add", "path": source, "value": draft.get(target)}]


def _put_back(path: str, old: Json) -> Operation:
    return {"op": "replace", "path": path, "value": old}


def _settled(draft: Draft, tokens: Tokens) -> Tokens:
    """The tokens with `-` replaced by its actual index."""
    if not tokens or tokens[-1] != END:
        return tokens
    parent = draft.get(tokens[:-1])
    return (*tokens[:-1], str(len(parent) - 1)) if isinstance(parent, list) else tokens


def rollback_operations(
    document: Document, inverse_operations: Sequence[Operation], frozen: Container[str]
) -> list[Operation]:
    """Operations that undo a patch as far as the run allows; empty if nothing can be undone. `inverse_operations` is
    the rebased inverse, valid on `document`. `frozen` holds ids of root nodes that the run has dispatched or decided:
    they stay (except tunable fields and bodies), with the edges to them and the nodes that these edges need. Raises
    PatchError if the inverse does not apply."""
    target = apply(document, inverse_operations)
    nodes = _kept_nodes(member_of(document, "nodes"), member_of(target, "nodes"), frozen)
    edges = _kept_edges(member_of(document, "edges"), member_of(target, "edges"), frozen)
    for edge in edges.values():
        for end in (object_of(edge).get("from"), object_of(edge).get("to")):
            # A kept edge keeps its source, even if that was not dispatched yet.
            if isinstance(end, str) and end not in nodes and end in member_of(document, "nodes"):
                nodes[end] = member_of(document, "nodes")[end]
    return operations_between(document, {**target, "nodes": nodes, "edges": edges})


def _kept_nodes(now: Document, target: Document, frozen: Container[str]) -> Document:
    kept = {id: node for id, node in target.items() if id not in frozen}
    for id, node in now.items():
        if id not in frozen:
            continue
        wanted = target.get(id)
        if wanted is node:
            kept[id] = node
            continue
        kept[id] = node
        if isinstance(node, dict) and isinstance(wanted, dict):  # only its tunable fields and its body are reverted
            free = TUNABLE | {"body"}
            fixed = {name: value for name, value in node.items() if name not in free}
            kept[id] = fixed | {name: value for name, value in wanted.items() if name in free}
    return kept


def _kept_edges(now: Document, target: Document, frozen: Container[str]) -> Document:
    kept = {id: edge for id, edge in target.items() if object_of(edge).get("to") not in frozen}
    return kept | {id: edge for id, edge in now.items() if object_of(edge).get("to") in frozen}


def operations_between(before: Document, after: Document, base: Tokens = ()) -> list[Operation]:
    """Deterministic RFC 6902 operations from one canonical document (or body) to another, one per node or edge."""
    made: list[Operation] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if name in {"nodes", "edges"} and isinstance(old, dict) and isinstance(new, dict):
            for id in sorted({*old, *new}):
                made.extend(_betweenmember_of(old, new, id, (*base, name)))
        else:
            made.extend(_step(before, after, name, base))
    return made


def _betweenmember_of(old: Document, new: Document, id: str, base: Tokens) -> list[Operation]:
    before, after = old.get(id), new.get(id)
    if before is after and id in old and id in new:
        return []
    if not (isinstance(object_of(before).get("body"), dict) and isinstance(object_of(after).get("body"), dict)):
        return _step(old, new, id, base)
    made: list[Operation] = []
    for field in sorted({*object_of(before), *object_of(after)}):
        if field == "body":
            made.extend(operations_between(member_of(before, "body"), member_of(after, "body"), (*base, id, "body")))
        else:
            made.extend(_step(object_of(before), object_of(after), field, (*base, id)))
    return made


def _step(old: Document, new: Document, name: str, base: Tokens) -> list[Operation]:
    path = format_pointer((*base, name))
    if name not in new:
        return [{"op": "remove", "path": path}]
    if name not in old:
        return [{"op": "add", "path": path, "value": new[name]}]
    return [] if same(old[name], new[name]) else [{"op": "replace", "path": path, "value": new[name]}]


def frozen_problems(
    before: Document, after: Document, dispatched: Container[str], decided: Container[str] = frozenset()
) -> list[Problem]:
    """The forbidden changes in the root. `dispatched` holds the ids of nodes whose visit has begun (inner nodes too),
    `decided` those that have an outcome, skipped ones included. Their definition is fixed, except for timeout, retry,
    priority, budget and labels; a scope of a body moves only where it has begun nothing that changes. Edges to these
    nodes are fixed."""
    change = diff(before, after)
    problems: list[Problem] = []
    for id, old, new in _changes(change, "nodes"):
        if (id in dispatched or id in decided) and (problem := _node_problem(id, old, new)):
            problems.append(problem)
    for id, old, new in _changes(change, "edges"):
        ends = {end for edge in (old, new) if isinstance(end := object_of(edge).get("to"), str) and end}
        held = sorted(end for end in ends if end in dispatched or end in decided)
        if held:
            verb = "added" if old is None else "removed" if new is None else "changed"
            message = f"edge `{id}` cannot be {verb}: `{held[0]}`, where it ends, was already dispatched"
            path = format_pointer(("edges", id))
            problems.append(Problem(path, message, "frozen", hint=FORK_HINT))
    return problems


def _node_problem(id: str, old: Json, new: Json) -> Problem | None:
    path = format_pointer(("nodes", id))
    if not isinstance(old, dict):
        return None
    if not isinstance(new, dict):
        return Problem(path, f"node `{id}` was already dispatched and cannot be removed", "frozen", hint=FORK_HINT)
    fields = sorted(
        name for name in {*old, *new} - TUNABLE if (name in old) != (name in new) or old.get(name) != new.get(name)
    )
    if not fields:
        return None
    what = ", ".join(f"`{name}`" for name in fields)
    allowed = ", ".join(sorted(TUNABLE))
    message = f"node `{id}` was already dispatched: {what} cannot change (only {allowed} can)"
    return Problem(path, message, code="frozen", hint=FORK_HINT)


def _changes(change: Document, what: str) -> list[tuple[str, Json, Json]]:
    """(id, before, after) of changes in the root; None where it does not exist."""
    found: list[tuple[str, Json, Json]] = []
    for verb, values in object_of(change[what]).items():
        for id, value in object_of(values).items():
            if "/" in id:
                continue
            if verb == "changed" and isinstance(value, dict):
                found.append((id, value["before"], value["after"]))
            else:
                found.append((id, value, None) if verb == "removed" else (id, None, value))
    return sorted(found, key=lambda item: item[0])
