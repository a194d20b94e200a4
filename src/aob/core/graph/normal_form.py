"""Converts documents as written by people to their canonical form: maps by id, `kind`, texts for expressions, an id
for each edge. Accepts lists of nodes and edges, `type`, `task`. Idempotent. Checks only what it needs."""

import hashlib
import re
from collections.abc import Container, Mapping
from typing import Final

from aob.core.document.shape import Tree, Value, escape
from aob.core.errors import Invalid, Problem
from aob.core.node import ALIASES

NAME_MAX: Final = 56  # characters of a readable name of an edge, with room for a number
PRIORITY_ALIASES: Final = {"normal": "medium"}
_WORDS: Final = {True: "true", False: "false", None: "null"}
_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def edge_id(edge: Mapping[str, object], taken: Container[str]) -> str:
    """`from-to`, with the outcome if it is not success; two patches that add the same edge get the same id."""
    on = edge.get("on", "success")
    name = f"{edge['from']}-{edge['to']}" + ("" if on == "success" else f"-{on}")
    if len(name) > NAME_MAX or not _ID.fullmatch(name):
        name = "edge-" + hashlib.sha256(name.encode()).hexdigest()[:16]
    id, number = name, 2
    while id in taken:
        id, number = f"{name}-{number}", number + 1
    return id


def normalise(document: Tree) -> Tree:
    """The canonical form of a document, as a copy. Raises Invalid if ids are missing."""
    made = Normaliser(document)
    if made.problems:
        raise Invalid("the document has no canonical form", tuple(made.problems))
    return made.tree


class Normaliser:
    """One conversion. `renames` maps paths of the canonical form to those of the original."""

    def __init__(self, document: Tree) -> None:
        self.problems: list[Problem] = []
        self.renames: dict[str, str] = {}
        self.tree = _with_priority(self._body(document, "", ""))

    def _body(self, body: Tree, path: str, written: str) -> Tree:
        made = dict(body)
        made.setdefault("edges", {})
        if isinstance(body.get("nodes"), dict | list):
            made["nodes"] = self._nodes(body["nodes"], f"{path}/nodes", f"{written}/nodes")
        if isinstance(made["edges"], dict | list):
            made["edges"] = self._edges(made["edges"], f"{path}/edges", f"{written}/edges")
        if isinstance(made.get("output"), dict):
            made["output"] = _texts(made["output"])
        return made

    def _nodes(self, nodes: Tree | list[Value], path: str, written: str) -> Tree:
        if isinstance(nodes, dict):
            return {
                id: self._node(id, node, f"{path}/{escape(id)}", f"{written}/{escape(id)}")
                for id, node in nodes.items()
            }
        made: Tree = {}
        for index, node in enumerate(nodes):
            here = f"{written}/{index}"
            id = node.get("id") if isinstance(node, dict) else None
            if not isinstance(id, str):
                hint = "in a list each node has an `id`"
                self.problems.append(Problem(here, "a node without an id", "missing", hint=hint))
            elif id in made:
                self.problems.append(Problem(f"{here}/id", f"node `{id}` stands twice", "duplicate_id"))
            else:
                self.renames[f"{path}/{escape(id)}"] = here
                made[id] = self._node(id, node, f"{path}/{escape(id)}", here)
        return made

    def _node(self, id: str, node: Value, path: str, written: str) -> Value:
        if not isinstance(node, dict):
            return node
        made = dict(node)
        if made.get("id") == id:
            del made["id"]
        if "type" in made and "kind" not in made:
            made["kind"] = made.pop("type")
            self.renames[f"{path}/kind"] = f"{written}/type"
        kind = made.get("kind")
        if isinstance(kind, str):
            made["kind"] = kind = ALIASES.get(kind, kind)
        if kind == "function":
            self._handler(id, made, path, written)
        if isinstance(made.get("input"), dict):
            made["input"] = _texts(made["input"])
        if isinstance(made.get("body"), dict):
            made["body"] = self._body(made["body"], f"{path}/body", f"{written}/body")
        return _with_priority(made)

    def _handler(self, id: str, node: Tree, path: str, written: str) -> None:
        """Moves the handler of a function into its config; short forms have it at the node, or use the node's id."""
        config = node.get("config", {})
        if isinstance(config, dict) and "handler" not in config:
            if "handler" in node:
                self.renames[f"{path}/config/handler"] = f"{written}/handler"
            node["config"] = {**config, "handler": node.pop("handler", id)}

    def _edges(self, edges: Tree | list[Value], path: str, written: str) -> Tree:
        if isinstance(edges, dict):
            return {id: _edge(id, edge) for id, edge in edges.items()}
        given = [edge.get("id") if isinstance(edge, dict) else None for edge in edges]
        taken = {id for id in given if isinstance(id, str)}
        made: Tree = {}
        for index, (edge, own) in enumerate(zip(edges, given, strict=True)):
            here = f"{written}/{index}"
            if not isinstance(edge, dict) or not all(isinstance(edge.get(end), str) for end in ("from", "to")):
                hint = "an edge is {from: NODE, to: NODE}"
                self.problems.append(Problem(here, "an edge without its ends", "missing", hint=hint))
                continue
            id = own if isinstance(own, str) else edge_id(edge, taken)
            if id in made:
                self.problems.append(Problem(f"{here}/id", f"edge `{id}` stands twice", "duplicate_id"))
                continue
            taken.add(id)
            self.renames[f"{path}/{escape(id)}"] = here
            made[id] = _edge(id, edge)
        return made


def _edge(id: str, edge: Value) -> Value:
    if not isinstance(edge, dict) or edge.get("id") != id:
        return edge
    return {key: value for key, value in edge.items() if key != "id"}


def _texts(texts: Tree) -> Tree:
    """Expressions as texts: numbers, true, false and null become literals."""
    return {name: _text(text) for name, text in texts.items()}


def _text(value: Value) -> Value:
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    return str(value) if isinstance(value, int | float) else value


def _with_priority(made: Tree) -> Tree:
    priority = made.get("priority")
    if isinstance(priority, str):
        made["priority"] = PRIORITY_ALIASES.get(priority, priority)
    return made
