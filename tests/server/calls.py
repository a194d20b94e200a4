"""How tests read answers, and requests that no client library would send."""

import asyncio
from typing import Any

import httpx

from aob.server import App
from tests.server.fake import SECRET


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:aob:problem:{code}"
    assert body["title"]
    assert body["detail"]
    return body


async def straight(
    app: App, method: str = "GET", path: str = "/v1/runs", *, raw_path: bytes | None = None, query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None, body: list[bytes] | None = None, ends: bool = True,
    hangs_up: bool = False,
) -> list[Any]:  # fmt: skip
    """A request that no client library would send; the messages that came back."""
    pieces, sent = list(body or [b""]), []

    async def receive() -> Any:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or not ends}
        if not hangs_up:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": raw_path or path.encode(), "query_string": query,
        "headers": [(b"x-api-key", SECRET.encode()), *(headers or [])],
    }  # fmt: skip
    await app(scope, receive, send)
    return sent
