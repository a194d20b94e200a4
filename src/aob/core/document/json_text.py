"""Parses JSON text to plain values, their places, and duplicate keys. Invalid JSON is Malformed, with line and
column."""

import json
import math
import re
from bisect import bisect_right
from typing import Final, NoReturn

from aob.core.answers import JsonValue
from aob.core.document.places import Spot
from aob.core.document.shape import Tree, Value, escape
from aob.core.errors import Malformed

PATHS_CHARS_MAX: Final = 64 * 1024 * 1024
"""Characters of the paths of all values together: long keys are part of the path of everything below them."""

_PIECE: Final = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+)')


def read_json(text: str) -> tuple[Value, bool]:
    """The value of a text, and whether it has a duplicate key (the last one counts). Raises Malformed."""
    twice = False

    def pairs(items: list[tuple[str, Value]]) -> Tree:
        nonlocal twice
        made = dict(items)
        twice = twice or len(made) != len(items)
        return made

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=_refuse, parse_float=_finite), twice
    except json.JSONDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise Malformed(why, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise Malformed("the JSON is nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"a number is too long: {error}") from None


def _refuse(name: str) -> NoReturn:
    raise Malformed(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Malformed(f"{text[:40]} is out of range", hint="numbers have 64 bits")
    return value


class _Frame:
    """A map or list being read: its place, and its next index or key."""

    __slots__ = ("is_map", "key", "key_at", "keys", "next", "path")

    def __init__(self, path: str, is_map: bool) -> None:
        self.path, self.is_map = path, is_map
        self.next = 0
        self.key: str | None = None
        self.key_at = 0
        self.keys: set[str] = set()


def json_spots(text: str) -> tuple[dict[str, Spot], list[str]]:
    """The spot of every value of a JSON text, and the paths of duplicate keys; of a text with very long keys only the
    first."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(offset: int) -> tuple[int, int]:
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    spots: dict[str, Spot] = {}
    twice: list[str] = []
    stack: list[_Frame] = []
    chars = 0
    for found in _PIECE.finditer(text):
        at, piece = found.start(1), found.group(1)
        top = stack[-1] if stack else None
        if piece in "}]":
            stack.pop()
        elif piece == "," or piece == ":":
            continue
        elif top is not None and top.is_map and top.key is None:
            top.key, top.key_at = json.loads(piece), at
            if top.key in top.keys:
                twice.append(f"{top.path}/{escape(top.key)}")
            top.keys.add(top.key)
        else:
            path, key_place = _step(top, place)
            chars += len(path)
            if chars > PATHS_CHARS_MAX:
                return spots, twice  # later values have the place of their container
            line, column = place(at)
            inner = 1 if piece[0] == '"' else 0
            if piece in "{[":
                spots[path] = Spot(line, column, *key_place)
                stack.append(_Frame(path, piece == "{"))
            else:
                raw = piece[1:-1] if "\\" in piece else ""
                spots[path] = Spot(line, column, *key_place, line, column + inner, 1, raw)
    return spots, twice


def _step(frame: _Frame | None, place: Value) -> tuple[str, tuple[int, int]]:
    if frame is None:
        return "", (0, 0)
    if frame.key is None:
        frame.next += 1
        return f"{frame.path}/{frame.next - 1}", (0, 0)
    key, frame.key = frame.key, None
    return f"{frame.path}/{escape(key)}", place(frame.key_at)


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
    """The first duplicate key of an object: which of its values counts differs between decoders. None also for invalid
    JSON, which its reader refuses."""
    try:
        _decoder.decode(text if isinstance(text, str) else text.decode())
    except _Twice as twice:
        return str(twice)
    except (ValueError, RecursionError):
        return None
    return None
