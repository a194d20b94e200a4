"""How the parts of a process are, in words that anybody may read."""

from collections.abc import Mapping
from typing import Final

from aob.core.answers import JsonObject

STATUS: Final = "status"


def status_words(told: Mapping[str, object]) -> JsonObject:
    """The status of a whole and of its parts, of theirs too; nothing else: no number, name, address or version."""
    found: JsonObject = {}
    for name, part in told.items():
        if name == STATUS and isinstance(part, str):
            found[name] = part
        elif isinstance(part, Mapping) and (words := status_words(part)):
            found[name] = words
    return found
