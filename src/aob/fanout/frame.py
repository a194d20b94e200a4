"""Server-sent events on the wire: one event in, its bytes out (WHATWG HTML, 9.2)."""

from collections.abc import Mapping
from typing import Final

import msgspec

RETRY_MS: Final = 1_000
OPENING: Final = b"retry: %d\n\n" % RETRY_MS
"""Sent first: the head of the answer leaves at once, and readers come back after a second."""
HEARTBEAT: Final = b": heartbeat\n\n"
"""A comment: keeps proxies from closing a silent stream, and finds readers that have gone."""

_encode = msgspec.json.Encoder().encode


def encode_frame(position: str, event: str, data: Mapping[str, object]) -> bytes:
    """One event. JSON holds no raw line break, and neither a position nor an event's name may."""
    if not (event.isprintable() and position.isprintable()):
        raise ValueError(f"{event!r} at {position!r} cannot be the head of an event")
    head = f"id: {position}\nevent: {event}\ndata: " if position else f"event: {event}\ndata: "
    return head.encode() + _encode(data) + b"\n\n"
