"""Generates the id of an edge written without one, deterministically from its ends."""

import hashlib
import re
from collections.abc import Container, Mapping
from typing import Final

NAME_MAX: Final = 56  # characters of a readable name, with room for a number

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
