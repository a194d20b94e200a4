"""A proxy before a server that changes what the server says, byte for byte of the same length. In a thread of its own,
so that commands in other processes and in this one use it."""

import asyncio
import re
import threading
from collections.abc import Callable

from tests.servers.listening import listening

CHUNK = 65_536


class Lying:
    """A port of 127.0.0.1, while it is entered."""

    def __init__(self, to: int, pattern: bytes, change: Callable[[re.Match[bytes]], bytes]) -> None:
        self._to, self._pattern, self._change = to, re.compile(pattern), change
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.port = 0

    def __enter__(self) -> int:
        self._thread.start()
        self._ready.wait()
        return self.port

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with listening(self._join) as self.port:
            self._ready.set()
            await self._over.wait()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            await asyncio.gather(
                self._carry(reader, there, change=False), self._carry(far, writer, change=True), return_exceptions=True
            )
        finally:
            there.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, change: bool) -> None:
        try:
            while chunk := await reader.read(CHUNK):
                if change:
                    said = self._pattern.sub(self._change, chunk)
                    assert len(said) == len(chunk)
                    chunk = said
                writer.write(chunk)
                await writer.drain()
        finally:
            writer.close()
