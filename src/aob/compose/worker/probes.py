"""What a worker says over HTTP to whoever starts and watches processes: whether it lives, and whether it is attached.
Words only, so it needs no key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

import msgspec

from aob.compose.worker.keeper import Said
from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Unavailable

LOOPBACK: Final = "127.0.0.1"
HEAD_BYTES_MAX: Final = 8 * 1024
ASK_S: Final = 5.0  # for a whole request
TURNS: Final = {"connected": "ready", "waits": "waits", "died": "waits", "draining": "draining"}
"""How a worker is after an event; others change nothing."""


@asynccontextmanager
async def probed(place: str, said: Said) -> AsyncIterator[Said]:
    """Answer `/health/live` and `/health/ready` at `HOST:PORT`, or a `PORT` of this machine. What is said to the result
    goes on to `said`. Raises CallerError `bad_address`, Unavailable `port_taken`."""
    host, _, port = place.rpartition(":")
    if not (port.isdecimal() and int(port) < 65_536):
        raise CallerError(f"{place!r} is no place for probes", code="bad_address", hint="--probes PORT, or HOST:PORT")
    state = "waits"

    def heard(event: str, facts: JsonObject) -> None:
        nonlocal state
        state = TURNS.get(event, state)
        said(event, facts)

    async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(ASK_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(head, state))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(asked, host.strip("[]") or LOOPBACK, int(port), limit=HEAD_BYTES_MAX)
    except OSError as error:
        raise Unavailable(f"cannot listen on {place}: {error.strerror or error}", code="port_taken",
                          hint="choose another with --probes [HOST:]PORT") from error  # fmt: skip
    async with server:
        yield heard


def _answer(head: bytes, state: str) -> bytes:
    """The whole answer to the head of a request."""
    path = (head.split(b" ", 2)[1:2] or [b""])[0].partition(b"?")[0]
    status, told = HTTPStatus.OK, state
    if path == b"/health/live":
        told = "alive"
    elif path != b"/health/ready":
        status, told = HTTPStatus.NOT_FOUND, "a worker serves /health/live and /health/ready"
    elif state != "ready":
        status = HTTPStatus.SERVICE_UNAVAILABLE
    body = msgspec.json.encode({"status": told})
    lines = (f"HTTP/1.1 {status.value} {status.phrase}", "content-type: application/json",
             f"content-length: {len(body)}", "connection: close", "", "")  # fmt: skip
    return "\r\n".join(lines).encode() + (b"" if head.startswith(b"HEAD ") else body)
