"""Draws lines between two rows of a picture, from columns above to columns below, in as few unambiguous rows as
possible."""

from collections.abc import Sequence
from typing import Final, NamedTuple

UP: Final = 1
DOWN: Final = 2
LEFT: Final = 4
RIGHT: Final = 8
_CHARS: Final = {
    0: " ", UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─",
    UP | RIGHT: "└", UP | LEFT: "┘", DOWN | RIGHT: "┌", DOWN | LEFT: "┐",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", LEFT | RIGHT | DOWN: "┬", LEFT | RIGHT | UP: "┴",
    UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip


class _Span(NamedTuple):
    """The columns that the lines of one source occupy in its row, and their target if they share one."""

    low: int
    high: int
    goal: int | None

    def mixes(self, other: "_Span") -> bool:
        """Whether the two would be ambiguous in one row; lines to the same target may meet."""
        apart = self.high < other.low or other.high < self.low
        return not apart and (self.goal is None or self.goal != other.goal)


def _lane(lanes: list[list[_Span]], span: _Span) -> int:
    """The first row where the span is unambiguous, or a new one."""
    for number, lane in enumerate(lanes):
        if not any(span.mixes(other) for other in lane):
            lane.append(span)
            return number
    lanes.append([span])
    return len(lanes) - 1


class Canvas:
    """The rows between two rows of cells. Lines from one cell, or to one, share a row; others only if disjoint."""

    def __init__(self, links: Sequence[tuple[int, int]]) -> None:
        lanes: list[list[_Span]] = []
        rows: dict[int, int] = {}
        for source in sorted({source for source, _ in links}):
            targets = [target for start, target in links if start == source]
            goal = targets[0] if len(targets) == 1 else None
            rows[source] = _lane(lanes, _Span(min(source, *targets), max(source, *targets), goal))
        self._bits: list[dict[int, int]] = [{} for _ in lanes]
        for source, target in links:
            self._draw(source, target, rows[source])

    def _draw(self, source: int, target: int, row: int) -> None:
        for above in range(row):
            self._mark(above, source, UP | DOWN)
        for below in range(row + 1, len(self._bits)):
            self._mark(below, target, UP | DOWN)
        if source == target:
            self._mark(row, source, UP | DOWN)
            return
        low, high = sorted((source, target))
        self._mark(row, source, UP | (RIGHT if source == low else LEFT))
        self._mark(row, target, DOWN | (RIGHT if target == low else LEFT))
        for column in range(low + 1, high):
            self._mark(row, column, LEFT | RIGHT)

    def _mark(self, row: int, column: int, bits: int) -> None:
        self._bits[row][column] = self._bits[row].get(column, 0) | bits

    def lines(self) -> list[str]:
        """The rows as text."""
        return ["".join(_CHARS[row.get(column, 0)] for column in range(max(row, default=-1) + 1)) for row in self._bits]
