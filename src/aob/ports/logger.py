"""The platform's log for operators: a snake_case event and its fields; imports structlog at the first line."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from aob.core.errors import said, shown
from aob.ports.installed import load

_set_up: list[Callable[[], None]] = []


def set_up_by(how: Callable[[], None]) -> None:
    """Call this before the first line is written."""
    _set_up[:] = [how]


class Logger:
    """The log of one room."""

    def __init__(self, name: str) -> None:
        self._name = name

    def info(self, event: str, **fields: object) -> None:
        """Log an event worth knowing."""
        self._say("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log an event worth mending."""
        self._say("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a failure."""
        self._say("error", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log a failure with its exception; called where the exception is being handled."""
        self._say("exception", event, fields)

    def _say(self, how: str, event: str, fields: Mapping[str, object]) -> None:
        """A line that cannot be written must not break the work it reports: its plain facts are written instead."""
        try:
            getattr(self._lines(), how)(event, **fields)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            with contextlib.suppress(Exception):
                plain = {name: shown(value) for name, value in fields.items() if name != "exc_info"}
                self._lines().error(event, **plain, log_error=said(error))

    def _lines(self) -> Any:
        load("structlog", without="rich")  # for tracebacks in colours that are not ours; a tenth of a start
        import structlog

        while _set_up:
            _set_up.pop()()
        return structlog.get_logger(self._name)
