"""What a route returns: whole bytes (Answer) or a feed (Stream). Each sends itself over ASGI."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from aob.core.answers import JsonValue
from aob.core.errors import AobError, Busy
from aob.core.problem import problem_of
from aob.server.http.problem import MethodUnknown, ReadsSpent

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

JSON: Final = b"application/json"
NDJSON: Final = b"application/x-ndjson"
HTML: Final = b"text/html; charset=utf-8"
BYTES: Final = b"application/octet-stream"
EVENTS: Final = b"text/event-stream"
PROBLEM: Final = b"application/problem+json"
REGISTRY: Final = "/registry"  # the paths of another protocol, with errors of their own form
REGISTRY_MEDIA: Final = b"application/vnd.schemaregistry.v1+json"

encode: Final = msgspec.json.Encoder().encode
encode_lines: Final = msgspec.json.Encoder().encode_lines


CLOSES: Final = (b"connection", b"close")
DIRECT: Final = "aob.direct"  # in a scope: the way of most requests past the messages of ASGI, where the server has one


class Direct(Protocol):
    """What a server can do at once. What it cannot goes by messages, and comes to the same bytes."""

    def body(self) -> bytes | None:
        """The whole body, when all of it has come and nothing of it was read; else None."""

    def answer(self, status: int, media: bytes, body: bytes, headers: tuple[Header, ...]) -> bool:
        """Send a whole answer in one piece; false when it cannot be now."""


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. `media` is its content type; none for an answer without a body."""

    body: bytes
    status: int = 200
    media: bytes = JSON
    headers: tuple[Header, ...] = ()

    async def leave(self, send: Send, direct: Direct | None = None) -> None:
        """Sends head and body."""
        if direct is not None and direct.answer(self.status, self.media, self.body, self.headers):
            return
        head: list[Header] = [(b"content-length", b"%d" % len(self.body)), *self.headers]
        if self.media:
            head.append((b"content-type", self.media))
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        await send({"type": "http.response.body", "body": self.body})


class Stream(msgspec.Struct, frozen=True):
    """A streamed answer. `opening` is sent at once; `failed` turns an error after the head into a last frame."""

    feed: AsyncIterator[bytes]
    media: bytes
    opening: bytes = b""
    ending: bytes = b""
    failed: Callable[[AobError], bytes] | None = None
    beats: bool = True
    headers: tuple[Header, ...] = ()


def json_answer(value: object, *, status: int = 200, headers: tuple[Header, ...] = ()) -> Answer:
    """A JSON answer of any value that msgspec encodes."""
    return Answer(encode(value), status, JSON, headers)


def run_answer(told: Mapping[str, JsonValue]) -> Answer:
    """A run that a caller waits for: 200 when it has ended, else 202 with its current state."""
    return json_answer(told, status=200 if told["ended_at"] else 202)


def problem_answer(error: AobError, path: str) -> Answer:
    """Makes every error answer: problem+json with the status and headers of its class; for the registry in the form of
    its protocol."""
    headers: tuple[Header, ...] = ()
    if isinstance(error, Busy):
        headers = (_retry_after(error.retry_after_s),)
        if isinstance(error, ReadsSpent):
            headers += error.headers
    elif error.status == 503 and isinstance(wait_s := error.fields.get("retry_after_s"), int | float):
        headers = (_retry_after(wait_s),)
    elif isinstance(error, MethodUnknown):
        headers = ((b"allow", ", ".join(error.allowed).encode()),)
    elif error.status == 401:
        ways = b'Basic realm="registry"' if path.startswith(REGISTRY) else b'ApiKey header="X-API-Key", Bearer'
        headers = ((b"www-authenticate", ways),)
    elif error.status in (408, 413):
        headers = (CLOSES,)  # the rest of the body will not be read
    if path.startswith(REGISTRY):
        told = {"error_code": error.status if error.status == 404 else error.status * 100 + 1, "message": str(error)}
        return Answer(encode(told), error.status, REGISTRY_MEDIA, headers)
    body = problem_of(error, instance=path)
    try:
        return Answer(encode(body), error.status, PROBLEM, headers)
    except (TypeError, ValueError, RecursionError):
        known = {name: body[name] for name in ("type", "title", "status", "detail", "code")}
        return Answer(encode(known), error.status, PROBLEM, headers)


def _retry_after(wait_s: float) -> Header:
    """In whole seconds, rounded up: an earlier retry would be refused again."""
    return b"retry-after", b"%d" % max(1, -int(-wait_s // 1))
