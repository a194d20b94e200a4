"""The state of a run as data, and how events build it."""

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
