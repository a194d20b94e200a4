"""Diffs two canonical documents by nodes and edges, as data and as lines. The diff lists what was added, removed and
changed, with both values; approvals bind to its hash. Lines with + - ~ for a terminal contain no control characters of
the document."""

import json
import unicodedata
from hashlib import sha256
from typing import Final

from aob.core.graph.patch.pointer import Document, Json, Tokens, body_path, member_of, same
from aob.core.value import canonical

SHOWN_MAX: Final = 160  # characters of a value in a line; the diff itself holds all of it

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal interprets or hides: escapes, bidi controls, surrogates."""


def diff(before: Document, after: Document) -> Document:
    """`{nodes, edges, fields}`, each `{added, removed, changed}` by id (`each/email` inside a body). Added and removed
    map to the definition, changed to `{before, after}`. A node's definition omits the nodes and edges of its body,
    which have their own entries."""
    nodes, edges, fields = _section(), _section(), _section()
    _bodies(before, after, (), nodes, edges)
    for name in sorted({*before, *after} - {"nodes", "edges"}):
        _note(fields, name, before.get(name), after.get(name), name in before, name in after)
    return {"nodes": dict(nodes), "edges": dict(edges), "fields": dict(fields)}


def diff_hash(difference: Document) -> str:
    """The sha256 of the canonical JSON of a diff, 64 hexadecimal characters."""
    return sha256(canonical(difference)).hexdigest()


Section = dict[str, dict[str, Json]]


def _section() -> Section:
    return {"added": {}, "removed": {}, "changed": {}}


def _note(section: Section, name: str, old: Json, new: Json, was: bool, is_now: bool) -> None:
    if was and is_now:
        if not same(old, new):
            section["changed"][name] = {"before": old, "after": new}
    elif is_now:
        section["added"][name] = new
    elif was:
        section["removed"][name] = old


def _bodies(before: Json, after: Json, body: Tokens, nodes: Section, edges: Section) -> None:
    if before is after:
        return
    old, new = member_of(before, "edges"), member_of(after, "edges")
    for id in _other(old, new):
        _note(edges, body_path((*body, id)), old.get(id), new.get(id), id in old, id in new)
    old, new = member_of(before, "nodes"), member_of(after, "nodes")
    for id in _other(old, new):
        was, now = old.get(id), new.get(id)
        _note(nodes, body_path((*body, id)), _shell(was), _shell(now), id in old, id in new)
        _bodies(member_of(was, "body"), member_of(now, "body"), (*body, id), nodes, edges)


def _other(old: Document, new: Document) -> list[str]:
    """Ids whose values are not the same object: documents share what a patch did not write."""
    return sorted(id for id in old.keys() | new.keys() if old.get(id) is not new.get(id) or (id in old) != (id in new))


def _shell(node: Json) -> Json:
    """A node without the nodes and edges of its body."""
    if not isinstance(node, dict) or not isinstance(node.get("body"), dict):
        return node
    rest = {name: value for name, value in member_of(node, "body").items() if name not in {"nodes", "edges"}}
    return {name: value for name, value in node.items() if name != "body"} | ({"body": rest} if rest else {})


def render(difference: Document) -> list[str]:
    """The diff as lines: `+ node email (notify)`, `- edge e5: review → ship`, `~ node fetch config.url: "a" → "b"`."""
    lines: list[str] = []
    for what, noun in (("nodes", "node"), ("edges", "edge"), ("fields", "field")):
        section = member_of(difference, what)
        for id, value in member_of(section, "removed").items():
            lines.append(f"- {noun} {_plain(id)}{_summary(noun, value)}")
        for id, value in member_of(section, "added").items():
            lines.append(f"+ {noun} {_plain(id)}{_summary(noun, value)}")
            if noun == "node" and isinstance(value, dict):
                lines.extend(f"+     {line}" for line in _leaves(value) if not line.startswith("kind:"))
        for id, change in member_of(section, "changed").items():
            lines.extend(f"~ {noun} {_plain(id)} {line}" for line in _changes(change))
    return lines


def _summary(noun: str, value: Json) -> str:
    if noun == "field" or not isinstance(value, dict):
        return f": {_shown(value)}"
    if noun == "node":
        return f" ({_plain(str(value.get('kind', '?')))})"
    rest = [
        f"{name} {_shown(value[name]) if name != 'on' else _plain(str(value[name]))}"
        for name in ("on", "when", "else", "order")
        if name in value
    ]
    ends = f"{_plain(str(value.get('from')))} → {_plain(str(value.get('to')))}"
    return f": {ends}" + (f" ({', '.join(rest)})" if rest else "")


def _leaves(value: Json, at: Tokens = ()) -> list[str]:
    """A line for each leaf of an object, `config.url: "http://…"`."""
    if isinstance(value, dict) and value:
        return [line for name, inner in value.items() for line in _leaves(inner, (*at, name))]
    return [f"{_plain('.'.join(at))}: {_shown(value)}"]


def _changes(change: Json, at: Tokens = ()) -> list[str]:
    old = change.get("before") if isinstance(change, dict) else None
    new = change.get("after") if isinstance(change, dict) else None
    if not isinstance(old, dict) or not isinstance(new, dict):
        name = f"{_plain('.'.join(at))}: " if at else ": "
        return [f"{name}{_shown(old)} → {_shown(new)}"]
    lines: list[str] = []
    for name in [*old, *(name for name in new if name not in old)]:
        here = (*at, name)
        if name not in new:
            lines.extend(f"- {line}" for line in _leaves(old[name], here))
        elif name not in old:
            lines.extend(f"+ {line}" for line in _leaves(new[name], here))
        elif not same(old[name], new[name]):
            lines.extend(_changes({"before": old[name], "after": new[name]}, here))
    return lines


def _shown(value: Json) -> str:
    return _plain(json.dumps(value, ensure_ascii=False))


def _plain(text: str) -> str:
    """Text that is safe for a terminal, truncated if long."""
    if len(text) > SHOWN_MAX:
        return f"{_plain(text[:SHOWN_MAX])}… ({len(text) - SHOWN_MAX:,} more characters)"
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character) not in _HIDDEN else f"\\u{ord(character):04x}"
        for character in text
    )
