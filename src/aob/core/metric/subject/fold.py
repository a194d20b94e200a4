"""All subjects of one metric: touches in, signed contributions to its cells out. Event time alone moves the horizon.

What lies further back than the horizon is settled: a subject that is touched there waits until `Refolding` has worked
it out from the log. What the bounds let go of is missed for good.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Final
from zlib import crc32

import msgspec

from aob.core.contract_model import MetricContract
from aob.core.metric.subject.history import HISTORY_BYTES, MARK_BYTES, History, difference
from aob.core.metric.subject.late import LATE_MAX, Late, Refolded, Waiting, keeps_data, law_of, mark_of
from aob.core.metric.subject.touch import Contribution, Mark, Touch

TOUCHES_MAX: Final = 128
"""Different touches of one subject that are kept; above, the horizon of that subject alone comes nearer."""
SUBJECTS_MAX: Final = 200_000
"""Subjects of one metric; above, those that were quiet the longest are let go."""
PAGES: Final = 256
"""Parts in which subjects are written."""
SWEPT: Final = 16
"""Pages that one call of `forget` looks through."""
_STATE: Final = "state"
_LATE: Final = "late"
_NEVER_MS: Final = -(1 << 62)


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
        """Bytes of memory, roughly."""
        histories = [history for page in self._pages for history in page.values()]
        return HISTORY_BYTES * len(histories) + MARK_BYTES * sum(len(history.marks) for history in histories)

    def dump(self, full: bool = False) -> dict[str, bytes]:
        """The pages that changed since the last dump, or all. A page keeps its name; an empty one has bytes too."""
        numbers = range(PAGES) if full else sorted(self._changed)
        pages = {str(number): msgspec.msgpack.encode(self._pages[number]) for number in numbers}
        self._changed.clear()
        if full or self._late_changed:
            pages[_LATE] = msgspec.msgpack.encode(self._late)
            self._late_changed = False
        return {**pages, _STATE: msgspec.msgpack.encode(self._state)} if pages else {}

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
