"""A wrong word flows in, the known word that was meant flows out: for hints, never to act on."""

from aob.core.hint.word import meant, nearest, slip_of

__all__ = ["meant", "nearest", "slip_of"]
