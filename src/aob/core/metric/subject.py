"""All subjects of one metric (a shopper, a session, an order: what its key names): touches in, signed contributions to
its cells out. Event time alone moves the horizon.

What lies further back than the horizon is settled: a subject that is touched there waits until `Refolding` has worked
it out from the log: all its touches are read again; what they tell then, less what was told without those that came
late, is what the cells lack. What the bounds let go of is missed for good.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from aob.core.contract_model import MetricContract
from aob.core.metric.history import (
    HISTORY_BYTES,
    MARK_BYTES,
    Contribution,
    Funnel,
    History,
    Join,
    Law,
    Mark,
    Marks,
    Sessions,
    Touch,
    difference,
)
from aob.core.value import canonical

SESSION_WIDTH: Final = 3
JOIN_WIDTH: Final = 4
LATE_MAX: Final = 1_000_000
"""Touches of one metric that wait for the log; further ones are missed."""
TOUCHES_MAX: Final = 128
"""Different touches of one subject that are kept; above, the horizon of that subject alone comes nearer."""
SUBJECTS_MAX: Final = 200_000
"""Subjects of one metric; above, those that were quiet the longest are let go."""
PAGES: Final = 256
"""Parts in which subjects are written."""
SWEPT: Final = 16
"""Pages that one call of `forget` looks through."""
SAMPLED: Final = 64
"""Subjects whose size is measured for all."""
_STATE: Final = "state"
_LATE: Final = "late"
_NEVER_MS: Final = -(1 << 62)


def steps_of(contract: MetricContract) -> tuple[str, ...]:
    """The names of a funnel's steps; numbers where it names none."""
    return contract.steps or tuple(str(step) for step in range(1 + max((m.step for m in contract.moves), default=0)))


def width_of(contract: MetricContract) -> int:
    """How many sums a contribution has."""
    if contract.type == "funnel":
        return len(steps_of(contract))
    return SESSION_WIDTH if contract.type == "sessions" else JOIN_WIDTH


def answer_of(contract: MetricContract, sums: Sequence[float]) -> dict[str, float | None]:
    """The value of summed contributions (none: an empty sequence). Averages of nothing are null.

    `funnel`: attempts that reached each step by name, and `conversion`, the share that reached the last. `sessions`:
    `sessions`, `events_per_session`, `duration_ms` (mean). `join`: `pairs`, `average` (of their values), and
    `unmatched`, left ones that have no right one up to now.
    """
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


class Late(msgspec.Struct, array_like=True):
    """What came late of a subject. `stamp` grows with each touch of it: what was worked out before is then dropped."""

    marks: list[tuple[Mark, int]]
    stamp: int = 0


Waiting = tuple[list[tuple[Mark, int]], int, int]
"""How a subject stands at an instant: its marks, how many of them count, and its stamp."""


class Refolded(NamedTuple):
    """A subject as the whole log makes it: what is to be added to the cells, and its history from the horizon on."""

    key: str
    stamp: int
    told: list[Contribution]
    history: History


class Refolding:
    """Works out subjects of a metric from all their touches."""

    def __init__(self, contract: MetricContract) -> None:
        self._law = law_of(contract)
        self._keeps_data = keeps_data(contract)

    def mark(self, touch: Touch) -> tuple[Mark, int]:
        """What of a touch stays."""
        return mark_of(touch, self._keeps_data), touch.sign

    def refold(self, key: str, late: Waiting, touches: Sequence[tuple[Mark, int]], floor_ms: int) -> Refolded:
        """`touches` are all of it that are in the log, those that came late included."""
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
    """What of a touch stays in a history."""
    data = canonical(touch.data) if with_data else bytes(touch.also)
    return touch.at_ms, touch.step, touch.dims, data


def keeps_data(contract: MetricContract) -> bool:
    """Whether the data of events is looked at."""
    return contract.type == "join" and bool(contract.value)


def law_of(contract: MetricContract) -> Law:
    """What histories mean for a metric."""
    if contract.type == "funnel":
        return Funnel(len(steps_of(contract)), contract.within_ms)
    return Sessions(contract.within_ms) if contract.type == "sessions" else Join(contract.within_ms, contract.value)


class _State(msgspec.Struct, array_like=True):
    newest_ms: int = 0
    missed: int = 0
    let_go: int = 0
    unmoved: int = 0


_page = msgspec.msgpack.Decoder(dict[str, History])
_state = msgspec.msgpack.Decoder(_State)
_late = msgspec.msgpack.Decoder(dict[str, Late])


