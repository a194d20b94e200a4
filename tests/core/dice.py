"""Choices that are drawn as one text of bytes: a draw of its own for each choice costs more than what is tried."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

Thing = TypeVar("Thing")


class Dice:
    """Choices by the bytes of a text, one each; the first of all choices when there are no more, so that it shrinks."""

    def __init__(self, data: bytes) -> None:
        self._left = iter(data)

    def below(self, most: int) -> int:
        """A number from 0; `most` is at most 256."""
        return next(self._left, 0) % most

    def of(self, choices: Sequence[Thing]) -> Thing:
        """One of at most 256."""
        return choices[self.below(len(choices))]


def dice(least: int) -> st.SearchStrategy[Dice]:
    """Enough for `least` choices, and for twice as many on average."""
    return st.binary(min_size=least, max_size=8 * least).map(Dice)
