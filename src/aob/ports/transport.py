"""Delivers messages between two processes of a home: whole, in order, or not at all."""

from typing import Protocol


class Transport(Protocol):
    """One end of a connection. `send` never waits; `drained` waits until the other end has read enough."""

    def send(self, message: bytes) -> None:
        """Send a message; does nothing when the other end has gone."""

    async def drained(self) -> None:
        """Wait for room. Returns at once when the other end has gone."""

    async def receive(self) -> bytes | None:
        """The next message, None when the other end has gone."""

    def close(self) -> None:
        """Close the connection. Idempotent."""
