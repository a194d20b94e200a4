"""Requests over httpx: one JSON call, a stream of events that resumes by position, a stream of lines. Every problem is
raised as the server's error; an unreachable server is Unavailable `no_server`."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from functools import cache
from time import monotonic
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from aob.client.frames import Event, Frames, Lines
from aob.client.producer import Lane
from aob.client.request import (
    AWAY,
    LOOPBACK,
    RECONNECTS_MAX,
    RESENDS_MAX,
    SILENCE_S,
    TIMEOUT_S,
    Query,
    error_in,
    params,
    pause_s,
    unreachable,
)
from aob.core.answers import JsonValue
from aob.core.errors import AobError, Malformed, Unavailable
from aob.core.opening import COMING, RETRY_S, STARTING
from aob.core.problem import error_of

_NAMING_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@cache
def _authorities(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Whom a client trusts, on this machine too. Read once in a process: it takes longer than most requests. Raises
    Malformed `bad_authorities` for a file that is none."""
    try:
        return httpx.create_ssl_context(trust_env=True)
    except (OSError, ssl.SSLError) as error:
        detail = f"SSL_CERT_FILE={file} cannot be read: {error.strerror or error}"
        raise Malformed(detail, code="bad_authorities", hint="a PEM file of whom to trust, as ca.pem") from error


class AsyncWire:
    """One server and one key. Enter it, or call `aclose` at the end."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._lanes: list[Lane] = []  # those free now: as many as requests were ever in flight at once
        # A proxy of the environment must not see requests to this machine.
        self._timeout_s = timeout_s
        self.on_starting: Callable[[Unavailable], None] = lambda error: None
        """Called each time it waits for a starting server, with the server's progress."""
        outside = urlsplit(self.url).hostname not in LOOPBACK
        self._http = self._opened(
            base_url=self.url,
            headers={"x-api-key": key} if key else {},
            timeout=timeout_s,
            transport=transport,
            verify=True if transport else _authorities(*map(os.environ.get, _NAMING_AUTHORITIES)),
            trust_env=outside,
            follow_redirects=True,
        )

    def _opened(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(**options)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections. Idempotent."""
        await self._http.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: JsonValue = None,
        content: bytes | None = None,
        media: str = "application/json",
        command: str | None = None,
    ) -> JsonValue:
        """The JSON of an answer. `body` is encoded, `content` is sent unchanged; `command` makes it happen once."""
        data = content if content is not None else None if body is None else msgspec.json.encode(body)
        headers = {"idempotency-key": command} if command else {}
        if data is not None:
            headers["content-type"] = media
        answer = await self._send(method, path, query, data, headers)
        if not answer.content:
            return None
        if answer.headers.get("content-type") == "application/x-ndjson":
            return msgspec.json.Decoder().decode_lines(answer.content)
        return msgspec.json.decode(answer.content)

    async def _once_more(
        self, method: str, path: str, *, query: Query | None = None, body: JsonValue = None
    ) -> JsonValue:
        """As `_call`, for requests that their key lets happen once: retried when no answer arrives."""
        for failures in range(1, RESENDS_MAX + 1):
            try:
                return await self._call(method, path, query=query, body=body)
            except Unavailable:
                await self._pause(pause_s(failures))
        return await self._call(method, path, query=query, body=body)

    async def _bytes(self, path: str) -> bytes:
        """The bytes of an answer."""
        return (await self._send("GET", path, None, None, {})).content

    async def _send(
        self, method: str, path: str, query: Query | None, data: bytes | None, headers: dict[str, str]
    ) -> httpx.Response:
        until = monotonic() + self._timeout_s
        while True:
            try:
                return await self._sent(method, path, query, data, headers)
            except Unavailable as error:
                await self._started(error, until)

    async def _sent(
        self, method: str, path: str, query: Query | None, data: bytes | None, headers: dict[str, str]
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, params=params(query), content=data, headers=headers)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if answer.status_code >= 400:
            raise error_in(answer.status_code, answer.content)
        return answer

    async def _started(self, error: AobError, until: float) -> None:
        """Wait a moment for a server that is starting, or whose workers are coming back: it has not performed the
        request yet. Raises any other error."""
        if not isinstance(error, Unavailable) or error.code not in (STARTING, COMING) or monotonic() > until:
            raise error
        self.on_starting(error)
        await self._pause(RETRY_S)

    async def _events(self, path: str, query: Query, position: str | None) -> AsyncIterator[Event]:
        """Events until the server says `end`. Reconnects and resumes after the last event, also while a process behind
        the server is away."""
        failures, until = 0, monotonic() + self._timeout_s
        while True:
            headers = {"accept": "text/event-stream"} | ({"last-event-id": position} if position else {})
            cause: Exception | None = None
            frames = Frames()
            try:
                async with self._http.stream(
                    "GET", path, params=params(query), headers=headers, timeout=SILENCE_S
                ) as answer:
                    if answer.status_code >= 400:
                        await self._started(error_in(answer.status_code, await answer.aread()), until)
                        continue
                    async for piece in answer.aiter_bytes():
                        for event in frames.feed(piece):
                            if event.name == "end":
                                return
                            if event.name == "problem":
                                raise error_of(event.data, int(event.data.get("status", 500)))
                            failures, position = 0, event.position or position
                            yield event
                        position = frames.position or position
            except httpx.TransportError as error:
                cause = unreachable(self.url, error)
            except AobError as error:
                if error.code not in AWAY:
                    raise
                cause = error
            failures, until = failures + 1, monotonic() + self._timeout_s
            if failures > RECONNECTS_MAX:
                raise cause or unreachable(self.url, None)
            await self._pause(pause_s(failures, frames.retry_ms))

    async def _lines(self, path: str, query: Query) -> AsyncIterator[bytes]:
        """Lines of a stream until it ends. Raises Unavailable when the connection breaks."""
        try:
            async with self._http.stream("GET", path, params=params(query), timeout=TIMEOUT_S) as answer:
                if answer.status_code >= 400:
                    raise error_in(answer.status_code, await answer.aread())
                lines = Lines()
                async for piece in answer.aiter_bytes():
                    for line in lines.feed(piece):
                        yield line
                for line in lines.end():
                    yield line
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
