"""Answers on the port while its home opens: 503 with progress, the same for every caller; then the application."""

from collections.abc import Callable
from typing import Final

from aob.core.opening import Opening
from aob.fanout import Limits
from aob.server.http import App
from aob.server.http.answer import DIRECT, Message, Receive, Send, json_answer, problem_answer

LIVE: Final = "/health/live"


class Starting:
    """An application until there is one."""

    def __init__(self, opening: Opening, limits: Limits = Limits()) -> None:  # noqa: B008  # frozen
        self.limits, self._opening = limits, opening
        self._app: App | None = None
        self.replace: Callable[[App], None] = lambda app: None
        """Set by the server: gives all connections to the application; a request passes through nothing else."""

    def ready(self, app: App) -> None:
        """From now on the application answers."""
        self._app = app
        self.replace(app)

    def stop(self) -> None:
        """End all streams and waits."""
        if self._app is not None:
            self._app.stop()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if self._app is not None:
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path == LIVE:
            answer = json_answer({"status": "alive", "opening": self._opening.told()})
        else:
            answer = problem_answer(self._opening.refusal(), path)
        await answer.leave(send, scope.get(DIRECT))
