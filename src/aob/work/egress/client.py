"""Sends one checked HTTP request and returns one bounded answer. Every failure is a WorkError with details."""

import asyncio
import socket
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from aob.ports.logger import Logger
from aob.work.egress.rules import EgressError, EgressRules, Guard, is_address
from aob.work.job import WorkError, permanent

if TYPE_CHECKING:
    import httpx

    from aob.work.egress.transport import Resolve

_log: Final = Logger("aob.work")
REQUEST_S: Final = 30.0
ANSWER_MAX: Final = 1_000_000
REDIRECTS_MAX: Final = 3
VET_S: Final = 5.0
CONNECTIONS_MAX: Final = 100
"""Concurrent requests of a client; further ones wait here, never inside the pool of connections."""
HEADERS_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te"})
HEADERS_CARRIED: Final = HEADERS_OURS | {"accept", "content-type", "user-agent"}
"""Headers that follow a redirect to another origin; all others may be secrets of the first."""


class Answer(msgspec.Struct, frozen=True):
    """Status, headers (names in lower case), the whole body, and the URL that answered, without its user info."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str


class CheckedClient(AbstractAsyncContextManager["CheckedClient"]):
    """An HTTP client of a home, with its own `connections`. It opens at its first request; closing is idempotent."""

    def __init__(
        self,
        rules: EgressRules | None = None,
        *,
        resolve: "Resolve | None" = None,
        agent: str = "aob",
        connections: int = CONNECTIONS_MAX,
    ) -> None:
        self._guard, self._resolve, self._agent = Guard(rules or EgressRules()), resolve or resolved, agent
        self._connections = connections
        self._places = asyncio.Semaphore(connections)
        self.replaced = 0  # how often a stuck pool of connections was replaced
        self._opening: asyncio.Task[httpx.AsyncClient] | None = None

    def change_rules(self, rules: EgressRules) -> None:
        """Other rules count from now on, also for connections that are open. Raises Invalid."""
        self._guard.change(rules)

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        opening, self._opening = self._opening, None
        if opening is not None:
            await (await opening).aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = REQUEST_S,
        max_bytes: int = ANSWER_MAX,
        redirects: int = REDIRECTS_MAX,
        secret_headers: frozenset[str] = frozenset(),
    ) -> Answer:
        """Send one request and read its answer, whatever its status. `secret_headers` (in lower case) go to the first
        origin only.

        Raises WorkError; permanent: `egress_refused`, `request_invalid`, `too_many_redirects`, `answer_too_large`,
        `answer_encoding`; transient: `dns_failed`, `connect_failed`, `http_timeout`, `http_broken`. `detail["sent"]` is
        False when it is certain that no byte of the request has left.
        """
        client = await self._client()
        progress = _Progress()
        try:
            request = self._request(client, method, url, headers, query, content, timeout_s)
            async with asyncio.timeout(timeout_s), self._places:
                return await self._follow(client, request, max_bytes, redirects, progress, secret_headers)
        except TimeoutError as error:
            why = f"no whole answer within {timeout_s:g} s"
            raise WorkError(why, code="http_timeout", detail={"sent": progress.sent}) from error
        except WorkError as error:
            if isinstance(error, EgressError) and error.seen:
                _log.warning("egress_refused", host=error.fault.detail["host"], address=error.seen)
            # A refusal at the second hop of a redirect does not undo what was sent to the first.
            if isinstance(error.fault.detail, dict):
                error.fault.detail["sent"] = progress.sent or bool(error.fault.detail.get("sent"))
            raise
        except Exception as error:
            raise _fault(error, progress) from error

    async def vet(self, url: str) -> None:
        """Raises EgressError for a URL that the rules forbid now. A name without an address yet passes."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORT.get(parts.scheme, 0)
        self._guard.check_scheme(parts.scheme)
        self._guard.check_host(host, port)
        if is_address(host):
            self._guard.check_address(host, port, host)
            return
        if f".{host.rstrip('.').lower()}".endswith(".localhost"):  # this machine, for every resolver (RFC 6761)
            self._guard.check_address(host, port, "127.0.0.1")
        try:
            async with asyncio.timeout(VET_S):
                addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            return
        for address in addresses:
            self._guard.check_address(host, port, address)

    async def _client(self) -> "httpx.AsyncClient":
        if self._opening is None:
            self._opening = asyncio.create_task(asyncio.to_thread(self._open))
        # Shielded: the first request may be cancelled, but all requests share the client.
        try:
            return await asyncio.shield(self._opening)
        except Exception:
            self._opening = None
            raise

    def _open(self) -> "httpx.AsyncClient":
        """In a thread: importing httpx and reading the certificates takes a quarter of a second."""
        from aob.work.egress.transport import open_client

        return open_client(self._guard, self._resolve, self._connections, self._was_replaced)

    def _was_replaced(self) -> None:
        self.replaced += 1

    def _request(
        self,
        client: "httpx.AsyncClient",
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        content: bytes | None,
        timeout_s: float,
    ) -> "httpx.Request":
        import httpx

        ours = sorted(name for name in headers or () if name.lower() in HEADERS_OURS)
        if ours:
            why = f"the header {ours[0]!r} is set by the client"
            hint = "leave it out; the URL says which host is meant"
            raise permanent(why, code="request_invalid", header=ours[0], sent=False, hint=hint)
        target = httpx.URL(url)
        if "%" in target.host or not 0 < (target.port or 80) < 65_536:
            raise httpx.InvalidURL(f"{target.host[:80]}:{target.port} is not a host and a port")
        if query:
            target = target.copy_merge_params(dict(query))
        request = client.build_request(
            method, target, headers={"user-agent": self._agent, **(headers or {})}, content=content, timeout=timeout_s
        )
        request.headers["accept-encoding"] = "identity"
        return request

    async def _follow(
        self,
        client: "httpx.AsyncClient",
        request: "httpx.Request",
        max_bytes: int,
        redirects: int,
        progress: "_Progress",
        secret_headers: frozenset[str],
    ) -> Answer:
        for _ in range(redirects + 1):
            self._guard.check_scheme(request.url.scheme)
            # Checked here too, so that a kept connection never serves a host that is not on the list.
            self._guard.check_host(request.url.host, request.url.port or _PORT.get(request.url.scheme, 0))
            request.extensions = {**request.extensions, "trace": progress.trace}
            response = await client.send(request, stream=True)
            try:
                following = response.next_request
                if following is None or redirects == 0:
                    body = await _body(response, max_bytes)
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    return Answer(response.status_code, headers, body, public(request.url))
            finally:
                await response.aclose()
            request = _carried(request, following, secret_headers)
        raise permanent(f"more than {redirects} redirects", code="too_many_redirects", sent=True)


