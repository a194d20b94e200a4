"""Where the platform says what operators should see: a snake_case event and its fields, to structlog.

structlog is dear to import and seldom needed, so it is imported, and set up, when the first line is written.
"""

from collections.abc import Callable
from typing import Any

_set_up: list[Callable[[], None]] = []


def set_up_by(how: Callable[[], None]) -> None:
    """Call this before the first line is written."""
    _set_up[:] = [how]


class Logger:
    """The log of one room."""

    def __init__(self, name: str) -> None:
        self._name = name

    def info(self, event: str, **fields: object) -> None:
        """Something worth knowing."""
        self._lines().info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something worth mending."""
        self._lines().warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Something broke."""
        self._lines().error(event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        """Something broke; called where the exception is being handled."""
        self._lines().exception(event, **fields)

    def _lines(self) -> Any:
        import structlog

        while _set_up:
            _set_up.pop()()
        return structlog.get_logger(self._name)
