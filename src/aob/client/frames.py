"""Bytes of a stream in, events or lines out. No I/O: whoever reads the bytes feeds them here."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject

_decode: Final = msgspec.json.Decoder(JsonObject).decode


class Event(msgspec.Struct, frozen=True):
    """One event of a feed: its name, its data, and the position to go on from."""

    name: str
    data: JsonObject
    position: str


class Lines:
    """Whole lines of pieces of bytes. Only LF ends a line: JSON may hold what Python calls a line break."""

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
        """What is left when the stream has ended without a line end."""
        rest = b"".join(self._rest)
        self._rest.clear()
        return [rest] if rest else []


class Frames:
    """Server-sent events of pieces of bytes; comments and unknown fields are ignored, as the standard says."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._name, self._data, self._position = "message", b"", ""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        found = []
        for line in self._lines.feed(piece):
            event = self._line(line.removesuffix(b"\r"))
            if event is not None:
                found.append(event)
        return found

    def _line(self, line: bytes) -> Event | None:
        if not line:
            data, name = self._data, self._name
            self._data, self._name = b"", "message"
            return Event(name, _decode(data), self._position) if data else None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data += value
        elif field == b"event":
            self._name = value.decode()
        elif field == b"id":
            self._position = value.decode()
        return None
