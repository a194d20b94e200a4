"""A TCP proxy before a server, for tests of faults: it delays, holds or cuts what goes through, at any byte. Bounded:
so many connections, and of each direction one chunk."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Literal, Self

Way = Literal["up", "down"]
"""`up`: what the client sends; `down`: what the server answers."""
WAYS: Final[tuple[Way, Way]] = ("up", "down")
CONNECTIONS_MAX: Final = 256
CHUNK: Final = 64 << 10


class Proxy:
    """`async with Proxy(host, port) as proxy`, then connect to `127.0.0.1` and `proxy.port`."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._to = host, port
        self.port = 0
        self.refusing = False
        """New connections are closed at once."""
        self.delay_s: dict[Way, float] = {"up": 0.0, "down": 0.0}
        """How long each chunk waits."""
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        """Bytes that went through."""
        self.cuts = self.accepted = 0
        self.watch: Callable[[Way, bytes], bool] | None = None
        """Asked about each chunk before it goes through; if it says yes all connections are broken off."""
        self._left: dict[Way, int | None] = {"up": None, "down": None}
        self._open = {way: asyncio.Event() for way in WAYS}
        self._writers: set[asyncio.StreamWriter] = set()
        self._pairs: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        for way in WAYS:
            self._open[way].set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=CHUNK)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            await asyncio.sleep(0)  # a connection that was just accepted is among them then
            self.cut()
            for task in self._pairs:
                task.cancel()
            await asyncio.gather(*self._pairs, return_exceptions=True)
            await asyncio.sleep(0)  # a transport that was aborted closes its socket in the next step of the loop
            await server.wait_closed()

    @property
    def url(self) -> str:
        """Where to connect to, as `host:port`."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break all connections off, both sides."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    def cut_after(self, way: Way, count: int) -> None:
        """So many more bytes pass this way, then all connections are broken off."""
        self._left[way] = count

    def hold(self, way: Way) -> None:
        """Nothing more passes this way, and nobody is told: a half-open connection."""
        self._open[way].clear()

    def release(self) -> None:
        """Everything passes again, what was held too; no cut is planned any more."""
        self._left = {"up": None, "down": None}
        for way in WAYS:
            self._open[way].set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing or len(self._pairs) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._writers.add(writer)  # here, not in the task: one that is cancelled before it begins closes nothing
        task = asyncio.get_running_loop().create_task(self._join(reader, writer))
        self._pairs.add(task)
        task.add_done_callback(self._pairs.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        try:
            far, there = await asyncio.open_connection(self._host, self._to, limit=CHUNK)
            ends.add(there)
            self._writers.add(there)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry("up", reader, there))
                both.create_task(self._carry("down", far, writer))
        except* OSError:
            pass
        finally:
            for end in ends:
                self._writers.discard(end)
                end.transport.abort()

    async def _carry(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # what was drained has left this process
        while chunk := await reader.read(CHUNK):
            if self.delay_s[way]:
                await asyncio.sleep(self.delay_s[way])
            await self._open[way].wait()
            if self.watch is not None and self.watch(way, chunk):
                self.cut()
                return
            left = self._left[way]
            part = chunk if left is None else chunk[:left]
            self.passed[way] += len(part)
            writer.write(part)
            await writer.drain()
            if left is not None:
                self._left[way] = left - len(part)
                if len(part) < len(chunk) or left == len(part):
                    self._left[way] = None
                    self.cut()
                    return
        with contextlib.suppress(RuntimeError):  # a loop may say so of one that is closed
            writer.write_eof()
