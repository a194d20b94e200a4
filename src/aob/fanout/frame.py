"""Server-sent events on the wire: one event in, its bytes out (WHATWG HTML, 9.2), made once for all who hear it."""

from collections.abc import Mapping
from typing import Final

import msgspec

RETRY_MS: Final = 1_000
OPENING: Final = b"retry: %d\n\n" % RETRY_MS
"""Sent first: the head of the answer leaves at once, and readers come back after a second."""
HEARTBEAT: Final = b": heartbeat\n\n"
"""A comment: keeps proxies from closing a silent stream, and finds readers that have gone."""

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
    """Where a stream begins, and no event: a reader that comes back before the first one goes on from there."""
    return b"id: %b\n\n" % position.encode()


class FrameCache:
    """Frames of the last things that were told, so that what many readers are told is encoded once.

    A thing is known by being the very same object; it is kept alive as long as its frame is. Together the frames have
    at most `bytes_max`.
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
