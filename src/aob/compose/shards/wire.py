"""Frames between the main process and an owner, over any transport: today a private pair of sockets. A frame is msgpack
of (number, kind, body). The number pairs answers with requests; bodies are JSON, except for the bytes of a blob."""

import asyncio
import socket
from collections.abc import Callable
from enum import IntEnum
from itertools import count
from typing import Any, Final

import msgspec

from aob.backends.stream_transport import StreamTransport
from aob.compose.layout import Layout
from aob.core.answers import JsonObject
from aob.core.errors import AobError
from aob.core.policy import Caller
from aob.core.problem import error_of
from aob.ports.transport import Transport

WINDOW: Final = 512  # items of a stream in flight before the reader asks for more


class Kind(IntEnum):
    """The kind of a frame. ASK MORE CANCEL STOP go to the owner, the others to the main process; the owner's own
    requests (see `upward`) have numbers below zero and go the other way."""

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


class Ask(msgspec.Struct):
    """A verb to be performed for a caller, with the fields of its arguments, in order or by name."""

    verb: str
    who: Caller | None
    args: list[Any]
    named: dict[str, Any]


class Hello(msgspec.Struct):
    """The first request: which shard of which home, its layout, settings and handlers. `path` is Python's module search
    path."""

    home: str
    shard: int
    settings: dict[str, Any]
    app: list[str]
    path: list[str]
    layout: Layout


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


class Asks:
    """The pending requests of one end. Numbers of the main process are above zero, those of an owner below. `lost`
    makes the error of requests that will not be answered."""

    def __init__(self, wire: Wire, step: int, lost: Callable[[], AobError]) -> None:
        self._wire, self._lost = wire, lost
        self.numbers = count(step, step)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}

    async def ask(self, ask: object, number: int | None = None) -> Any:
        """Send and await the answer. Raises the other end's error."""
        number = next(self.numbers) if number is None else number
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._wire.send(number, Kind.ASK, encode(ask))
        try:
            return value_of(await future)
        finally:
            self._waiting.pop(number, None)

    def take(self, frame: Frame) -> None:
        """Resolve a request if the frame answers it."""
        future = self._waiting.get(frame.number)
        if future is not None and not future.done():
            future.set_result(frame)

    def lost(self) -> None:
        """Fail all requests: the other end has gone."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._lost())


def value_of(frame: Frame) -> Any:
    """The content of a frame. Raises the error that it carries."""
    if frame.kind == Kind.ERROR:
        told = msgspec.json.decode(frame.body, type=JsonObject)
        raise error_of(told, int(told.get("status", 500)))
    return frame.body if frame.kind == Kind.BYTES else decode(frame.body)
