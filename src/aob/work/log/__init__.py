"""The platform's own log, as work needs it: a snake_case event and its fields, to structlog unless told otherwise."""

from typing import Protocol

from aob.ports.logger import Logger

__all__ = ["Log", "Structlog"]


class Log(Protocol):
    """Where facts go that operators should see."""

    def info(self, event: str, **fields: object) -> object:
        """Something worth knowing."""

    def warning(self, event: str, **fields: object) -> object:
        """Something worth mending."""

    def exception(self, event: str, **fields: object) -> object:
        """Something broke; called where the exception is being handled."""


class Structlog(Logger):
    """The log of one room, written by structlog."""
