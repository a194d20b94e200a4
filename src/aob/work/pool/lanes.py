"""Three queues, one for each priority: what is pushed comes out in order, urgent first, and no lane ever starves."""

from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

HIGH: Final = 0
MEDIUM: Final = 1
LOW: Final = 2
_LANE: Final = {"high": HIGH, "medium": MEDIUM, "normal": MEDIUM, "low": LOW}

TURNS: Final = (HIGH, HIGH, MEDIUM, HIGH, HIGH, LOW, HIGH, MEDIUM)
"""Who leads at each of eight picks: while all lanes are full, 5 of 8 are high, 2 medium and 1 low."""


class Lanes(Generic[T]):
    """A queue by priority. A pick goes to the lane whose turn it is, or, when that is empty, to the most urgent one."""

    __slots__ = ("_lanes", "_order", "_turn")

    def __init__(self) -> None:
        self._lanes: tuple[deque[T], deque[T], deque[T]] = (deque(), deque(), deque())
        high, medium, low = self._lanes
        led = {HIGH: (high, medium, low), MEDIUM: (medium, high, low), LOW: (low, high, medium)}
        self._order = tuple(led[turn] for turn in TURNS)
        self._turn = 0

    def push(self, item: T, priority: str) -> None:
        """Add to the end of a lane; an unknown priority is medium."""
        self._lanes[_LANE.get(priority, MEDIUM)].append(item)

    def pop(self) -> T | None:
        """The next item, or None when all lanes are empty."""
        self._turn = turn = (self._turn + 1) & 7
        for lane in self._order[turn]:
            if lane:
                return lane.popleft()
        return None

    def clear(self) -> None:
        """Forget everything."""
        for lane in self._lanes:
            lane.clear()

    def __len__(self) -> int:
        high, medium, low = self._lanes
        return len(high) + len(medium) + len(low)

    def __bool__(self) -> bool:
        high, medium, low = self._lanes
        return bool(high or medium or low)
