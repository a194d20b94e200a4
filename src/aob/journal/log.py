"""The journal's own log. structlog is imported when the first line is written: most homes never write one."""

from typing import Protocol


class Logger(Protocol):
    """Where facts go that operators should see: a snake_case event and its fields."""

    def info(self, event: str, **fields: object) -> object:
        """Something worth knowing."""

    def warning(self, event: str, **fields: object) -> object:
        """Something worth mending."""

    def error(self, event: str, **fields: object) -> object:
        """Something broke."""


def logger() -> Logger:
    """The logger of the journal."""
    import structlog

    found: Logger = structlog.get_logger("aob.journal")
    return found