class SubjectFold:
    """Of one metric of type funnel, sessions or join, in one tenant."""

    def __init__(
        self, contract: MetricContract, *, subjects_max: int = SUBJECTS_MAX, horizon_ms: int | None = None,
        endless: bool = False,
    ) -> None:  # fmt: skip
        """`endless`: nothing is ever too late, and nothing is let go: for a fold of a part of the log."""
        self._law = law_of(contract)
        self._keeps_data = keeps_data(contract)
        self._page_max = (1 << 62) if endless else max(subjects_max // PAGES, 1)
        self._touches_max = (1 << 62) if endless else TOUCHES_MAX
        self._horizon_ms = contract.reach_ms if horizon_ms is None else horizon_ms
        self._endless = endless
        self._late: dict[str, Late] = {}
        self._waiting = 0
        self._late_changed = False
        self._pages: list[dict[str, History]] = [{} for _ in range(PAGES)]
        self._changed: set[int] = set()
        self._state = _State()
        self._swept = 0

    def add(self, touch: Touch) -> list[Contribution]:
        """What a touch changes; nothing for one that is as it was, or from before the horizon."""
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
        if len(history.marks) > self._touches_max:
            state.missed += history.shorten(self._law, self._touches_max)
        elif history.empty and history.floor_ms <= self.floor_ms:
            del page[key]
        return told

    def _put_aside(self, key: str, late: Late | None, mark: Mark, sign: int) -> None:
        """A touch from before the horizon: its subject waits for the log."""
        if self._waiting >= LATE_MAX:
            self._state.missed += 1
            return
        if late is None:
            late = self._late[key] = Late([])
        late.marks.append((mark, sign))
        late.stamp += 1
        self._waiting += 1
        self._late_changed = True

    def late(self) -> list[str]:
        """The subjects that wait for the log."""
        return list(self._late)

    def waiting_of(self, keys: Iterable[str]) -> dict[str, Waiting]:
        """How those of some subjects that wait for the log stand now. Nothing is copied: marks are only added."""
        late = self._late
        found = [(key, late[key]) for key in keys if key in late]
        return {key: (each.marks, len(each.marks), each.stamp) for key, each in found}

    def wait_still(self, keys: Set[str]) -> bool:
        """Whether one of some subjects waits for the log."""
        return not self._late.keys().isdisjoint(keys)

    def waits(self, key: str) -> bool:
        """Whether a subject waits for the log."""
        return key in self._late

    @property
    def waiting(self) -> int:
        """Touches that came late and wait for the log."""
        return self._waiting

    def adopt(self, refolded: Refolded) -> list[Contribution] | None:
        """A subject is as the log makes it: what that adds to the cells. None when it was touched meanwhile."""
        key, stamp, told, history = refolded
        late = self._late.get(key)
        if late is None or late.stamp != stamp:
            return None
        del self._late[key]
        self._waiting -= len(late.marks)
        self._late_changed = True
        number = crc32(key.encode()) % PAGES
        self._changed.add(number)
        history.settle(self._law, self.floor_ms)
        if len(history.marks) > self._touches_max:
            self._state.missed += history.shorten(self._law, self._touches_max)
        page = self._pages[number]
        if history.empty and history.floor_ms <= self.floor_ms:
            page.pop(key, None)
        else:
            page[key] = history
            if len(page) > self._page_max:
                self._let_go(page, key)
        return told

    def forget(self) -> None:
        """Let go of some of what lies before the horizon; a call now and then keeps memory small."""
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
        """The horizon: touches from before it are not looked at as they come."""
        return _NEVER_MS if self._endless else self._state.newest_ms - self._horizon_ms

    @property
    def missed(self) -> int:
        """Touches that are not in the numbers: those that wait for the log, were too many of one subject or waited with
        too many others; and subjects that were let go."""
        return self._state.missed + self._state.let_go + self._waiting

    @property
    def let_go(self) -> int:
        """Subjects that were let go because there were too many."""
        return self._state.let_go

    @property
    def unmoved(self) -> int:
        """Values that were no finite number."""
        return self._state.unmoved

    def __len__(self) -> int:
        return sum(map(len, self._pages))

    def size(self) -> int:
        """Bytes of memory, roughly: as some of them say of all."""
        some = list(islice(chain.from_iterable(page.values() for page in self._pages), SAMPLED))
        marks = sum(len(history.marks) for history in some) / max(1, len(some))
        return round(len(self) * (HISTORY_BYTES + MARK_BYTES * marks))

    def merge(self, other: "SubjectFold") -> None:
        """Take in the subjects of another fold, which are none of its own."""
        mine, theirs = self._state, other._state
        for number, page in enumerate(other._pages):
            if page:
                self._pages[number] |= page
                self._changed.add(number)
        self._late |= other._late
        self._waiting += other._waiting
        self._late_changed = self._late_changed or bool(other._late)
        mine.newest_ms = max(mine.newest_ms, theirs.newest_ms)
        mine.missed, mine.let_go = mine.missed + theirs.missed, mine.let_go + theirs.let_go
        mine.unmoved += theirs.unmoved

    def dump(self, full: bool = False) -> dict[str, bytes]:
        """The pages that changed since the last dump, or all. A page keeps its name; an empty one has bytes too."""
        return dict(self.pages(full))

    def pages(self, full: bool = False) -> Iterator[tuple[str, bytes]]:
        """The same page by page; what changes between two of them is dumped next time."""
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
        """Become what was dumped: the newest of each page."""
        for name, data in pages.items():
            if name == _STATE:
                self._state = _state.decode(data)
            elif name == _LATE:
                self._late = _late.decode(data)
                self._waiting = sum(len(late.marks) for late in self._late.values())
            else:
                self._pages[int(name)] = _page.decode(data)

    def _let_go(self, page: dict[str, History], but: str) -> None:
        """A quarter of a page at once, so that the search for the quiet ones is paid seldom."""
        quiet = sorted((key for key in page if key != but), key=lambda key: (page[key].last_ms, key))
        for key in quiet[: max(self._page_max // 4, 1)]:
            del page[key]
            self._state.let_go += 1
