"""The platform's own log, as work needs it: a snake_case event and its fields, to structlog unless told otherwise."""

from typing import Protocol

__all__ = ["Log", "Structlog"]


class Log(Protocol):
    """Where facts go that operators should see."""

    def info(self, event: str, **fields: object) -> object:
        """Something worth knowing."""

    def warning(self, event: str, **fields: object) -> object:
        """Something worth mending."""

    def exception(self, event: str, **fields: object) -> object:
        """Something broke; called where the exception is being handled."""


class Structlog:
    """A structlog logger, imported when the first line is written: it is dear to import and seldom needed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def info(self, event: str, **fields: object) -> None:
        """Something worth knowing."""
        self._logger().info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something worth mending."""
        self._logger().warning(event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        """Something broke; called where the exception is being handled."""
        self._logger().exception(event, **fields)

    def _logger(self) -> Log:
        import structlog

        logger: Log = structlog.get_logger(self._name)
        return logger
