"""The platform's log for work: a snake_case event and its fields, to structlog unless configured otherwise."""

from typing import Protocol

from aob.ports.logger import Logger

__all__ = ["Log", "Structlog"]


class Log(Protocol):
    """Where facts for operators are logged."""

    def info(self, event: str, **fields: object) -> object:
        """Log an event worth knowing."""

    def warning(self, event: str, **fields: object) -> object:
        """Log an event worth mending."""

    def exception(self, event: str, **fields: object) -> object:
        """Log a failure with its exception; called where the exception is being handled."""


class Structlog(Logger):
    """The log of one room, written by structlog."""
