"""Suggests the known word that a wrong one was probably meant to be: for hints, never to act on."""

from aob.core.hint.word import meant, nearest, slip_of

__all__ = ["meant", "nearest", "slip_of"]
