"""All subjects of one metric: touches in, signed contributions to its cells out. Event time alone moves the horizon.

What lies further back than the horizon is settled: a touch from before it is not looked at, and counted as `missed`.
"""

from collections.abc import Mapping
from typing import Final
from zlib import crc32

import msgspec

from aob.core.contract_model import MetricContract
from aob.core.event.value import canonical
from aob.core.metric.subject.answer import steps_of
from aob.core.metric.subject.funnel import Funnel
from aob.core.metric.subject.history import HISTORY_BYTES, MARK_BYTES, History, difference
from aob.core.metric.subject.join import Join
from aob.core.metric.subject.sessions import Sessions
from aob.core.metric.subject.touch import Contribution, Law, Touch

HORIZON_MS: Final = 24 * 3_600_000
"""How far back touches still change what was told."""
TOUCHES_MAX: Final = 128
"""Different touches of one subject that are kept; above, the horizon of that subject alone comes nearer."""
SUBJECTS_MAX: Final = 200_000
"""Subjects of one metric; above, those that were quiet the longest are let go."""
PAGES: Final = 256
"""Parts in which subjects are written."""
SWEPT: Final = 16
"""Pages that one call of `forget` looks through."""
_STATE: Final = "state"


class _State(msgspec.Struct, array_like=True):
    newest_ms: int = 0
    missed: int = 0
    let_go: int = 0
    unmoved: int = 0


_page = msgspec.msgpack.Decoder(dict[str, History])
_state = msgspec.msgpack.Decoder(_State)


class SubjectFold:
    """Of one metric of type funnel, sessions or join, in one tenant."""

    def __init__(
        self, contract: MetricContract, *, subjects_max: int = SUBJECTS_MAX, horizon_ms: int = HORIZON_MS
    ) -> None:
        self._law = _law_of(contract)
        self._keeps_data = contract.type == "join" and bool(contract.value)
        self._page_max = max(subjects_max // PAGES, 1)
        self._horizon_ms = horizon_ms
        self._pages: list[dict[str, History]] = [{} for _ in range(PAGES)]
        self._changed: set[int] = set()
        self._state = _State()
        self._swept = 0

    def add(self, touch: Touch) -> list[Contribution]:
        """What a touch changes; nothing for one that is as it was, or from before the horizon."""
        key, at_ms, seen_ms, step, dims, sign, data = touch
        state = self._state
        state.newest_ms = max(state.newest_ms, seen_ms)
        number = crc32(key.encode()) % PAGES
        page = self._pages[number]
        history = page.get(key)
        floor_ms = max(self.floor_ms, history.floor_ms if history else 0)
        self._changed.add(number)
        if at_ms < floor_ms:
            state.missed += 1
            return []
        if history is None:
            history = page[key] = History(marks=[])
            if len(page) > self._page_max:
                self._let_go(page, key)
        history.settle(self._law, floor_ms)
        before = self._law.tell(history.head, history.marks)
        history.put((at_ms, step, dims, canonical(data) if self._keeps_data else b""), sign)
        told = difference(before, self._law.tell(history.head, history.marks))
        if self._law.unmoved:
            state.unmoved += self._law.unmoved
            self._law.unmoved = 0
        if len(history.marks) > TOUCHES_MAX:
            state.missed += history.shorten(self._law, TOUCHES_MAX)
        elif history.empty and history.floor_ms <= self.floor_ms:
            del page[key]
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
        """The horizon: touches from before it are not looked at."""
        return self._state.newest_ms - self._horizon_ms

    @property
    def missed(self) -> int:
        """Touches that came too late, or were too many of one subject, to be looked at."""
        return self._state.missed

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
        return {**pages, _STATE: msgspec.msgpack.encode(self._state)} if pages else {}

    def load(self, pages: Mapping[str, bytes]) -> None:
        """Become what was dumped: the newest of each page."""
        for name, data in pages.items():
            if name == _STATE:
                self._state = _state.decode(data)
            else:
                self._pages[int(name)] = _page.decode(data)

    def _let_go(self, page: dict[str, History], but: str) -> None:
        """A quarter of a page at once, so that the search for the quiet ones is paid seldom."""
        quiet = sorted((key for key in page if key != but), key=lambda key: (page[key].last_ms, key))
        for key in quiet[: max(self._page_max // 4, 1)]:
            del page[key]
            self._state.let_go += 1


def _law_of(contract: MetricContract) -> Law:
    if contract.type == "funnel":
        return Funnel(len(steps_of(contract)), contract.within_ms)
    return Sessions(contract.within_ms) if contract.type == "sessions" else Join(contract.within_ms, contract.value)
