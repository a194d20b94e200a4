"""One request as a route sees it: the caller, path and query decoded by the route's types, the body within limits."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from time import time_ns
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from aob.core.answers import JsonValue
from aob.core.errors import CallerError, TooLarge, Unavailable
from aob.core.policy import LOCAL, Caller
from aob.core.verbs import run_verbs
from aob.server.http.answer import Direct, Message, Receive
from aob.server.http.coding import unpacking
from aob.server.http.problem import SlowCaller
from aob.server.http.waits import Waits, wait_ms

BODY_BYTES_MAX: Final = 10 * 1024 * 1024
BODY_WAIT_S: Final = 30.0  # between two pieces of a body; the body as a whole may take `BODY_WHOLE_S`
BODY_WHOLE_S: Final = 300.0
BODY_GRACE_S: Final = 10.0
BODY_RATE_MIN: Final = 256  # bytes a second after `BODY_GRACE_S`: a slow body occupies a place that others wait for
DRAIN_BYTES_MAX: Final = 64 * 1024 * 1024
DRAIN_S: Final = 10.0  # how much of a body that was refused is read before its connection is closed

COMMAND_ID_MAX: Final = run_verbs.COMMAND_ID_MAX
HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")

Query = TypeVar("Query")
Body = TypeVar("Body")


class Gone(Exception):  # noqa: N818  # not an error: it ends the request without an answer
    """The caller hung up: there is no one to answer."""


def clock_ms() -> int:
    """Now, in ms since 1970."""
    return time_ns() // 1_000_000


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query parameters."""


