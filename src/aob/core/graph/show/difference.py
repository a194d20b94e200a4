"""What differs between two documents: nodes and edges by id, in bodies too, and fields of the workflow.

In: two canonical documents. Out: a `Diff` of plain data, and lines with + - ~ for people. Order never matters.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from aob.core.event.value import canonical
from aob.core.graph.definition import Tree, Value

VALUE_CHARS_MAX: Final = 60
_ABSENT: Final = object()
_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value that changed inside a node, an edge or a field: its dotted path, and what was and is there."""

    path: str
    before: Value = msgspec.UNSET
    after: Value = msgspec.UNSET


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is new, gone or other. `id` is its path: `email`, `each/email` in a body, `timeout` of a field.
    `value` is the definition of what was added or removed (without its body); `parts` what changed."""

    what: Literal["node", "edge", "field"]
    how: Literal["added", "removed", "changed"]
    id: str
    value: Value = None
    parts: tuple[Part, ...] = ()


class Diff(msgspec.Struct, frozen=True):
    """All changes: fields first, then nodes, then edges, each by id."""

    changes: tuple[Change, ...] = ()

    def ids(self, what: str, how: str) -> tuple[str, ...]:
        """The ids of `node`s, `edge`s or `field`s that were `added`, `removed` or `changed`."""
        return tuple(change.id for change in self.changes if change.what == what and change.how == how)

    @property
    def lines(self) -> list[str]:
        """The changes as people read them."""
        return render_diff(self)


def difference(before: Tree, after: Tree) -> Diff:
    """What must be done to `before` to get `after`."""
    fields = [_without(document, "nodes", "edges") for document in (before, after)]
    changes = list(_changes("field", fields[0], fields[1]))
    for what in ("node", "edge"):
        changes.extend(_changes(what, dict(_things(before, f"{what}s", "")), dict(_things(after, f"{what}s", ""))))
    return Diff(tuple(changes))


def _without(value: Tree, *keys: str) -> Tree:
    return {key: item for key, item in value.items() if key not in keys}


def _things(body: Value, key: str, path: str) -> Iterator[tuple[str, Value]]:
    """Every node (or edge) of a body and of the bodies in it, by its path; nodes without their bodies."""
    if not isinstance(body, dict):
        return
    things = body.get(key)
    if isinstance(things, dict):
        for id, thing in things.items():
            yield f"{path}{id}", _without(thing, "body") if isinstance(thing, dict) else thing
    nodes = body.get("nodes")
    if isinstance(nodes, dict):
        for id, node in nodes.items():
            if isinstance(node, dict) and "body" in node:
                yield from _things(node["body"], key, f"{path}{id}/")


def _changes(what: Literal["node", "edge", "field"] | str, before: Tree, after: Tree) -> Iterator[Change]:
    kind: Literal["node", "edge", "field"] = "node" if what == "node" else "edge" if what == "edge" else "field"
    for id in sorted(before.keys() | after.keys()):
        if id not in before:
            yield Change(kind, "added", id, after[id])
        elif id not in after:
            yield Change(kind, "removed", id, before[id])
        else:
            parts = tuple(_parts("", before[id], after[id]))
            if parts:
                yield Change(kind, "changed", id, None, parts)


def _parts(path: str, before: Value, after: Value) -> Iterator[Part]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = f"{path}.{key}" if path else key
            if key not in before:
                yield Part(inner, after=after[key])
            elif key not in after:
                yield Part(inner, before=before[key])
            else:
                yield from _parts(inner, before[key], after[key])
    elif canonical(before) != canonical(after):
        yield Part(path, before, after)


def render_diff(diff: Diff) -> list[str]:
    """The changes as lines: `+` new, `-` gone, `~` other, with the values before and after. Empty when none."""
    return [line for change in diff.changes for line in _lines(change)]


def _lines(change: Change) -> Iterator[str]:
    head = f"{_SIGNS[change.how]} {change.what} {change.id}"
    if change.how == "changed":
        shown = [_part(part) for part in change.parts]
        if len(shown) == 1:
            yield f"{head}  {shown[0]}"
        else:
            yield head
            yield from (f"    {part}" for part in shown)
    elif change.what == "edge" and isinstance(change.value, dict):
        yield f"{head}  {edge_words(change.value)}"
    elif change.what == "node" and isinstance(change.value, dict):
        yield f"{head}  {node_words(change.value)}"
    else:
        yield f"{head}  {short(change.value)}"


def _part(part: Part) -> str:
    name = f"{part.path}: " if part.path else ""
    if part.before is msgspec.UNSET:
        return f"{name}+ {short(part.after)}"
    if part.after is msgspec.UNSET:
        return f"{name}- {short(part.before)}"
    return f"{name}{short(part.before)} → {short(part.after)}"


def short(value: Value) -> str:
    """A value on one line: a text as it is, anything else as JSON, cut when it is long."""
    text = value if isinstance(value, str) else canonical(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"


def edge_words(edge: Mapping[str, Value]) -> str:
    """An edge as people say it: `risky → review  when risk > 0.7`."""
    words = f"{edge.get('from')} → {edge.get('to')}"
    if edge.get("on", "success") != "success":
        words += f"  on {edge['on']}"
    if edge.get("when"):
        words += f"  when {short(edge['when'])}"
    return f"{words}  else" if edge.get("else") else words


def node_words(node: Mapping[str, Value]) -> str:
    """A node as people say it: its kind and what its config holds."""
    config = node.get("config")
    items = config.items() if isinstance(config, dict) else ()
    return "  ".join([str(node.get("kind")), *(f"{key}={short(value)}" for key, value in items)])
