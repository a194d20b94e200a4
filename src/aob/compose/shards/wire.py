"""Frames between the main process and an owner, over any transport: today a pair of sockets that nobody else can open.

A frame is msgpack of (number, kind, body). The number pairs answers with asks; bodies are JSON, except for the bytes of
a blob.
"""

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

WINDOW: Final = 512
"""Items of a stream that may be on their way before the reader asks for more."""


class Kind(IntEnum):
    """What a frame is. ASK MORE CANCEL STOP go to the owner, the others come from it; its own asks (see `upward`)
    have numbers below zero and go the other way."""

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
    """One message. An ask's number is its own; what belongs to it carries the same."""

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
    """The first ask: which shard of which home, laid out how, with which settings and handlers. `path` is where Python
    looks for modules."""

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
    """One end. `send` never waits; `drained` waits until the other end has taken enough."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.drained, self.close = transport.drained, transport.close

    @classmethod
    async def over(cls, sock: socket.socket) -> "Wire":
        """A wire over one socket of a pair, which it closes in the end."""
        return cls(await StreamTransport.over(sock))

    def send(self, number: int, kind: Kind, body: bytes = b"") -> None:
        """Put a frame on its way; into the void when the other end has gone."""
        self._transport.send(_pack(Frame(number, kind, body)))

    async def receive(self) -> Frame | None:
        """The next frame, None when the other end has gone."""
        message = await self._transport.receive()
        return None if message is None else _unpack(message)


class Asks:
    """What one end has asked of the other and waits for. Numbers of the main process are above zero, those of an owner
    below, so that none is taken for the other's. `lost` makes the error of asks that nobody answers any more."""

    def __init__(self, wire: Wire, step: int, lost: Callable[[], AobError]) -> None:
        self._wire, self._lost = wire, lost
        self.numbers = count(step, step)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}

    async def ask(self, ask: object, number: int | None = None) -> Any:
        """The answer. Raises the other end's error."""
        number = next(self.numbers) if number is None else number
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._wire.send(number, Kind.ASK, encode(ask))
        try:
            return value_of(await future)
        finally:
            self._waiting.pop(number, None)

    def take(self, frame: Frame) -> None:
        """A frame may answer one of them."""
        future = self._waiting.get(frame.number)
        if future is not None and not future.done():
            future.set_result(frame)

    def lost(self) -> None:
        """The other end has gone."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._lost())


def value_of(frame: Frame) -> Any:
    """What a frame tells. Raises the error that it tells."""
    if frame.kind == Kind.ERROR:
        told = msgspec.json.decode(frame.body, type=JsonObject)
        raise error_of(told, int(told.get("status", 500)))
    return frame.body if frame.kind == Kind.BYTES else decode(frame.body)


async def end_tasks(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel tasks and wait until each has ended."""
    ending = [task for task in tasks if task is not None]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
