"""What became different between two versions, and whether that breaks those who send or read. Data only."""

from typing import Literal

import msgspec


class Change(msgspec.Struct, frozen=True):
    """One difference: the path in the canonical document, what happened there, whether it is breaking (an event that
    was accepted is refused, or what is read is gone or means something else), and that as a sentence."""

    path: str
    change: Literal["added", "removed", "changed"]
    breaking: bool
    sentence: str


def changed(path: str, old: object, new: object, breaking: bool, sentence: str) -> Change:
    """A difference; None stands for what is not there."""
    kind: Literal["added", "removed", "changed"] = "added" if old is None else "removed" if new is None else "changed"
    return Change(path, kind, breaking, sentence)
