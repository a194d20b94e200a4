"""Frames between the main process and an owner, over any transport: today a pair of sockets that nobody else can open.

A frame is msgpack of (number, kind, body). The number pairs answers with asks; bodies are JSON, except for the bytes of
a blob.
"""

import asyncio
import socket
from enum import IntEnum
from typing import Any, Final

import msgspec

from aob.backends.stream_transport import StreamTransport
from aob.compose.layout import Layout
from aob.core.policy import Caller
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


async def end_tasks(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel tasks and wait until each has ended."""
    ending = [task for task in tasks if task is not None]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
