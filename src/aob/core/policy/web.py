"""The dependencies within a document and its patched version, both at once: a removed check counts as an added one."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from aob.core.graph.patch.pointer import Document, Json, object_of
from aob.core.graph.patch.touch_set import ACCESS, NODES_NAMED
from aob.core.node import KINDS
from aob.core.value import canonical

INERT: Final = frozenset({"labels", "description", "priority"})
"""Fields of a node or edge whose change has no effect on execution."""

# Names in expressions that stand for fields of the workflow, or for its version.
INPUTS: Final = "inputs"
RUN: Final = "run"
VERSION: Final = "run.version"

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_NAMED: Final = {
    INPUTS: re.compile(r"\binputs\b", re.ASCII),
    RUN: re.compile(r"\brun\b", re.ASCII),
    VERSION: re.compile(r"\brun\b(?!\s*\.\s*(?:id|workflow|tag|labels|tenant)\b)", re.ASCII),
}


class Pair(NamedTuple):
    """A node or edge before and after; None where it is absent."""

    old: Document | None
    new: Document | None

    def both(self) -> Iterator[Document]:
        for each in self:
            if each is not None:
                yield each


class Use(NamedTuple):
    """A reader of a node or name: `path` reads it at `label`; `guard` when it only decides which edges are taken."""

    path: str
    label: str
    guard: bool


class Body:
    """The nodes and edges of one body, root included, by path and by id of the edge."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.prefix = f"{path}/" if path else ""
        self.nodes: list[str] = []
        self.edges: dict[str, Pair] = {}


class Web:
    """Both documents at once. `outs` are the targets of a node's edges, `ins` the sources; `uses` lists the readers of
    a node, or of one of the names `inputs`, `run` and `run.version`."""

    def __init__(self, before: Document, after: Document) -> None:
        self.nodes: dict[str, Pair] = {}
        self.bodies: dict[str, Body] = {}
        self.outs: dict[str, set[str]] = defaultdict(set)
        self.ins: dict[str, set[str]] = defaultdict(set)
        self.uses: dict[str, dict[Use, None]] = defaultdict(dict)
        self._read(before, after, "")

    def body_of(self, path: str) -> Body:
        return self.bodies[path.rpartition("/")[0]]

    def changed(self, path: str) -> list[str]:
        """The fields of a node that differ, except inert ones, as paths: `config.url`; without nodes in its body."""
        old, new = self.nodes[path]
        return [] if old is None or new is None else list(_differing(old, new))

    def _read(self, before: Document, after: Document, path: str) -> None:
        body = self.bodies[path] = Body(path)
        for id, pair in _pairs(before, after, "nodes"):
            inner = body.prefix + id
            body.nodes.append(inner)
            self.nodes[inner] = pair
        for id, pair in _pairs(before, after, "edges"):
            body.edges[id] = pair
            for edge in pair.both():
                source, target = body.prefix + str(edge.get("from")), body.prefix + str(edge.get("to"))
                self.outs[source].add(target)
                self.ins[target].add(source)
        for inner in body.nodes:
            old, new = self.nodes[inner]
            if "body" in (old or {}) or "body" in (new or {}):
                self._read(object_of((old or {}).get("body")), object_of((new or {}).get("body")), inner)
        for inner in body.nodes:
            for node in self.nodes[inner].both():
                self._read_node(inner, node, body)
                if self.nodes[inner].old is self.nodes[inner].new:
                    break  # what both documents share is read once
        for pair in body.edges.values():
            for edge in pair.both():
                if isinstance(when := edge.get("when"), str):
                    source = body.prefix + str(edge.get("from"))
                    self._note(when, body, Use(source, f"{source}.when", True))

    def _read_node(self, path: str, node: Document, body: Body) -> None:
        for text in object_of(node.get("input")).values():
            self._note(text, body, Use(path, f"{path}.input", False))
        config, kind = object_of(node.get("config")), KINDS.get(str(node.get("kind")))
        for expression in kind.expressions if kind is not None else ():
            self._note(config.get(expression.key), body, Use(path, f"{path}.{expression.key}", False))
        for text in object_of(object_of(node.get("body")).get("output")).values():
            self._note(text, self.bodies.get(path, body), Use(path, f"{path}.output", False))
        if node.get("input") is None and not self.ins.get(path):
            self.uses[INPUTS].setdefault(Use(path, f"{path}.input", False))

    def _note(self, text: Json, body: Body, use: Use) -> None:
        """Record the reads of an expression, in its body and in enclosing ones; rather too many than too few."""
        if not isinstance(text, str):
            return
        for name, word in _NAMED.items():
            if word.search(text):
                self.uses[name].setdefault(use)
        if not NODES_NAMED.search(text):
            return
        found = [next(filter(None, names), "") for names in ACCESS.findall(text)]
        if len(found) < len(NODES_NAMED.findall(text)):
            found = _WORD.findall(text)
        around: Body | None = body
        while around is not None:
            known = around.nodes if "\\" in text else [around.prefix + id for id in found]
            for path in known:
                if path in self.nodes and path != use.path:
                    self.uses[path].setdefault(use)
            around = self.body_of(around.path) if around.path else None


def _pairs(before: Document, after: Document, what: str) -> Iterator[tuple[str, Pair]]:
    old, new = members(before.get(what)), members(after.get(what))
    for id in dict.fromkeys([*old, *new]):
        yield id, Pair(old.get(id), new.get(id))


def _differing(old: Document, new: Document) -> Iterator[str]:
    if old is new:
        return
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if name == "body":
            if not _same(_shell(was), _shell(now)):
                yield name
        elif name in INERT or (name in old and name in new and _same(was, now)):
            continue
        elif name == "config" and isinstance(was, dict) and isinstance(now, dict):
            yield from (
                f"config.{key}" for key in dict.fromkeys([*was, *now])
                if key not in was or key not in now or not _same(was[key], now[key])
            )  # fmt: skip
        else:
            yield name


def _shell(body: Json) -> Document:
    return {key: part for key, part in object_of(body).items() if key not in {"nodes", "edges"}}


def _same(was: Json, now: Json) -> bool:
    """Equality as observable: 5 is not 5.0, for they are written differently."""
    return was is now or canonical(was) == canonical(now)


def edge_changed(pair: Pair) -> bool:
    """Whether an edge is added, removed or changed in effect."""
    old, new = pair
    if old is new:
        return False
    return old is None or new is None or not _same(_bare(old), _bare(new))


def _bare(edge: Document) -> Document:
    return {"on": "success", **{name: value for name, value in edge.items() if name not in INERT}}


def members(value: Json) -> dict[str, Document]:
    """The members of an object that are objects themselves."""
    return {id: member for id, member in object_of(value).items() if isinstance(member, dict)}
