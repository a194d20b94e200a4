"""Connections over TCP, with or without TLS: one is opened by `connect`, many are accepted by `Listener`, which bounds
what callers cost that have not proved who they are."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from aob.backends.stream_transport import StreamTransport
from aob.core.errors import Busy

CONNECT_S: Final = 5.0
HELLO_S: Final = 5.0  # from the connection to the proof
HELLO_BYTES_MAX: Final = 64 * 1024  # a message of one who has not proved himself
ENTERING_MAX: Final = 128  # connections without proof; then the oldest of the busiest address is closed
CROWDED: Final = 32  # of these: from here on one connection is accepted each pause
WAITING_MAX: Final = 1_024  # connections that the system keeps until they are accepted
PAUSE_S: Final = 0.001
CONNECTIONS_MAX: Final = 1_024
SHUTDOWN_S: Final = 1.0  # for the orderly end of TLS
MESSAGE_MAX: Final = 64 * 1024 * 1024

Proved = Callable[[], None]
Serve = Callable[[StreamTransport, Proved], Awaitable[None]]


async def connect(host: str, port: int, tls: ssl.SSLContext | None, *, size_max: int = MESSAGE_MAX) -> StreamTransport:
    """A connection. Raises OSError: nobody listens, nobody answers in `CONNECT_S`, or TLS refuses the other end."""
    loop = asyncio.get_running_loop()
    made = StreamTransport(size_max)
    try:
        async with asyncio.timeout(CONNECT_S):
            await loop.create_connection(
                lambda: made, host, port, ssl=tls, ssl_handshake_timeout=CONNECT_S if tls else None,
                ssl_shutdown_timeout=SHUTDOWN_S if tls else None,
            )  # fmt: skip
    except TimeoutError:
        raise TimeoutError(f"no connection within {CONNECT_S:g} s") from None
    made.told("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


class Listener:
    """Accepts connections at an address until it is left. `serve` is called with each, and with what it has to call
    once the caller has proved who he is, within `HELLO_S`; the connection is closed when it returns. `tls` is asked at
    each connection, so that new certificates count from the next one; `refused` is told of each connection that TLS
    ended, with its address."""

    def __init__(
        self, serve: Serve, tls: Callable[[], ssl.SSLContext | None] = lambda: None, *,
        refused: Callable[[str, Exception], None] = lambda address, error: None,
        size_max: int = MESSAGE_MAX, hello_s: float = HELLO_S,
    ) -> None:  # fmt: skip
        self._serve, self._tls, self._refused = serve, tls, refused
        self._size_max, self._hello_s = size_max, hello_s
        self._entering: dict[asyncio.Task[None], str] = {}  # in the order in which they came
        self._inside = set[asyncio.Task[None]]()
        self._accepting: asyncio.Task[None] | None = None
        self._sock: socket.socket | None = None
        self.address = ("", 0)

    async def open(self, host: str, port: int) -> "Listener":
        """Listen. Raises OSError."""
        loop = asyncio.get_running_loop()
        ((family, _, _, _, place), *_) = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(place)
            sock.listen(WAITING_MAX)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        self.address, self._sock = sock.getsockname()[:2], sock
        self._accepting = asyncio.create_task(self._accept(sock), name="aob-accept")
        return self

    async def close(self) -> None:
        """Accept nothing more and close all connections. Idempotent."""
        tasks = [task for task in (self._accepting, *self._entering, *self._inside) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sock is not None:
            self._sock.close()

    async def __aenter__(self) -> "Listener":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                came, peer = await loop.sock_accept(sock)
            except OSError:  # no more files: what is open goes on
                await asyncio.sleep(PAUSE_S)
                continue
            if len(self._entering) >= ENTERING_MAX:
                self._evict()
            held = [came]
            task = asyncio.create_task(self._enter(held, f"{peer[0]}:{peer[1]}"), name=f"aob-peer-{peer[0]}")
            self._entering[task] = peer[0]
            task.add_done_callback(partial(self._leave, held))
            if len(self._entering) > CROWDED:
                await asyncio.sleep(PAUSE_S)

    def _evict(self) -> None:
        """Close the oldest connection without proof, of the address that has most of them."""
        ((busiest, _),) = Counter(self._entering.values()).most_common(1)
        oldest = next(task for task, host in self._entering.items() if host == busiest)
        del self._entering[oldest]
        oldest.cancel()

    def _leave(self, held: list[socket.socket], task: asyncio.Task[None]) -> None:
        for sock in held:  # it was cancelled before it began
            sock.close()
        self._entering.pop(task, None)
        self._inside.discard(task)
        if not task.cancelled():
            task.exception()

    async def _enter(self, held: list[socket.socket], address: str) -> None:
        loop, task, sock = asyncio.get_running_loop(), asyncio.current_task(), held.pop()
        assert task is not None
        sock.setblocking(False)
        hurry = loop.call_later(self._hello_s, task.cancel)
        transport, connected = StreamTransport(HELLO_BYTES_MAX), False

        def proved() -> None:
            if len(self._inside) >= CONNECTIONS_MAX:
                raise Busy(f"{CONNECTIONS_MAX} processes are connected", code="too_many_peers")
            hurry.cancel()
            self._entering.pop(task, None)
            self._inside.add(task)
            transport.size_max = self._size_max

        try:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._tls()
            await loop.connect_accepted_socket(
                lambda: transport, sock, ssl=tls, ssl_handshake_timeout=self._hello_s if tls else None,
                ssl_shutdown_timeout=SHUTDOWN_S if tls else None,
            )  # fmt: skip
            connected = True
            await self._serve(transport, proved)
        except OSError as error:
            if not connected:
                self._refused(address, error)
        finally:
            hurry.cancel()
            if connected:
                await transport.ended()
            else:
                sock.close()
