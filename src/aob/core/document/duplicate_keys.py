"""Finds the first duplicate key in JSON text: which of its values counts differs between decoders."""

import json
from typing import Final

from aob.core.answers import JsonValue


class _Twice(Exception):  # noqa: N818  # control flow out of the decoder, never visible outside
    pass


def _pairs(items: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    made = dict(items)
    if len(made) != len(items):
        seen: set[str] = set()
        for key, _ in items:
            if key in seen:
                raise _Twice(key)
            seen.add(key)
    return made


_decoder: Final = json.JSONDecoder(object_pairs_hook=_pairs)


def key_twice(text: bytes | str) -> str | None:
    """The first duplicate key of an object; None also for invalid JSON, which its reader refuses."""
    try:
        _decoder.decode(text if isinstance(text, str) else text.decode())
    except _Twice as twice:
        return str(twice)
    except (ValueError, RecursionError):
        return None
    return None
