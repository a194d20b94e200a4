"""The HTTP side of a member: whether it lives, whether it is ready, and its numbers for Prometheus; what it owns, to an
admin of the home. Verbs are served by the role `api`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import AobError, NotFound, Unavailable
from aob.core.policy import Caller
from aob.core.problem import problem_of
from aob.core.rights import sees_home
from aob.core.status import status_words
from aob.fanout import Limits
from aob.server.http import secret_of

PLAIN: Final = b"text/plain; version=0.0.4; charset=utf-8"
_encode: Final = msgspec.json.Encoder().encode

Send = Callable[[object], Awaitable[None]]


class Probes:
    """An ASGI application. `state` tells how the member is, with `status`, which is `ok` when it may be given work;
    `text` is for Prometheus; `callers` find one by the secret of its key."""

    def __init__(
        self,
        state: Callable[[], JsonObject],
        text: Callable[[], bytes],
        callers: Sequence[Callable[[str], Caller | None]],
    ) -> None:
        self._state, self._text, self._callers = state, text, callers
        self.limits = Limits()

    def stop(self) -> None:
        """Does nothing: no answer takes long."""

    async def __call__(self, scope: Mapping[str, Any], receive: object, send: Send) -> None:
        """Answer one request."""
        status, media, body = 200, b"application/json", b""
        try:
            body, media = self._answer(scope, media)
        except AobError as error:
            told = problem_of(error)
            status, media, body = told["status"], b"application/problem+json", _encode(told)
        headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Mapping[str, Any], media: bytes) -> tuple[bytes, bytes]:
        path = scope["path"]
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
        if path == "/health/ready":
            return _encode({"status": "ready"}), media
        secret = secret_of(dict(scope["headers"])) or ""
        whole = any((who := find(secret)) is not None and sees_home(who) for find in self._callers)
        return _encode(told if whole else status_words(told)), media
