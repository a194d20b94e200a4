"""The id of an edge that was written without one: made from what it joins, the same wherever it is made."""

import hashlib
import re
from collections.abc import Container, Mapping
from typing import Final

NAME_MAX: Final = 56
"""Characters of a readable name, so that a number still fits behind it."""

_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def edge_id(edge: Mapping[str, object], taken: Container[str]) -> str:
    """`from-to`, with the outcome when it is not success; two patches that add the same edge meet in the same id."""
    on = edge.get("on", "success")
    name = f"{edge['from']}-{edge['to']}" + ("" if on == "success" else f"-{on}")
    if len(name) > NAME_MAX or not _ID.fullmatch(name):
        name = "edge-" + hashlib.sha256(name.encode()).hexdigest()[:16]
    id, number = name, 2
    while id in taken:
        id, number = f"{name}-{number}", number + 1
    return id
