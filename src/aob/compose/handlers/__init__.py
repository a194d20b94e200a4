"""The handlers of a home, and which of them are paused: a caller in, a record that all its processes follow out."""

from aob.compose.handlers.paused import HandlerVerbs, PausedHandlers

__all__ = ["HandlerVerbs", "PausedHandlers"]
