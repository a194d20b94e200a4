"""The door of a server whose home is held by lease: nothing leaves it while another process may own the home."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from inspect import isawaitable
from typing import Any, Final, Protocol, TypeVar, cast

import msgspec

from aob.compose.cluster.guard import RETRY_S, UNOWNED
from aob.core.errors import Unavailable
from aob.core.problem import problem_of
from aob.server.http import DIRECT

Scope = MutableMapping[str, object]
Receive = Callable[[], Awaitable[object]]
Send = Callable[[object], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBES: Final = frozenset({"/health/live", "/health/ready", "/v1/health"})
"""They speak of the process: whoever asks wants to know also, and above all, when it may not act."""
T = TypeVar("T")
_encode: Final = msgspec.json.Encoder().encode


class Acting(Protocol):
    """By what a process holds its home."""

    @property
    def acts(self) -> bool:
        """Whether it may answer and begin something now."""

    async def may_act(self) -> bool:
        """The same, as soon as that is known."""

    def check(self) -> None:
        """Raises Unavailable when it may not act now."""


def unowned() -> Unavailable:
    """What a process answers that may not act for its home."""
    return Unavailable(
        "this process may not answer for the home: its leases were not renewed in time", code=UNOWNED,
        hint="ask again in a moment: they are renewed, or another process has the home", retry_after_s=RETRY_S,
    )  # fmt: skip


class Door:
    """An ASGI application whose messages wait until this process may act. Those of one that may no more are refused
    with a 503, or cut off where the answer has begun. All else is the application's."""

    def __init__(self, application: Application, lease: Acting) -> None:
        self._application, self._lease = application, lease

    def __getattr__(self, name: str) -> Any:
        return getattr(self._application, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        lease = self._lease
        begun = over = False

        async def guarded(message: object) -> None:
            nonlocal begun, over
            if over:
                return
            if lease.acts or await lease.may_act():
                begun = True
                await send(message)
                return
            over = True
            if begun:
                raise ConnectionAbortedError("the home has another owner")
            await refused(scope, send)

        if scope["type"] == "lifespan" or scope.get("path") in PROBES:
            await self._application(scope, receive, send)
            return
        if DIRECT in scope:
            scope[DIRECT] = _Direct(cast(Way, scope[DIRECT]), lease)
        await self._application(scope, receive, guarded)


class Way(Protocol):
    """A server's way past the messages."""

    def body(self) -> bytes | None:
        """The whole body, if it is there."""

    def answer(self, status: int, media: bytes, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> bool:
        """Send a whole answer; false when it cannot be now."""


class _Direct:
    """The server's way past the messages, as long as this process may act."""

    __slots__ = ("_lease", "_way", "body")

    def __init__(self, way: Way, lease: Acting) -> None:
        self._way, self._lease, self.body = way, lease, way.body

    def answer(self, status: int, media: bytes, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> bool:
        """Send a whole answer; false when it cannot be now."""
        return self._lease.acts and self._way.answer(status, media, body, headers)


async def refused(scope: Scope, send: Send) -> None:
    """Say that the home has another owner."""
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1012, "reason": "the home has another owner"})
        return
    body = _encode(problem_of(unowned()))
    headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Leased:
    """The verbs of a room of such a home, for callers in its own process."""

    def __init__(self, room: object, lease: Acting) -> None:
        self._room, self._lease = room, lease

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._room, name)
        if not callable(found):
            return found

        def called(*given: object, **named: object) -> object:
            self._lease.check()
            told = found(*given, **named)
            if isawaitable(told):
                return self._answered(told)
            return self._items(told) if hasattr(told, "__aiter__") else told

        return called

    async def _answered(self, work: Awaitable[T]) -> T:
        answer = await work
        self._lease.check()
        return answer

    async def _items(self, feed: AsyncIterator[T]) -> AsyncIterator[T]:
        async for item in feed:
            self._lease.check()
            yield item
