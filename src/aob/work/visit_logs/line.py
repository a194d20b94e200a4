"""A line of a handler as bytes: one JSON object that begins with its visit, so a reader selects a visit's lines by
their first bytes. And a reader who waits for the next one: woken, not polled."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from aob.core.errors import said, shown
from aob.ports.visit_logs import Line

LINE_MAX: Final = 16 * 1024
_HEAD: Final = b'{"visit":"'
_OURS: Final = frozenset({"visit", "at", "attempt", "message"})


class Follower:
    """A reader at the end of the present lines."""

    __slots__ = ("event", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()

    def wake(self) -> None:
        """There is more. Thread-safe."""
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self.loop.call_soon_threadsafe(self.event.set)


def encoded(visit: str, at_ms: int, attempt: int, message: object, fields: Mapping[str, object]) -> bytes:
    """One line, at most LINE_MAX long: non-JSON values as text, long fields left out. Never raises."""
    text = message if type(message) is str else message if isinstance(message, int | float | None) else shown(message)
    line: Line = {"visit": visit, "at": at_ms, "attempt": attempt, "message": text}
    try:
        data = msgspec.json.encode({**line, **_other(fields)}, enc_hook=shown)
    except Exception as error:  # a field of the handler's own may raise anything when it is read
        line["message"] = shown(text, LINE_MAX // 8)
        data = msgspec.json.encode({**line, "log_error": said(error)})
    if len(data) > LINE_MAX:
        data = msgspec.json.encode({**line, "message": str(line["message"])[: LINE_MAX // 8], "cut_bytes": len(data)})
    return data + b"\n"


def missing(count: int, at_ms: int) -> Line:
    """The line that stands for lines that are not there."""
    message = f"{count:,} lines are missing here" if count != 1 else "1 line is missing here"
    return {"visit": "", "at": at_ms, "attempt": 0, "message": message, "dropped": count}


def picker(visit: str, node: str) -> Callable[[bytes], bool]:
    """Which lines a reader wants: those of a visit, of all visits of a node, or all."""
    if visit:
        head = msgspec.json.encode({"visit": visit})[:-1] + b","
        return lambda raw: raw.startswith(head)
    if node:
        wanted = node.encode()
        return lambda raw: raw[len(_HEAD) : raw.find(b'"', len(_HEAD))].rpartition(b"/")[2] == wanted
    return lambda raw: raw.startswith(_HEAD)


def _other(fields: Mapping[str, object]) -> dict[str, object]:
    """What a handler logged besides its message; reserved names get a `_` appended until they are unique."""
    named: dict[str, object] = {}
    for name, value in fields.items():
        free = name
        while free in _OURS or (free != name and free in fields):
            free += "_"
        named[free] = value
    return named
