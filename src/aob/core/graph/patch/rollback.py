"""Computes inverses of operations, and rollbacks that keep what a run has dispatched.

The results are RFC 6902 operations of a new patch."""

from collections.abc import Container, Sequence
from typing import Final

from aob.core.graph.patch.draft import END, Absent, Draft
from aob.core.graph.patch.operation import Operation, Step, apply, perform
from aob.core.graph.patch.pointer import Document, Json, Tokens, format_pointer, same

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
    """Apply one step to the draft. Returns the operations that undo it, in order.

    A displaced value has left the draft, so later steps cannot change the value in the inverse."""
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
    """Operations that undo a patch as far as the run allows; empty if nothing can be undone.

    `inverse_operations` is the rebased inverse, valid on `document`. `frozen` holds ids of root nodes that the run has
    dispatched or decided: they stay (except tunable fields and bodies), with the edges to them and the nodes that these
    edges need. Raises PatchError if the inverse does not apply."""
    target = apply(document, inverse_operations)
    nodes = _kept_nodes(_members(document, "nodes"), _members(target, "nodes"), frozen)
    edges = _kept_edges(_members(document, "edges"), _members(target, "edges"), frozen)
    for edge in edges.values():
        for end in _ends(edge):
            # A kept edge keeps its source, even if that was not dispatched yet.
            if end not in nodes and end in _members(document, "nodes"):
                nodes[end] = _members(document, "nodes")[end]
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
        kept[id] = _tuned(node, wanted) if isinstance(node, dict) and isinstance(wanted, dict) else node
    return kept


def _tuned(now: Document, wanted: Document) -> Document:
    """A dispatched node with only its tunable fields and body reverted."""
    free = TUNABLE | {"body"}
    stays = {name: value for name, value in now.items() if name not in free}
    return stays | {name: value for name, value in wanted.items() if name in free}


def _kept_edges(now: Document, target: Document, frozen: Container[str]) -> Document:
    kept = {id: edge for id, edge in target.items() if not _ends_in(edge, frozen)}
    return kept | {id: edge for id, edge in now.items() if _ends_in(edge, frozen)}


def _ends_in(edge: Json, frozen: Container[str]) -> bool:
    return isinstance(edge, dict) and edge.get("to") in frozen


def _ends(edge: Json) -> list[str]:
    found = [edge.get("from"), edge.get("to")] if isinstance(edge, dict) else []
    return [end for end in found if isinstance(end, str)]


def operations_between(before: Document, after: Document, base: Tokens = ()) -> list[Operation]:
    """Deterministic RFC 6902 operations from one canonical document (or body) to another, one per node or edge."""
    made: list[Operation] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if name in {"nodes", "edges"} and isinstance(old, dict) and isinstance(new, dict):
            for id in sorted({*old, *new}):
                made.extend(_between_members(old, new, id, (*base, name)))
        else:
            made.extend(_step(before, after, name, base))
    return made


def _between_members(old: Document, new: Document, id: str, base: Tokens) -> list[Operation]:
    before, after = old.get(id), new.get(id)
    if before is after and id in old and id in new:
        return []
    if not (_has_body(before) and _has_body(after)):
        return _step(old, new, id, base)
    made: list[Operation] = []
    for field in sorted({*_object(before), *_object(after)}):
        if field == "body":
            inner = _object(_object(before)["body"]), _object(_object(after)["body"])
            made.extend(operations_between(*inner, (*base, id, "body")))
        else:
            made.extend(_step(_object(before), _object(after), field, (*base, id)))
    return made


def _step(old: Document, new: Document, name: str, base: Tokens) -> list[Operation]:
    path = format_pointer((*base, name))
    if name not in new:
        return [{"op": "remove", "path": path}]
    if name not in old:
        return [{"op": "add", "path": path, "value": new[name]}]
    return [] if same(old[name], new[name]) else [{"op": "replace", "path": path, "value": new[name]}]


def _has_body(node: Json) -> bool:
    return isinstance(node, dict) and isinstance(node.get("body"), dict)


def _object(value: Json) -> Document:
    return value if isinstance(value, dict) else {}


def _members(document: Document, name: str) -> Document:
    return _object(document.get(name))