class Call(Generic[Query, Body]):
    """One request. `params` are the path's, decoded and checked; `media` is the body's type without parameters."""

    __slots__ = (
        "_arrived", "_direct", "_metrics", "_rooms", "body", "cost", "counted", "headers", "media", "now_ms", "params",
        "path", "query", "receive", "scheme", "verbs", "waits", "who",
    )  # fmt: skip

    query: Query
    body: Body

    def __init__(
        self,
        verbs: Any,
        path: str,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        scheme: str = "http",
        metrics: Any = None,
        now_ms: Callable[[], int] = clock_ms,
        waits: Waits | None = None,
        rooms: Mapping[str, object] = MappingProxyType({}),
        direct: Direct | None = None,
    ) -> None:
        self._rooms, self._direct = rooms, direct
        self.waits = waits if waits is not None else Waits()
        self.verbs, self.path, self.headers, self.receive = verbs, path, headers, receive
        self._metrics, self.now_ms = metrics, now_ms
        self.params: dict[str, str] = {}
        self.who: Caller = LOCAL
        self.media = b""
        self.scheme = scheme
        self.cost = 0  # what its answer cost beyond the route's own cost, in hundredths of a unit of reads
        self.counted = False  # whether it is counted as a concurrent request of its tenant
        self._arrived = False

    def act(self, verb: str) -> Callable[..., Any]:
        """The function of a verb. Raises Unavailable `not_here` where no room of this server has it."""
        try:
            return getattr(self._rooms[verb], verb)  # type: ignore[no-any-return]  # a room has it as a function
        except KeyError:
            if (found := getattr(self.metrics, verb, None)) is None:
                raise _not_here(verb) from None
            return found  # type: ignore[no-any-return]

    @property
    def has_metrics(self) -> bool:
        """Whether there is a metrics layer."""
        return self._metrics is not None

    @property
    def metrics(self) -> Any:
        """The metrics layer. Raises Unavailable `not_here` on a server without one (a further shard's own)."""
        if self._metrics is None:
            raise _not_here("the layer of events and metrics")
        return self._metrics

    def header(self, name: bytes) -> str | None:
        """A header's value; bytes that are not ASCII are escaped, never guessed."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def absolute(self, path: str) -> str:
        """A path of this server as the caller reaches it: under the host of the request, if it names one."""
        host = self.header(b"host") or ""
        return f"{self.scheme}://{host}{path}" if HOST.fullmatch(host) else path

    def command_id(self, in_body: str | None = None) -> str | None:
        """The idempotency key of this command: from the body, or from the Idempotency-Key header."""
        header = self.header(b"idempotency-key")
        if header is not None and not (0 < len(header) <= COMMAND_ID_MAX and header.isprintable()):
            why = f"an Idempotency-Key has 1 to {COMMAND_ID_MAX} printable characters"
            raise CallerError(why, code="bad_key", hint="use a UUID")
        if header is not None and in_body is not None and header != in_body:
            why = "the body's key and the Idempotency-Key header differ"
            raise CallerError(why, code="two_keys", hint="send one of them")
        return in_body if in_body is not None else header

    def wait_ms(self, asked: str | None) -> int:
        """How long this request is to wait for the end of a run, by `?wait=` or the header `Prefer`. Raises Invalid."""
        if asked is None and b"prefer" not in self.headers:
            return 0
        return wait_ms(asked, self.header(b"prefer"))

    async def ended(self, run_id: str, within_ms: int) -> Mapping[str, JsonValue]:
        """The run at its end, or as it is when the time has passed or the server stops. Raises Busy when too many
        requests wait."""
        waiting = self.verbs.wait(self.who, run_id, within_ms)
        told: Mapping[str, JsonValue] | None = await self.waits.until(self.who.tenant, waiting, self.receive)
        return told if told is not None else dict(await self.verbs.run(self.who, run_id))

    async def whole(self, limit: int = BODY_BYTES_MAX) -> bytes:
        """All bytes of the body, decompressed. Raises TooLarge over the limit, SlowCaller when they do not arrive in
        time, Gone."""
        if self.headers.get(b"content-encoding"):
            return b"".join([piece async for piece in self.pieces(limit)])
        self._refuse_length(limit)
        if self._direct is not None and (at_hand := self._direct.body()) is not None and len(at_hand) <= limit:
            self._arrived = True
            return at_hand
        message = await self._next(BODY_WAIT_S)
        block: bytes = message.get("body", b"")
        if not message.get("more_body") and len(block) <= limit:
            return block
        blocks, size = [block], len(block)
        async for more in self._rest(message, size, limit):
            blocks.append(more)
        return b"".join(blocks)

    async def pieces(self, limit: int = BODY_BYTES_MAX) -> AsyncIterator[bytes]:
        """The body as it arrives, decompressed, under the same limits as `whole`."""
        packed = unpacking(self.header(b"content-encoding") or "")
        if packed is None:
            async for piece in self._raw(limit):
                yield piece
            return
        size = 0
        async for piece in self._raw(limit):
            block = await asyncio.to_thread(packed.feed, piece, limit - size)
            size += len(block)
            if size > limit:
                raise _too_large(f"more than {limit}", limit)
            yield block
        packed.end()

    async def _raw(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        self._refuse_length(limit)
        message = await self._next(BODY_WAIT_S)
        block: bytes = message.get("body", b"")
        yield block
        async for more in self._rest(message, len(block), limit):
            yield more

    @property
    def asks_first(self) -> bool:
        """Whether the caller waits for `100 Continue`. Refused, it may send its body or not: nobody can tell a body
        that comes after all from a next request."""
        return b"expect" in self.headers and not self._arrived

    async def drain(self) -> None:
        """Reads and discards the rest, within limits: a caller that is still sending reads no answer."""
        if self._arrived or self.asks_first:
            return  # it has sent all, or waits for `100 Continue`
        left = DRAIN_BYTES_MAX
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while left > 0:
                    message = await self.receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body"):
                        return

    async def _rest(self, message: Message, size: int, limit: int) -> AsyncIterator[bytes]:
        began = asyncio.get_running_loop().time()
        while True:
            if size > limit:
                raise _too_large(f"more than {limit}", limit)
            if not message.get("more_body"):
                return
            took_s = asyncio.get_running_loop().time() - began
            if took_s > BODY_WHOLE_S:
                raise SlowCaller(f"the body took more than {BODY_WHOLE_S:.0f} s", hint="send smaller batches")
            left_s = BODY_GRACE_S + size / BODY_RATE_MIN - took_s
            if left_s <= 0:
                raise SlowCaller(f"{size} bytes of the body came in {took_s:.0f} s", hint="send it faster")
            message = await self._next(min(BODY_WAIT_S, left_s))
            block: bytes = message.get("body", b"")
            size += len(block)
            if size <= limit:
                yield block

    async def _next(self, wait_s: float) -> Message:
        try:
            async with asyncio.timeout(wait_s):
                message = await self.receive()
        except TimeoutError as error:
            raise SlowCaller(f"no byte of the body came for {wait_s:.0f} s", hint="send it faster") from error
        if message["type"] == "http.disconnect":
            raise Gone
        self._arrived = not message.get("more_body")
        return message

    def _refuse_length(self, limit: int) -> None:
        length = self.headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            raise _too_large(length.decode(), limit)


def _too_large(size: str, limit: int) -> TooLarge:
    hint = "split it into several requests, or put large values into blobs"
    return TooLarge(f"the body has {size} bytes, {limit} are allowed", code="body_too_large", hint=hint, limit=limit)


AnyCall: TypeAlias = Call[Any, Any]


def _not_here(what: str) -> Unavailable:
    return Unavailable(f"{what} is not served here", code="not_here", hint="ask the server that `aob up` printed")
