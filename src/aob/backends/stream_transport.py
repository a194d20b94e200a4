"""`Transport` over a byte stream (socket pair, TCP, TLS): a message is its length (4 bytes, big endian), its bytes. A
length of all ones is a ping and has no bytes."""

import asyncio
import socket
from collections import deque
from typing import Any, Final, cast

from aob.core.errors import TooLarge

MESSAGE_MAX: Final = 512 * 1024 * 1024
UNREAD_MAX: Final = 256 * 1024  # bytes of received messages that nobody has taken, before reading is paused
UNREAD_LOW: Final = 64 * 1024
TOGETHER_MAX: Final = 64 * 1024  # a longer message is not copied to be sent behind its length
PING: Final = b"\xff\xff\xff\xff"
PING_S: Final = 1.0
END_S: Final = 1.0  # for what is still to be sent, and the orderly end of TLS
SILENT_MAX: Final = 5  # so many intervals without a byte: the other end is gone
_PING: Final = int.from_bytes(PING, "big")
_HTTP: Final = "it speaks HTTP: the address is that of another service"
_FOREIGN: Final = {
    b"\x16\x03": "it speaks TLS, and this end has no certificates",
    b"GE": _HTTP, b"PO": _HTTP, b"HE": _HTTP, b"HT": _HTTP, b"PR": _HTTP,
}  # fmt: skip
"""How a message begins that is none: a length over all limits."""


class StreamTransport(asyncio.Protocol):
    """One end of a stream. `error` is why it ended, if it broke; `size_max` bounds messages both ways; `full` says that
    a sender has to wait."""

    def __init__(self, size_max: int = MESSAGE_MAX) -> None:
        self.size_max = size_max
        self.error: Exception | None = None
        self._messages = deque[bytes]()
        self._unread = 0  # bytes in `_messages`
        self._rest = bytearray()  # the begin of a message
        self._wanted = 4  # bytes that `_rest` needs before it can be read on
        self._paused = self._gone = False
        self._receiver: asyncio.Future[None] | None = None
        self.full = False
        self._drained: list[asyncio.Future[None]] = []
        self._over = asyncio.Event()
        self._sent = self._heard = False  # since the last ping was due
        self._silent = 0
        self._ticking: asyncio.TimerHandle | None = None

    @classmethod
    async def over(cls, sock: socket.socket) -> "StreamTransport":
        """A transport over one socket of a pair, which it closes at the end."""
        _, made = await asyncio.get_running_loop().create_unix_connection(cls, sock=sock)
        return made

    def send(self, message: bytes) -> None:
        """Raises TooLarge `message_too_large`."""
        size = len(message)
        if size > self.size_max:
            raise TooLarge(
                f"a message of {size} bytes is larger than {self.size_max}", code="message_too_large",
                hint="ask for less at once, or put large values into blobs",
            )  # fmt: skip
        if self._gone or self._stream.is_closing():
            return
        self._sent = True
        if size <= TOGETHER_MAX:
            self._stream.write(size.to_bytes(4, "big") + message)
        else:
            self._stream.write(size.to_bytes(4, "big"))
            self._stream.write(message)

    async def drained(self) -> None:
        while self.full and not self._gone:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drained.append(waiting)
            await waiting

    async def receive(self) -> bytes | None:
        """The next message; None also after a message of an impossible length. For one reader at a time."""
        while not self._messages:
            if self._gone:
                return None
            self._receiver = asyncio.get_running_loop().create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._messages.popleft()
        self._unread -= len(message)
        if self._paused and self._unread <= UNREAD_LOW and not self._gone:
            self._paused = False
            self._stream.resume_reading()
        return message

    def close(self) -> None:
        self._stream.close()

    def abort(self) -> None:
        """Close at once; what is not yet sent is lost."""
        self._stream.abort()

    async def ended(self) -> None:
        """Close, and wait until the connection is over; after `END_S` it is cut off. A loop that stops before leaves
        its socket open."""
        self.close()
        try:
            async with asyncio.timeout(END_S):
                await self._over.wait()
        except TimeoutError:
            pass
        finally:
            if not self._gone:
                self.abort()
        await asyncio.sleep(0)  # the loop closes the socket once it has told that the connection is lost

    def told(self, name: str) -> Any:
        """What the loop knows of the connection: `peername`, `peercert`."""
        return self._stream.get_extra_info(name)

    def ping(self, every_s: float = PING_S, silent_max: int = SILENT_MAX) -> None:
        """Send a ping each interval in which nothing else is sent, and hang up once nothing has come for so many. Both
        ends do; what the other end does not read yet does not count against it. The intervals are those of this loop:
        a process that was stopped blames nobody for it."""
        loop = asyncio.get_running_loop()

        def tick() -> None:
            self._silent = 0 if self._heard or self._paused else self._silent + 1
            if self._silent >= silent_max:
                self.error = self.error or TimeoutError(f"nothing came for {every_s * silent_max:g} s")
                self._stream.abort()
                return
            if not (self._sent or self.full or self._stream.is_closing()):
                self._stream.write(PING)
            self._sent = self._heard = False
            self._ticking = loop.call_later(every_s, tick)

        self._ticking = loop.call_later(every_s, tick)

    # -- called by the loop -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = self.error or exc
        self._gone = True
        self._over.set()
        if self._ticking is not None:
            self._ticking.cancel()
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
        self.resume_writing()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        waiting, self._drained = self._drained, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if not self._rest and int.from_bytes(data[:4], "big") == (size := len(data) - 4) <= self.size_max:
            self._messages.append(data[4:])  # one message, whole: nearly all of them
            self._unread += size
        elif not self._split(data):
            return
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
        if self._unread > UNREAD_MAX and not self._paused:
            self._paused = True
            self._stream.pause_reading()

    def _split(self, data: bytes) -> bool:
        """Take the messages of any piece of the stream; whether there are any."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return False
            data, self._rest = bytes(self._rest), bytearray()
        at, end = 0, len(data)
        while end - at >= 4:
            size = int.from_bytes(data[at : at + 4], "big")
            if size == _PING:
                at += 4
                continue
            if size > self.size_max:
                too_large = f"a message of {size} bytes is larger than {self.size_max}"
                self.error = ValueError(_FOREIGN.get(data[at : at + 2], too_large))
                self._stream.abort()
                return bool(self._messages)
            if end - at - 4 < size:
                break
            self._messages.append(data[at + 4 : at + 4 + size])
            self._unread += size
            at += 4 + size
        if at < end:
            self._rest += memoryview(data)[at:]
            self._wanted = 4 + int.from_bytes(self._rest[:4], "big") if end - at >= 4 else 4
        return bool(self._messages)
