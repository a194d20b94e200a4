"""Requests between processes: verbs with their callers go out as frames, answers and streams come back; over any
transport."""

from aob.compose.wire.asks import LOST, Answer, Asking
from aob.compose.wire.channel import DOWN, RETRY_S, Channel
from aob.compose.wire.frames import Ask, Kind, Wire, encode
from aob.compose.wire.requests import Requests
from aob.compose.wire.waiting import Waiting

__all__ = [
    "DOWN", "LOST", "RETRY_S", "Answer", "Ask", "Asking", "Channel", "Kind", "Requests", "Waiting", "Wire", "encode",
]  # fmt: skip
