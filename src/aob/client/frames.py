"""Splits the bytes of a stream into events or lines. No I/O: the caller feeds bytes."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.answers import JsonObject

BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_decode: Final = msgspec.json.Decoder(JsonObject).decode


class Event(msgspec.Struct, frozen=True):
    """One event of a feed: its name, its data, and the position to resume from."""

    name: str
    data: JsonObject
    position: str


class Lines:
    """Splits bytes into whole lines. Only LF ends a line: JSON may contain other line breaks that Python knows."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that this piece completes, without their ends."""
        head, *more = piece.split(b"\n")
        self._rest.append(head)
        if not more:
            return []
        whole = b"".join(self._rest)
        self._rest = [more.pop()]
        return [whole, *more]

    def end(self) -> list[bytes]:
        """The rest when the stream has ended without a line end."""
        rest = b"".join(self._rest)
        self._rest.clear()
        return [rest] if rest else []


class Frames:
    """Parses server-sent events by the standard: a line ends with CR, LF or CRLF, lines of data are joined by LF;
    comments, unknown fields, an id with a NUL and an incomplete event are ignored. `retry_ms` is how long the server
    asks to wait before reconnecting."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = self._after_cr = False
        self._name, self._position, self._at = "", "", ""
        self._data: list[bytes] = []
        self.retry_ms: int | None = None

    @property
    def position(self) -> str:
        """Where to resume, also when there was no event yet."""
        return self._at

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        found = []
        for line in self._lines(piece):
            event = self._line(line)
            if event is not None:
                found.append(event)
        return found

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        if self._after_cr and piece:  # a CR at the end of a piece ended its line; the LF of a CRLF ends no other
            piece, self._after_cr = piece.removeprefix(b"\n"), False
        whole = self._rest + piece
        if not self._begun:
            if len(whole) < len(BOM) and BOM.startswith(whole):
                self._rest = whole
                return
            self._begun, whole = True, whole.removeprefix(BOM)
        self._after_cr = self._after_cr or whole.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(whole)
        yield from lines

    def _line(self, line: bytes) -> Event | None:
        if not line:
            self._at = self._position
            data, name = b"\n".join(self._data), self._name or "message"
            self._data, self._name = [], ""
            return Event(name, _decode(data), self._position) if data else None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            self._position = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit():
            self.retry_ms = int(value)
        return None
