"""Three queues, one per priority: urgent items are picked first, and no lane ever starves. Within a lane tenants take
turns, one item each, so that one tenant's many items never delay another's few."""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

HIGH: Final = 0
MEDIUM: Final = 1
LOW: Final = 2
_LANE: Final = {"high": HIGH, "medium": MEDIUM, "normal": MEDIUM, "low": LOW}

TURNS: Final = (HIGH, HIGH, MEDIUM, HIGH, HIGH, LOW, HIGH, MEDIUM)
"""The first lane of each of eight picks: while all lanes are full, 5 of 8 are high, 2 medium and 1 low."""

GONE_MIN: Final = 256  # unwanted items that may stay queued until their turn
TENANTS_KEPT: Final = 4_096  # empty queues that a lane keeps for returning tenants


class _Lane(Generic[T]):
    """A queue for each tenant; `ring` lists the non-empty ones in the order of their turns."""

    __slots__ = ("by", "ring")

    def __init__(self) -> None:
        self.by: dict[str, deque[T]] = {}
        self.ring: deque[deque[T]] = deque()

    def enter(self, item: T, tenant: str) -> None:
        """Add the first item of a tenant without items here."""
        queue = self.by.get(tenant)
        if queue is None:
            if len(self.by) >= TENANTS_KEPT:
                self.by = {name: kept for name, kept in self.by.items() if kept}
            queue = self.by[tenant] = deque()
        queue.append(item)
        self.ring.append(queue)

    def keep(self, wanted: Callable[[T], bool]) -> None:
        """Drop all other items."""
        for queue in self.ring:
            kept = [item for item in queue if wanted(item)]
            queue.clear()
            queue.extend(kept)
        filled = [queue for queue in self.ring if queue]
        self.ring.clear()
        self.ring.extend(filled)

    def __len__(self) -> int:
        return sum(map(len, self.ring))


class PriorityQueue(Generic[T]):
    """A queue by priority. A pick takes the lane whose turn it is, or, when that is empty, the most urgent one."""

    __slots__ = ("_gone", "_lanes", "_order", "_turn", "rings")

    def __init__(self) -> None:
        self._lanes: tuple[_Lane[T], _Lane[T], _Lane[T]] = (_Lane(), _Lane(), _Lane())
        high, medium, low = self._lanes
        self.rings = high.ring, medium.ring, low.ring  # `any(rings)` is a fast test for items
        led = {
            HIGH: (high.ring, medium.ring, low.ring),
            MEDIUM: (medium.ring, high.ring, low.ring),
            LOW: (low.ring, high.ring, medium.ring),
        }
        self._order = tuple(led[turn] for turn in TURNS)
        self._turn = self._gone = 0

    def push(self, item: T, priority: str, tenant: str = "") -> None:
        """Add to the end of a tenant's queue in a lane; an unknown priority is medium."""
        lane = self._lanes[_LANE.get(priority, MEDIUM)]
        queue = lane.by.get(tenant)
        if queue:  # its queue is in the ring
            queue.append(item)
        else:
            lane.enter(item, tenant)

    def pop(self) -> T | None:
        """The next item, or None when all lanes are empty."""
        self._turn = turn = (self._turn + 1) & 7
        for ring in self._order[turn]:
            if ring:  # as `_next`, written out: every job takes this path
                queue = ring[0]
                item = queue.popleft()
                if queue:
                    ring.rotate(-1)
                else:
                    ring.popleft()
                return item
        return None

    def pop_that(self, may: Callable[[T], bool]) -> T | None:
        """The next item of a tenant whose next item may be picked, or None. `may` checks the tenant alone."""
        self._turn = turn = (self._turn + 1) & 7
        for ring in self._order[turn]:
            for _ in range(len(ring)):
                if may(ring[0][0]):
                    return _next(ring)
                ring.rotate(-1)
        return None

    def any_that(self, may: Callable[[T], bool]) -> bool:
        """Whether `pop_that` has an item."""
        return any(may(queue[0]) for lane in self._lanes for queue in lane.ring)

    def unwanted(self, wanted: Callable[[T], bool]) -> None:
        """One of the items is no longer wanted. When they may be more than half, all of them are dropped."""
        self._gone += 1
        if self._gone > GONE_MIN and 2 * self._gone > len(self):
            self._gone = 0
            for lane in self._lanes:
                lane.keep(wanted)

    def clear(self) -> None:
        """Drop all items."""
        for lane in self._lanes:
            lane.by.clear()
            lane.ring.clear()

    def __len__(self) -> int:
        high, medium, low = self._lanes
        return len(high) + len(medium) + len(low)

    def __bool__(self) -> bool:
        return any(self.rings)


def _next(ring: deque[deque[T]]) -> T:
    queue = ring[0]
    item = queue.popleft()
    if queue:
        ring.rotate(-1)
    else:
        ring.popleft()
    return item
