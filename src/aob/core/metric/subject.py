"""Folds touches of the subjects of one metric (a shopper, a session: its key) into signed contributions. A touch before
the horizon, which only event time moves, marks its subject as late: `Refolding` recomputes it from all its touches in
the log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from aob.core.contract_model import MetricContract
from aob.core.metric.history import Contribution, History, Mark, Marks, Touch, difference, law_of, steps_of
from aob.core.value import canonical

SESSION_WIDTH: Final = 3
JOIN_WIDTH: Final = 4
LATE_MAX: Final = 1_000_000  # late touches of one metric that wait for a refold; further ones are counted as missed
TOUCHES_MAX: Final = 128
"""Different touches kept for one subject; above, the horizon of that subject alone moves closer."""
SUBJECTS_MAX: Final = 200_000  # subjects kept for one metric; above, those that were idle longest are evicted
PAGES: Final = 256  # pages into which subjects are partitioned
SWEPT: Final = 16  # pages that one call of `forget` scans
SAMPLED: Final = 64  # subjects that are measured to estimate the size of all
_STATE: Final = "state"
_LATE: Final = "late"
_NEVER_MS: Final = -(1 << 62)


def width_of(contract: MetricContract) -> int:
    """The number of sums in a contribution."""
    if contract.type == "funnel":
        return len(steps_of(contract))
    return SESSION_WIDTH if contract.type == "sessions" else JOIN_WIDTH


def answer_of(contract: MetricContract, sums: Sequence[float]) -> dict[str, float | None]:
    """The value of summed contributions (none: an empty sequence). Averages of nothing are null. `funnel`: attempts
    that reached each step by name, and `conversion`, the share that reached the last. `sessions`: `sessions`,
    `events_per_session`, `duration_ms` (mean). `join`: `pairs`, `average` (of their values), and `unmatched`, left
    touches without a right one so far."""
    sums = sums or (0.0,) * width_of(contract)
    if contract.type == "funnel":
        reached: dict[str, float | None] = {name: round(n) for name, n in zip(steps_of(contract), sums, strict=True)}
        reached["conversion"] = sums[-1] / sums[0] if sums[0] else None
        return reached
    if contract.type == "sessions":
        sessions, events, duration_ms = sums
        return {
            "sessions": round(sessions),
            "events_per_session": events / sessions if sessions else None,
            "duration_ms": duration_ms / sessions if sessions else None,
        }
    left, pairs, valued, total = sums
    return {"pairs": round(pairs), "average": total / valued if valued else None, "unmatched": round(left - pairs)}


class Deferral(msgspec.Struct, array_like=True):
    """The late touches of a subject. `stamp` grows with each touch; a refold of an older stamp is discarded."""

    marks: list[tuple[Mark, int]]
    stamp: int = 0


Waiting = tuple[list[tuple[Mark, int]], int, int]
"""A snapshot of a late subject: its marks, how many of them count, and its stamp."""


class Refolded(NamedTuple):
    """A subject computed from the whole log: what to add to the cells, and its history from the horizon on."""

    key: str
    stamp: int
    told: list[Contribution]
    history: History


class Refolding:
    """Recomputes subjects of a metric from all their touches."""

    def __init__(self, contract: MetricContract) -> None:
        self._law = law_of(contract)
        self._keeps_data = keeps_data(contract)

    def mark(self, touch: Touch) -> tuple[Mark, int]:
        """The mark of a touch, and its sign."""
        return mark_of(touch, self._keeps_data), touch.sign

    def refold(self, key: str, late: Waiting, touches: Sequence[tuple[Mark, int]], floor_ms: int) -> Refolded:
        """Recompute a subject. `touches` are all its touches in the log, late ones included."""
        whole: Counter[Mark] = Counter()
        for mark, sign in touches:
            whole[mark] += sign
        in_time = whole.copy()
        marks, count, stamp = late
        for mark, sign in marks[:count]:
            in_time[mark] -= sign
        told = difference(self._law.tell(None, _ordered(in_time)), self._law.tell(None, _ordered(whole)))
        history = History(marks=_ordered(whole))
        history.settle(self._law, floor_ms)
        return Refolded(key, stamp, told, history)


def _ordered(counts: Counter[Mark]) -> Marks:
    return sorted((mark, count) for mark, count in counts.items() if count)


def mark_of(touch: Touch, with_data: bool) -> Mark:
    """The mark that a history keeps of a touch."""
    data = canonical(touch.data) if with_data else bytes(touch.also)
    return touch.at_ms, touch.step, touch.dims, data


def keeps_data(contract: MetricContract) -> bool:
    """Whether the metric reads the data of events."""
    return contract.type == "join" and bool(contract.value)


class _State(msgspec.Struct, array_like=True):
    newest_ms: int = 0
    missed: int = 0
    let_go: int = 0
    unmoved: int = 0


_page = msgspec.msgpack.Decoder(dict[str, History])
_state = msgspec.msgpack.Decoder(_State)
_late = msgspec.msgpack.Decoder(dict[str, Deferral])


class SubjectFold:
    """The subjects of one metric of type funnel, sessions or join, in one tenant."""

    def __init__(
        self, contract: MetricContract, *, subjects_max: int = SUBJECTS_MAX, horizon_ms: int | None = None,
        endless: bool = False,
    ) -> None:  # fmt: skip
        """`endless`: no touch is too late and no subject is evicted; for a fold of a part of the log."""
        self._law = law_of(contract)
        self._keeps_data = keeps_data(contract)
        self._page_max = (1 << 62) if endless else max(subjects_max // PAGES, 1)
        self._touches_max = (1 << 62) if endless else TOUCHES_MAX
        self._horizon_ms = contract.reach_ms if horizon_ms is None else horizon_ms
        self._endless = endless
        self._late: dict[str, Deferral] = {}
        self.waiting = 0  # late touches that wait for a refold
        self._late_changed = False
        self._pages: list[dict[str, History]] = [{} for _ in range(PAGES)]
        self._changed: set[int] = set()
        self._state = _State()
        self._swept = 0

    def add(self, touch: Touch) -> list[Contribution]:
        """The contributions of a touch; none if it changes nothing or is before the horizon."""
        key, at_ms, seen_ms, sign = touch.key, touch.at_ms, touch.seen_ms, touch.sign
        state = self._state
        state.newest_ms = max(state.newest_ms, seen_ms)
        number = crc32(key.encode()) % PAGES
        page = self._pages[number]
        history = page.get(key)
        floor_ms = max(self.floor_ms, history.floor_ms if history else 0)
        self._changed.add(number)
        late = self._late.get(key) if self._late else None
        if at_ms < floor_ms:
            self._put_aside(key, late, mark_of(touch, self._keeps_data), sign)
            return []
        if late is not None:
            late.stamp += 1
            self._late_changed = True
        if history is None:
            history = page[key] = History(marks=[])
            if len(page) > self._page_max:
                self._let_go(page, key)
        history.settle(self._law, floor_ms)
        before = self._law.tell(history.head, history.marks)
        history.put(mark_of(touch, self._keeps_data), sign)
        told = difference(before, self._law.tell(history.head, history.marks))
        if self._law.unmoved:
            state.unmoved += self._law.unmoved
            self._law.unmoved = 0
        self._keep(page, key, history)
        return told

    def _keep(self, page: dict[str, History], key: str, history: History) -> None:
        """Keep a history within its limit; drop one that holds nothing."""
        if len(history.marks) > self._touches_max:
            self._state.missed += history.shorten(self._law, self._touches_max)
        if history.empty and history.floor_ms <= self.floor_ms:
            page.pop(key, None)

    def _put_aside(self, key: str, late: Deferral | None, mark: Mark, sign: int) -> None:
        """Keep a touch from before the horizon for a refold of its subject."""
        if self.waiting >= LATE_MAX:
            self._state.missed += 1
            return
        if late is None:
            late = self._late[key] = Deferral([])
        late.marks.append((mark, sign))
        late.stamp += 1
        self.waiting += 1
        self._late_changed = True

    def late(self) -> list[str]:
        """The subjects that wait for a refold."""
        return list(self._late)

    def waiting_of(self, keys: Iterable[str]) -> dict[str, Waiting]:
        """Snapshots of the given subjects that wait for a refold. Copies nothing: marks are only appended."""
        late = self._late
        found = [(key, late[key]) for key in keys if key in late]
        return {key: (each.marks, len(each.marks), each.stamp) for key, each in found}

    def wait_still(self, keys: Set[str]) -> bool:
        """Whether any of the given subjects waits for a refold."""
        return not self._late.keys().isdisjoint(keys)

    def waits(self, key: str) -> bool:
        """Whether a subject waits for a refold."""
        return key in self._late

    def adopt(self, refolded: Refolded) -> list[Contribution] | None:
        """Apply a refolded subject and return what to add to the cells; None if it was touched meanwhile."""
        key, stamp, told, history = refolded
        late = self._late.get(key)
        if late is None or late.stamp != stamp:
            return None
        del self._late[key]
        self.waiting -= len(late.marks)
        self._late_changed = True
        number = crc32(key.encode()) % PAGES
        self._changed.add(number)
        history.settle(self._law, self.floor_ms)
        page = self._pages[number]
        page[key] = history
        self._keep(page, key, history)
        if len(page) > self._page_max:
            self._let_go(page, key)
        return told

    def forget(self) -> None:
        """Drop some of the state before the horizon; a call now and then bounds memory."""
        floor_ms = self.floor_ms
        for number in range(self._swept, self._swept + SWEPT):
            page = self._pages[number % PAGES]
            settled = [key for key, history in page.items() if history.settle(self._law, floor_ms)]
            for key in [key for key, history in page.items() if history.empty and history.floor_ms <= floor_ms]:
                del page[key]
                settled.append(key)
            if settled:
                self._changed.add(number % PAGES)
        self._swept = (self._swept + SWEPT) % PAGES

    @property
    def floor_ms(self) -> int:
        """The horizon: touches before it are not folded on arrival."""
        return _NEVER_MS if self._endless else self._state.newest_ms - self._horizon_ms

    @property
    def missed(self) -> int:
        """Touches that the numbers lack (they wait for a refold, or exceeded a limit), and evicted subjects."""
        return self._state.missed + self._state.let_go + self.waiting

    @property
    def unmoved(self) -> int:
        """Values that were not finite numbers."""
        return self._state.unmoved

    def __len__(self) -> int:
        return sum(map(len, self._pages))

    def size(self) -> int:
        """Approximate bytes of memory, estimated from a sample."""
        some = list(islice(chain.from_iterable(page.values() for page in self._pages), SAMPLED))
        return round(len(self) * sum(history.size for history in some) / max(1, len(some)))

    def merge(self, other: "SubjectFold") -> None:
        """Merge the subjects of another fold; no subject is in both."""
        mine, theirs = self._state, other._state
        for number, page in enumerate(other._pages):
            if page:
                self._pages[number] |= page
                self._changed.add(number)
        self._late |= other._late
        self.waiting += other.waiting
        self._late_changed = self._late_changed or bool(other._late)
        mine.newest_ms = max(mine.newest_ms, theirs.newest_ms)
        mine.missed, mine.let_go = mine.missed + theirs.missed, mine.let_go + theirs.let_go
        mine.unmoved += theirs.unmoved

    def pages(self, full: bool = False) -> Iterator[tuple[str, bytes]]:
        """The pages that changed since the last dump, or all; changes made between two pages are in the next dump. Page
        names are stable; an empty page has bytes too."""
        numbers, late = range(PAGES) if full else sorted(self._changed), full or self._late_changed
        for number in numbers:
            self._changed.discard(number)
            yield str(number), msgspec.msgpack.encode(self._pages[number])
        if late:
            self._late_changed = False
            yield _LATE, msgspec.msgpack.encode(self._late)
        if late or numbers:
            yield _STATE, msgspec.msgpack.encode(self._state)

    def load(self, pages: Mapping[str, bytes]) -> None:
        """Restore from dumped pages: the newest version of each."""
        for name, data in pages.items():
            if name == _STATE:
                self._state = _state.decode(data)
            elif name == _LATE:
                self._late = _late.decode(data)
                self.waiting = sum(len(late.marks) for late in self._late.values())
            else:
                self._pages[int(name)] = _page.decode(data)

    def _let_go(self, page: dict[str, History], but: str) -> None:
        """Evict a quarter of a page at once, so that the search for idle subjects is rare."""
        quiet = sorted((key for key in page if key != but), key=lambda key: (page[key].last_ms, key))
        for key in quiet[: max(self._page_max // 4, 1)]:
            del page[key]
            self._state.let_go += 1
