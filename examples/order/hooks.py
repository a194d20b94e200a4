"""The webhook receiver: takes what a chat's webhook would take, and keeps every post as a file."""

import json
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


class Hooks:
    """Stores each post as `NNNN.json` in a folder and answers `ok`, as Slack does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def app(self) -> Starlette:
        """The receiver as an ASGI application."""
        return Starlette(routes=[Route("/{name:path}", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = (await request.body()).decode("utf-8", errors="replace")
        post = {"path": request.url.path, "headers": dict(request.headers), "body": body}
        number = len(list(self.folder.glob("*.json"))) + 1
        (self.folder / f"{number:04}.json").write_text(json.dumps(post, indent=1))
        return PlainTextResponse("ok")
