"""The only outgoing path: resolves a name, checks every address, connects to a checked one. Lazy: it imports httpx. A
name is resolved once, here, and the connection goes to an address that passed, so that a name that resolves differently
the second time (DNS rebinding) gains nothing. The address of the connected socket is checked once more."""

import asyncio
import http.cookiejar
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Final

import httpcore
import httpx

from aob.ports.logger import Logger
from aob.work.egress.rules import Guard
from aob.work.job import WorkError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host, best first. Raises OSError when there are none."""

_log: Final = Logger("aob.work")
ADDRESSES_MAX: Final = 8
STUCK_S: Final = 5.0
"""A request that waits this long for a connection, where none should wait, waits for one that no request uses."""
KEEPALIVE_MAX: Final = 20
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore, only to addresses that the guard allows."""

    def __init__(self, guard: Guard, resolve: Resolve, inner: httpcore.AsyncNetworkBackend) -> None:
        self._guard, self._resolve, self._inner = guard, resolve, inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first checked address that answers. Raises EgressError, WorkError `dns_failed`, or httpcore's
        error when none answers."""
        self._guard.check_host(host, port)
        addresses = await self._addresses(host, port, timeout)
        failed: Exception | None = None
        for address in addresses:
            try:
                stream = await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
                continue
            await self._check_peer(host, port, stream)
            return stream
        raise failed or httpcore.ConnectError(f"no address of {host} answers")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SocketOption] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never: a socket file is no host."""
        raise httpcore.UnsupportedProtocol("socket files are not reached")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore does between its own attempts."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(timeout):
                addresses = list(await self._resolve(host, port))[:ADDRESSES_MAX]
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise _unresolved(host, str(error)) from error
        if not addresses:
            raise _unresolved(host, "it has no address")
        for address in addresses:  # all of them, before the first is tried: a mixed answer is refused as a whole
            self._guard.check_address(host, port, address)
        return addresses

    async def _check_peer(self, host: str, port: int, stream: httpcore.AsyncNetworkStream) -> None:
        peer = stream.get_extra_info("server_addr")
        try:
            if peer:
                self._guard.check_address(host, port, str(peer[0]))
        except WorkError:
            await stream.aclose()
            raise


class CheckedTransport(httpx.AsyncBaseTransport):
    """httpx on a pool of checked connections. Errors of httpcore pass through unchanged. Calls `replaced` each time a
    stuck pool was replaced. A pool serves under one version of the rules of its guard: they check as it connects."""

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext, connections: int,
        replaced: Callable[[], None], version: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self._version, self._served = version, version()
        self._backend, self._tls, self._connections = backend, tls, connections
        self._pool = self._made()
        self._old: set[_Pool] = set()
        self._replaced = replaced

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the answer's body is streamed."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        inner = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        # The caller bounds concurrent requests: none should wait inside, so waiting means that the pool is stuck.
        timeout = {**inner.extensions.get("timeout", {}), "pool": STUCK_S}
        inner.extensions = {**inner.extensions, "timeout": timeout}
        if self._served != (version := self._version()):
            self._served = version
            await self._exchange(self._pool)
        if self._pool.stuck():
            await self._replace(self._pool)
        try:
            return await self._send(self._pool, inner)
        except httpcore.PoolTimeout:
            await self._replace(self._pool)
            return await self._send(self._pool, inner)

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in (self._pool, *self._old):
            await pool.connections.aclose()
        self._old.clear()

    async def _send(self, pool: "_Pool", request: httpcore.Request) -> httpx.Response:
        pool.out += 1
        try:
            answer = await pool.connections.handle_async_request(request)
        except BaseException:
            await self._came_back(pool)
            raise
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer, lambda: self._came_back(pool))
        )

    async def _came_back(self, pool: "_Pool") -> None:
        pool.out -= 1
        if pool in self._old and not pool.out:
            self._old.discard(pool)
            await pool.connections.aclose()

    async def _replace(self, pool: "_Pool") -> None:
        """Replace a stuck pool, which closes after the requests that it still serves."""
        if pool is not self._pool:
            return  # a concurrent request has replaced it already
        self._replaced()
        _log.error("egress_pool_replaced", connections=len(pool.connections.connections), out=pool.out)
        await self._exchange(pool)

    async def _exchange(self, pool: "_Pool") -> None:
        """A new pool; the one before closes after the requests that it still serves."""
        self._pool = self._made()
        self._old.add(pool)
        if not pool.out:
            self._old.discard(pool)
            await pool.connections.aclose()

    def _made(self) -> "_Pool":
        return _Pool(
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=self._connections,
                max_keepalive_connections=min(KEEPALIVE_MAX, self._connections),
                keepalive_expiry=30.0,
                network_backend=self._backend,
            ),
            self._connections,
        )


class _Pool:
    """A pool of connections, and how many requests use it."""

    def __init__(self, connections: httpcore.AsyncConnectionPool, limit: int) -> None:
        self.connections, self.limit = connections, limit
        self.out = 0

    def stuck(self) -> bool:
        """Whether unused connections leave no room for a request."""
        known = self.connections.connections
        if len(known) < self.limit:
            return False
        return self.out < self.limit and not any(each.is_idle() or each.is_closed() for each in known)


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response, came_back: Callable[[], Awaitable[None]]) -> None:
        self._answer, self._came_back, self._closed = answer, came_back, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._answer.aclose()
        finally:
            await self._came_back()


class _NoCookies(http.cookiejar.DefaultCookiePolicy):
    """One client serves all tenants: a cookie set for one must not be sent with another's request."""

    def set_ok(self, cookie: object, request: object) -> bool:
        return False


@cache
def _authorities() -> ssl.SSLContext:
    """Whom a client trusts. Read once in a process: it takes 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


def open_client(guard: Guard, resolve: Resolve, connections: int, replaced: Callable[[], None]) -> httpx.AsyncClient:
    """A client of a home: no proxies from the environment, no cookies, no redirects by itself."""
    backend = CheckedBackend(guard, resolve, httpcore.AnyIOBackend())
    return httpx.AsyncClient(
        transport=CheckedTransport(backend, _authorities(), connections, replaced, lambda: guard.version),
        trust_env=False,
        follow_redirects=False,
        cookies=http.cookiejar.CookieJar(policy=_NoCookies()),
    )


def _unresolved(host: str, why: str) -> WorkError:
    return WorkError(
        f"the name {host} cannot be resolved: {why}", code="dns_failed", detail={"host": host, "sent": False}
    )
