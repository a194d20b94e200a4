"""`Transport` over a byte stream (socket pair, TCP, TLS): a message is its length (4 bytes, big endian), its bytes."""

import asyncio
import socket
from typing import Final

MESSAGE_MAX: Final = 512 * 1024 * 1024


class StreamTransport:
    """One end of a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, sock: socket.socket) -> "StreamTransport":
        """A transport over one socket of a pair, which it closes at the end."""
        return cls(*await asyncio.open_unix_connection(sock=sock))

    def send(self, message: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(len(message).to_bytes(4, "big") + message)

    async def drained(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    async def receive(self) -> bytes | None:
        """The next message; None also for an impossible length."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            return await self._reader.readexactly(size) if size <= MESSAGE_MAX else None
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        self._writer.close()
