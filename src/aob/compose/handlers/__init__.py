"""The handlers of a home, and which of them are paused: a caller or a worker in, records that all its processes follow
out."""

from aob.compose.handlers.declared import DeclaredHandlers
from aob.compose.handlers.paused import HandlerVerbs, PausedHandlers

__all__ = ["DeclaredHandlers", "HandlerVerbs", "PausedHandlers"]