_PORT: Final = {"http": 80, "https": 443}


async def resolved(host: str, port: int) -> Sequence[str]:
    """Resolve with the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Progress:
    """Whether a byte of a request may have left: httpcore reports when it begins to send."""

    def __init__(self) -> None:
        self.sent = False

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        if event.endswith("send_request_headers.started"):
            self.sent = True


def public(url: "httpx.URL") -> str:
    """The URL without user name, password and query: safe for logs and records."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))


def _carried(request: "httpx.Request", following: "httpx.Request", secret: frozenset[str]) -> "httpx.Request":
    before, after = request.url, following.url
    if (before.scheme, before.host, before.port) != (after.scheme, after.host, after.port):
        for name in list(following.headers):
            if name.lower() not in HEADERS_CARRIED or name.lower() in secret:
                del following.headers[name]
    return following


async def _body(response: "httpx.Response", max_bytes: int) -> bytes:
    """The whole body, decompressed; bounded before and after decompression."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    unpack = None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    elif encoding not in {"identity", ""}:
        why = f"the answer is packed with {encoding!r}, which was not asked for"
        raise permanent(why, code="answer_encoding", encoding=encoding, sent=True)
    parts: list[bytes] = []
    size = 0
    async for raw in response.aiter_raw():
        part = raw if unpack is None else unpack.decompress(raw, max_bytes - size + 1)
        size += len(part)
        if size > max_bytes:
            why = f"the answer is larger than {max_bytes} bytes"
            hint = "raise max_bytes, or fetch it into an object store"
            raise permanent(why, code="answer_too_large", limit=max_bytes, sent=True, hint=hint)
        parts.append(part)
    return b"".join(parts)


def _fault(error: Exception, progress: _Progress) -> WorkError:
    import httpcore
    import httpx

    detail = {"type": type(error).__name__, "sent": progress.sent}
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    wrong = httpx.InvalidURL | httpx.UnsupportedProtocol | httpcore.UnsupportedProtocol | httpcore.LocalProtocolError
    if isinstance(error, wrong | ValueError):
        return permanent(f"not a request: {text}", code="request_invalid", **detail)
    if isinstance(error, httpcore.TimeoutException):
        return WorkError(text, code="http_timeout", detail=detail)
    if isinstance(error, httpcore.ConnectError):
        return WorkError(text, code="connect_failed", detail=detail)
    if isinstance(error, httpcore.NetworkError | httpcore.ProtocolError | httpx.HTTPError | zlib.error | OSError):
        return WorkError(text, code="http_broken", detail=detail)
    raise error
