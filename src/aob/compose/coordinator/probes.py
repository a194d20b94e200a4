"""The HTTP side of a member: whether it lives, whether it is ready, and its numbers for Prometheus. Verbs are served by
the role `api`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import AobError, NotFound, Unavailable
from aob.core.problem import problem_of
from aob.fanout import Limits

PLAIN: Final = b"text/plain; version=0.0.4; charset=utf-8"
_encode: Final = msgspec.json.Encoder().encode

Send = Callable[[object], Awaitable[None]]


class Probes:
    """An ASGI application. `state` tells how the member is, with `status`, which is `ok` when it may be given work;
    `text` is for Prometheus."""

    def __init__(self, state: Callable[[], JsonObject], text: Callable[[], bytes]) -> None:
        self._state, self._text = state, text
        self.limits = Limits()

    def stop(self) -> None:
        """Does nothing: no answer takes long."""

    async def __call__(self, scope: Mapping[str, Any], receive: object, send: Send) -> None:
        """Answer one request."""
        status, media, body = 200, b"application/json", b""
        try:
            body, media = self._answer(scope["path"], media)
        except AobError as error:
            told = problem_of(error)
            status, media, body = told["status"], b"application/problem+json", _encode(told)
        headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, path: str, media: bytes) -> tuple[bytes, bytes]:
        if path == "/health/live":
            return _encode({"status": "alive"}), media
        if path == "/metrics":
            return self._text(), PLAIN
        if path not in ("/health/ready", "/v1/health"):
            raise NotFound(f"a member of a cluster does not serve {path[:100]}", code="no_route",
                           hint="ask a process of the role api")  # fmt: skip
        told = self._state()
        if told["status"] != "ok" and path == "/health/ready":
            raise Unavailable(f"this member is {told['status']}", code="not_ready", hint="GET /v1/health says more")
        return _encode({**told, "status": "ready"} if path == "/health/ready" else told), media
