"""JSON values, JSON Pointers (RFC 6901), and the places in a workflow that they name: a node, an edge or a field, in
the root or in a body, with its entry for touch sets (`node:email`, `edge:each/e1`, `field:timeout`, `*`)."""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from aob.core.document.shape import escape

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None  # A plain JSON value

Document: TypeAlias = dict[str, Json]  # A workflow in canonical form, or a JSON object in it

Tokens = tuple[str, ...]

POINTER_MAX: Final = 4_096  # characters of a pointer

EVERYTHING: Final = "*"
"""The entry of an operation on the whole document or on all root nodes or edges: overlaps with everything."""

ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # the form of an id of a node or an edge

_BAD_TILDE: Final = re.compile(r"~(?![01])")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")


def parse_pointer(text: str) -> Tokens:
    """The unescaped tokens of a pointer; `""` is the whole document, `()`. Raises ValueError with the reason."""
    if not text:
        return ()
    if text[0] != "/":
        raise ValueError("a JSON Pointer is empty or begins with `/`")
    if len(text) > POINTER_MAX:
        raise ValueError(f"a JSON Pointer has at most {POINTER_MAX} characters")
    if "~" not in text:
        return tuple(text[1:].split("/"))
    if _BAD_TILDE.search(text):
        raise ValueError("`~` is written `~0` and `/` inside a name `~1`; any other `~` is an error")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/"))


def format_pointer(tokens: Tokens) -> str:
    """The pointer of these tokens: the inverse of `parse_pointer`."""
    return "".join("/" + escape(token) for token in tokens)


def index_of(token: str) -> int | None:
    """The array index of a token: digits without leading zeros; else None."""
    return int(token) if _INDEX.fullmatch(token) else None


def object_of(value: Json) -> Document:
    """A JSON object, empty for anything else."""
    return value if isinstance(value, dict) else {}


def member_of(value: Json, name: str) -> Document:
    """A member of an object that is an object itself, empty for anything else."""
    return object_of(object_of(value).get(name))


def nodes_in(body: Json, path: str = "") -> Iterator[tuple[str, Document]]:
    """Each node of a document or body by its path (`each/fetch`), those of bodies behind their own node."""
    for id, node in member_of(body, "nodes").items():
        if isinstance(node, dict):
            yield f"{path}{id}", node
            yield from nodes_in(node.get("body"), f"{path}{id}/")


def same(left: Json, right: Json) -> bool:
    """Equality of JSON values by RFC 6902: 1 equals 1.0, and true never equals 1. Any depth."""
    pairs: list[tuple[Json, Json]] = [(left, right)]
    while pairs:
        a, b = pairs.pop()
        if a is b:
            continue
        if isinstance(a, dict):
            if not isinstance(b, dict) or a.keys() != b.keys():
                return False
            pairs.extend((value, b[key]) for key, value in a.items())
        elif isinstance(a, list):
            if not isinstance(b, list) or len(a) != len(b):
                return False
            pairs.extend(zip(a, b, strict=True))
        elif isinstance(a, bool) or isinstance(b, bool) or a != b:
            return False
    return True


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
