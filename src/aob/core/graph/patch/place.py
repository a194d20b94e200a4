"""Resolves a pointer to its place in a workflow: a node, an edge or a field, in the root or in a body.

Gives the entry for touch sets (`node:email`, `edge:each/e1`, `field:timeout`, `*`). Does not read documents."""

import re
from typing import Final, Literal, NamedTuple

from aob.core.graph.patch.pointer import Tokens, escape

EVERYTHING: Final = "*"
"""The entry of an operation on the whole document or on all root nodes or edges: overlaps with everything."""

ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # the form of an id of a node or an edge


class Place(NamedTuple):
    """`body` are the ids of the enclosing nodes, outermost first; `rest` the tokens after the id."""

    body: Tokens
    what: Literal["document", "nodes", "edges", "node", "edge", "field"]
    id: str = ""
    rest: Tokens = ()

    @property
    def entry(self) -> str:
        """The entry in a touch set. All nodes (or edges) of a body belong to the node with the body."""
        if self.what in {"node", "edge"}:
            return f"{self.what}:{body_path((*self.body, self.id))}"
        if self.what == "field":
            return f"field:{escape(self.id)}"
        return f"node:{body_path(self.body)}" if self.body else EVERYTHING

    @property
    def owners(self) -> list[str]:
        """Entries of the nodes whose bodies enclose this place."""
        return [f"node:{body_path(self.body[:depth])}" for depth in range(1, len(self.body) + 1)]


def body_path(ids: Tokens) -> str:
    """The path of a body or of a node in bodies: `each/inner`."""
    return "/".join(map(escape, ids))


def place_of(tokens: Tokens) -> Place:
    """The place of these tokens in a canonical document."""
    body: list[str] = []
    while tokens:
        head, inner = tokens[0], tokens[1:]
        if head not in {"nodes", "edges"}:
            return Place(tuple(body), "field", head, inner)
        if not inner:
            return Place(tuple(body), "nodes" if head == "nodes" else "edges")
        if head == "edges":
            return Place(tuple(body), "edge", inner[0], inner[1:])
        if len(inner) < 3 or inner[1] != "body" or inner[2] not in {"nodes", "edges"}:
            return Place(tuple(body), "node", inner[0], inner[1:])
        body.append(inner[0])
        tokens = inner[2:]
    return Place((), "document")


def body_tokens(body: Tokens) -> Tokens:
    """The tokens of the object that holds `nodes` and `edges` of a body; `()` for the root."""
    return tuple(token for id in body for token in ("nodes", id, "body"))
