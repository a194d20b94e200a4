"""What waits for a worker: by tenant, lane (handler, labels, build) and priority.

Tenants take turns by weight (deficit round robin), priorities of a tenant 8:4:1; within a priority the oldest is first,
over all lanes that the worker serves."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Final, Generic, Protocol, TypeVar

from aob.ports.workers import RANK, Lane, Turn

HIGH, MEDIUM, LOW = RANK["high"], RANK["medium"], RANK["low"]
TURNS: Final = (HIGH, HIGH, MEDIUM, HIGH, HIGH, MEDIUM, HIGH, LOW, HIGH, MEDIUM, HIGH, HIGH, MEDIUM)
"""The first priority of each of thirteen picks: 8 are high, 4 medium and 1 low."""
_ORDER: Final = {HIGH: (HIGH, MEDIUM, LOW), MEDIUM: (MEDIUM, HIGH, LOW), LOW: (LOW, HIGH, MEDIUM)}


class Waits(Protocol):
    """An item of the backlog; `age` grows with each."""

    lane: Lane
    rank: int
    age: int

    @property
    def size(self) -> int:
        """What it holds in memory, in bytes."""

    @property
    def tenant(self) -> str:
        """Whose it is."""


class Load:
    """What waits of one turn."""

    __slots__ = ("bytes", "count")

    def __init__(self) -> None:
        self.count = self.bytes = 0


W = TypeVar("W", bound=Waits)
Serves = Callable[[Lane], bool]


class _Tenant(Generic[W]):
    """The items of one tenant."""

    __slots__ = ("left", "name", "ranks", "size", "turn", "weight")

    def __init__(self, name: str, weight: int) -> None:
        self.name, self.weight = name, max(1, weight)
        self.left = self.turn = self.size = 0
        self.ranks: tuple[dict[Lane, OrderedDict[int, W]], ...] = ({}, {}, {})

    def take(self, serves: Serves) -> W | None:
        for rank in _ORDER[TURNS[self.turn]]:
            lanes = self.ranks[rank]
            best: W | None = None
            for lane, items in lanes.items():
                if serves(lane):
                    first = next(iter(items.values()))
                    if best is None or first.age < best.age:
                        best = first
            if best is not None:
                self.turn = (self.turn + 1) % len(TURNS)
                self.remove(best)
                return best
        return None

    def remove(self, item: W) -> bool:
        lanes = self.ranks[item.rank]
        items = lanes.get(item.lane)
        if items is None or items.pop(item.age, None) is None:
            return False
        if not items:
            del lanes[item.lane]
        self.size -= 1
        return True


class Backlog(Generic[W]):
    """All items that wait."""

    def __init__(self, weights: Mapping[str, int] | None = None) -> None:
        self._weights = weights or {}
        self._tenants: dict[str, _Tenant[W]] = {}
        self._ring: deque[_Tenant[W]] = deque()
        self.lanes: dict[Lane, int] = {}
        """How many wait in each lane; lanes without any are left out."""
        self.loads: dict[Turn, Load] = {}
        """What waits of each turn; turns of which nothing does are left out."""

    def __len__(self) -> int:
        return sum(self.lanes.values())

    def __bool__(self) -> bool:
        return bool(self._ring)

    def push(self, item: W, first: bool = False) -> None:
        """Add an item: after those of its kind, or before them."""
        tenant = self._tenants.get(item.tenant)
        if tenant is None:
            tenant = self._tenants[item.tenant] = _Tenant(item.tenant, self._weights.get(item.tenant, 1))
            self._ring.append(tenant)
        items = tenant.ranks[item.rank].get(item.lane)
        if items is None:
            items = tenant.ranks[item.rank][item.lane] = OrderedDict()
        items[item.age] = item
        if first:
            items.move_to_end(item.age, last=False)
        tenant.size += 1
        self.lanes[item.lane] = self.lanes.get(item.lane, 0) + 1
        turn = Turn(item.lane, item.tenant, item.rank)
        load = self.loads.get(turn)
        if load is None:
            load = self.loads[turn] = Load()
        load.count += 1
        load.bytes += item.size

    def remove(self, item: W) -> bool:
        """Take an item out. False when it does not wait."""
        tenant = self._tenants.get(item.tenant)
        if tenant is None or not tenant.remove(item):
            return False
        self._took(tenant, item)
        return True

    def take(self, serves: Serves, tenant: str = "") -> W | None:
        """The next item for a worker that serves these lanes, of one tenant or of all."""
        if tenant:
            own = self._tenants.get(tenant)
            item = own.take(serves) if own is not None else None
            if own is not None and item is not None:
                self._took(own, item)
            return item
        ring = self._ring
        for _ in range(len(ring)):
            turn = ring[0]
            if turn.left <= 0:
                turn.left = turn.weight
            item = turn.take(serves)
            turn.left = turn.left - 1 if item is not None else 0
            if turn.left <= 0:
                ring.rotate(-1)
            if item is not None:
                self._took(turn, item)
                return item
        return None

    def oldest(self) -> dict[Lane, W]:
        """The oldest item of each lane."""
        found: dict[Lane, W] = {}
        for tenant in self._tenants.values():
            for rank in tenant.ranks:
                for lane, items in rank.items():
                    first = next(iter(items.values()))
                    if lane not in found or first.age < found[lane].age:
                        found[lane] = first
        return found

    def clear(self) -> list[W]:
        """Take all items out."""
        all_of = [
            item for tenant in self._tenants.values() for rank in tenant.ranks for items in rank.values()
            for item in items.values()
        ]  # fmt: skip
        self._tenants.clear()
        self._ring.clear()
        self.lanes.clear()
        self.loads.clear()
        return all_of

    def _took(self, tenant: _Tenant[W], item: W) -> None:
        left = self.lanes[item.lane] - 1
        if left:
            self.lanes[item.lane] = left
        else:
            del self.lanes[item.lane]
        turn = Turn(item.lane, item.tenant, item.rank)
        load = self.loads[turn]
        load.count -= 1
        load.bytes -= item.size
        if not load.count:
            del self.loads[turn]
        if not tenant.size:
            del self._tenants[tenant.name]
            self._ring.remove(tenant)
