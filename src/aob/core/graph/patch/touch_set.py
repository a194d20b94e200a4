"""Computes the touch set of a patch: nodes, edges and fields that it writes and refers to (SEMANTICS 4.2): entries
such as `node:email`, `edge:each/e1`, `field:timeout`. Patches with disjoint touch sets commute: `rebase` keeps them and
reports overlaps; it never merges texts."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from aob.core.graph.patch.draft import Draft
from aob.core.graph.patch.operation import Operation, Step, apply, perform
from aob.core.graph.patch.pointer import (
    EVERYTHING,
    Document,
    Json,
    Place,
    Tokens,
    body_path,
    body_tokens,
    member_of,
    parse_pointer,
    place_of,
)

ACCESS: Final = re.compile(
    r"""\bnodes\s*(?:\.\s*`?([A-Za-z_][A-Za-z0-9_-]*)|\[\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\])""", re.ASCII
)
NODES_NAMED: Final = re.compile(r"\bnodes\b", re.ASCII)
_CEL_CONFIG: Final = frozenset({"items", "while", "until", "key"})
"""Config members that are entirely CEL; other strings of a config are templates with `{name}`."""


class Touch(msgspec.Struct, frozen=True):
    """Entries that a patch writes and entries that it relies on. `*` means everything."""

    writes: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()


def overlap(a: Touch, b: Touch) -> frozenset[str]:
    """The entries that one writes and the other writes or refers to; empty if disjoint."""
    shared = (a.writes & b.writes) | (a.writes & b.refers) | (a.refers & b.writes)
    for one, other in ((a, b), (b, a)):
        if EVERYTHING in one.writes:
            shared |= other.writes | other.refers
        elif EVERYTHING in one.refers:
            shared |= other.writes
    return shared


def touch(document: Document, operations: Sequence[Operation]) -> Touch:
    """The touch set of operations that apply to `document`. Raises PatchError if they do not."""
    draft = Draft(document)
    writes: set[str] = set()
    refers: set[str] = set()
    for index, operation in enumerate(operations):
        step = Step(operation, index)
        places = [place_of(step.target), *([place_of(step.source)] if step.source else [])]
        written = places if step.verb == "move" else places[:1] if step.verb != "test" else []
        for place in places:
            refers.update(place.owners)
            (writes if place in written else refers).add(place.entry)
        for place in written:
            writes.update(_inside(draft, place))
        perform(draft, step)
        for place in written:
            writes.update(_inside(draft, place))
    if isinstance(draft.root, dict):
        refers.update(_relied_on(draft.root, writes))
    return Touch(frozenset(writes), frozenset(refers - writes))


def _inside(draft: Draft, place: Place) -> Iterator[str]:
    """Entries of everything in the body of a node that is written as a whole."""
    if place.what == "node" and (not place.rest or place.rest == ("body",)):
        body = (*place.body, place.id)
    elif place.what in {"nodes", "edges"} and place.body:
        body = place.body
    else:
        return
    yield from _entries(draft.object_at(body_tokens(body)), body)


def _entries(holder: Json, body: Tokens) -> Iterator[str]:
    for what in ("node", "edge"):
        for id, value in member_of(holder, f"{what}s").items():
            yield f"{what}:{body_path((*body, id))}"
            if what == "node" and isinstance(value, dict) and "body" in value:
                yield from _entries(value["body"], (*body, id))


def _relied_on(document: Document, writes: set[str]) -> Iterator[str]:
    """What the written entries need after the patch: ends of edges, nodes named in CEL."""
    if EVERYTHING in writes:
        yield EVERYTHING
        return
    for entry in writes:
        what, _, path = entry.partition(":")
        ids = parse_pointer(f"/{path}")
        if what == "field":
            yield from _named(document.get(ids[0]), (), strict=ids[0] == "output")
            continue
        body, id = ids[:-1], ids[-1]
        value = Draft(document).object_at((*body_tokens(body), f"{what}s", id))
        if what == "edge":
            yield from (f"node:{body_path((*body, end))}" for key in ("from", "to") if (end := _text(value, key)))
            yield from _named(value.get("when"), body, strict=True)
        else:
            yield from _named(value.get("input"), body, strict=True)
            for key, part in member_of(value, "config").items():
                yield from _named(part, body, strict=key in _CEL_CONFIG)
            yield from _named(member_of(value, "body").get("output"), (*body, id), strict=True)


def _text(value: Document, key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _named(value: Json, body: Tokens, *, strict: bool) -> Iterator[str]:
    """Entries of nodes named by strings of a value, in this body and enclosing ones. If the string is certainly CEL
    (`strict`), a `nodes` without a readable name relies on everything."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str) and "nodes" in item:
            found = ACCESS.findall(item)
            if strict and len(found) < len(NODES_NAMED.findall(item)):
                yield EVERYTHING
            for names in found:
                id = next(filter(None, names), "")
                yield from (f"node:{body_path((*body[:depth], id))}" for depth in range(len(body) + 1))


class Rebased(msgspec.Struct, frozen=True):
    """The operations to apply to `document`, which is the base with all of theirs; `result` is the document after
    them."""

    operations: tuple[Operation, ...]
    document: Document
    result: Document


class Clash(msgspec.Struct, frozen=True):
    """The conflicting patches (indexes into `theirs`), and the entries that both touch."""

    theirs: tuple[int, ...]
    entries: tuple[str, ...]


def rebase(base: Document, theirs: Sequence[Sequence[Operation]], mine: Sequence[Operation]) -> Rebased | Clash:
    """Rebase `mine`, written against `base`, on top of `theirs`. Both are RFC 6902 operations, each valid where
    written. Raises PatchError if `mine` does not apply to `base`, or one of theirs to the document before it."""
    own = touch(base, mine)
    document, in_the_way, entries = base, [], set[str]()
    for index, operations in enumerate(theirs):
        shared = overlap(own, touch(document, operations))
        if shared:
            in_the_way.append(index)
            entries |= shared
        document = apply(document, operations)
    if in_the_way:
        return Clash(tuple(in_the_way), tuple(sorted(entries)))
    return Rebased(tuple(mine), document, apply(document, mine))
