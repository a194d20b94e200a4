"""Frames between processes of a home or cluster, over any transport: a private pair of sockets, TCP, TLS. A frame is
msgpack of (number, kind, body). The number pairs answers with requests; bodies are JSON, except for the bytes of a
blob."""

import socket
from enum import IntEnum
from typing import Any, Final

import msgspec

from aob.backends.stream_transport import StreamTransport
from aob.core.answers import JsonObject
from aob.core.policy import Caller
from aob.core.problem import error_of
from aob.ports.telemetry import Trace
from aob.ports.transport import Transport

WINDOW: Final = 512  # items of a stream in flight before the reader asks for more


class Kind(IntEnum):
    """The kind of a frame. ASK MORE CANCEL STOP go to the end that answers, the others come from it; an owner's own
    requests to its main process (see `Asking`) have numbers below zero and go the other way."""

    ASK = 1
    MORE = 2
    CANCEL = 3
    STOP = 4
    VALUE = 5
    BYTES = 6
    ERROR = 7
    ITEM = 8
    END = 9
    OPENING = 10


class Frame(msgspec.Struct, array_like=True):
    """One message. A request's number is unique; all frames that belong to it carry it."""

    number: int
    kind: Kind
    body: bytes = b""


class Ask(msgspec.Struct, omit_defaults=True):
    """A verb to be performed for a caller, with the fields of its arguments, in order or by name: by a shard, or by the
    process itself (-1). `trace` is that of the caller; `left_ms`, if not 0, is how long the caller still waits."""

    verb: str
    who: Caller | None
    args: list[Any]
    named: dict[str, Any]
    shard: int = -1
    trace: Trace | None = None
    left_ms: int = 0


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder().decode
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Frame).decode


class Wire:
    """One end. `send` never waits; `drained` waits until the other end has read enough."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.drained, self.close = transport.drained, transport.close

    @classmethod
    async def over(cls, sock: socket.socket) -> "Wire":
        """A wire over one socket of a pair, which it closes at the end."""
        return cls(await StreamTransport.over(sock))

    def send(self, number: int, kind: Kind, body: bytes = b"") -> None:
        """Send a frame; does nothing when the other end has gone."""
        self._transport.send(_pack(Frame(number, kind, body)))

    async def receive(self) -> Frame | None:
        """The next frame, None when the other end has gone."""
        message = await self._transport.receive()
        return None if message is None else _unpack(message)


def value_of(frame: Frame) -> Any:
    """The content of a frame. Raises the error that it carries."""
    if frame.kind == Kind.ERROR:
        told = msgspec.json.decode(frame.body, type=JsonObject)
        raise error_of(told, int(told.get("status", 500)))
    return frame.body if frame.kind == Kind.BYTES else decode(frame.body)
