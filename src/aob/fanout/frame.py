"""Server-sent events on the wire: one event in, its bytes out (WHATWG HTML, 9.2), made once for all readers."""

from collections.abc import Mapping
from typing import Final

import msgspec

RETRY_MS: Final = 1_000
OPENING: Final = b"retry: %d\n" % RETRY_MS
"""Sent first, so that the response headers leave at once; clients reconnect after a second. No empty line follows it or
a heartbeat: libraries such as httpx-sse make an event of each."""
HEARTBEAT: Final = b": heartbeat\n"
"""A comment: keeps proxies from closing a silent stream, and detects readers that have disconnected."""

_encode = msgspec.json.Encoder().encode
_TO_SPACES: Final = bytes.maketrans(b"\n\r", b"  ")


def encode_frame(position: str, event: str, data: Mapping[str, object]) -> bytes:
    """One event. JSON holds no raw line break, and neither a position nor an event's name may."""
    if not (event.isprintable() and position.isprintable()):
        raise ValueError(f"{event!r} at {position!r} cannot be the head of an event")
    head = f"id: {position}\nevent: {event}\ndata: " if position else f"event: {event}\ndata: "
    body = _encode(data)
    if b"\n" in body or b"\r" in body:  # raw JSON inside: between its tokens a line break is a space
        body = body.translate(_TO_SPACES)
    return head.encode() + body + b"\n\n"


def encode_place(position: str) -> bytes:
    """Where a stream begins, without an event: a reader that reconnects before the first event resumes here."""
    return b"id: %b\n\n" % position.encode()


class FrameCache:
    """Cache of the latest frames, so that an event sent to many readers is encoded once.

    Events are matched by identity and kept alive as long as their frame. All frames together hold at most `bytes_max`.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max, self._bytes = bytes_max, 0
        self._frames: dict[int, tuple[Mapping[str, object], str, str, bytes]] = {}

    def frame(self, position: str, event: str, data: Mapping[str, object]) -> bytes:
        """As `encode_frame`."""
        key = id(data)
        known = self._frames.get(key)
        if known is not None and known[1] == position and known[2] == event:
            return known[3]
        made = encode_frame(position, event, data)
        if known is not None:
            self._bytes -= len(known[3])
        self._frames[key] = (data, position, event, made)
        self._bytes += len(made)
        while self._bytes > self._bytes_max:
            _, _, _, gone = self._frames.pop(next(iter(self._frames)))
            self._bytes -= len(gone)
        return made
