"""What a run is: its state as data, and how events make it."""

from aob.core.run.state.run import (
    BACKOFF,
    EXHAUSTED,
    HELD,
    OPENING,
    READY,
    TERMINAL,
    Patch,
    Scope,
    Ticket,
    Timer,
    Token,
    state_of,
)

__all__ = [
    "BACKOFF", "EXHAUSTED", "HELD", "OPENING", "READY", "TERMINAL", "Patch", "Scope", "Ticket", "Timer", "Token",
    "state_of",
]  # fmt: skip
