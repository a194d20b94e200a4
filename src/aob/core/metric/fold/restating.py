"""One pass over the log that recounts tiles with retracted values and recomputes late subjects. Reading and computing
may run in another thread; what was touched meanwhile is left for the next pass, the rest is applied in batches."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aob.core.accepted_event import Event
from aob.core.metric.cell import whole
from aob.core.metric.fold.fold import Fold, Found, by_version, found_in
from aob.core.metric.fold.plan import Span
from aob.core.metric.history import Mark, Touch
from aob.core.metric.subject import Refolded, Refolding, Waiting

STEP: Final = 10_000  # subjects that are checked before control is yielded


class Restatement:
    """What a fold needs from the log. `types` are the event types that count; `own_time`: all of them count at their
    own time, so that only the log from `since_ms` on has to be read."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._contracts, self._plan = fold.contracts, fold.plan
        self._spans = {name: dict(spans) for name, spans in fold.wanted.items() if spans}
        self._keys = {name: late for name, each in fold.subjects.items() if (late := each.late())}
        self._late: dict[str, dict[str, Waiting]] = {name: {} for name in self._keys}
        self._floors: dict[str, int] = {}
        self._refolding = {name: Refolding(fold.plan.metrics[name].contract) for name in self._late}
        self._index = {name: _Index(spans) for name, spans in self._spans.items()}
        self._found: dict[str, dict[Span, list[Found]]] = {name: defaultdict(list) for name in self._spans}
        self._touches: dict[str, dict[str, list[tuple[Mark, int]]]] = {name: defaultdict(list) for name in self._late}
        self._ready: list[tuple[str, Refolded]] = []
        moves = [move for name in (*self._spans, *self._late) for move in fold.plan.metrics[name].contract.moves]
        self.types = frozenset(move.on for move in moves)
        self.own_time = not self._late and not any(move.at for move in moves)
        self.since_ms = min((since for spans in self._spans.values() for since, _ in spans), default=0)

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset((*self._spans, *self._late))

    def refresh(self) -> Iterator[None]:
        """Before the log is read up to the fold's position at the end of this: take what still waits, with its current
        stamps. New entries are for another pass. Yields so that other tasks can run."""
        fold = self._fold
        for name, index in self._index.items():
            now = fold.wanted.get(name, {})
            self._spans[name] = {span: now[span] for span in index.spans if span in now}
        for name, keys in self._keys.items():
            late = self._late[name] = {}
            for begin in range(0, len(keys), STEP):
                late |= fold.subjects[name].waiting_of(keys[begin : begin + STEP])
                yield
            self._keys[name] = list(late)
            self._floors[name] = fold.subjects[name].floor_ms

    def read(self, events: Sequence[Event]) -> None:
        """Read events, each exactly once, in any order."""
        by_type: dict[str, list[Event]] = {}
        for event in events:
            if event.type in self.types:
                by_type.setdefault(event.type, []).append(event)
        for type, group in by_type.items():
            for version, some in by_version(group, self._contracts.events.get(type, {}).keys()):
                for name, index in self._index.items():
                    for part, valued in found_in(self._fold, name, type, version, some):
                        for span in index.spans_of(valued[0]):
                            self._found[name][span].append((part, valued))
                for feed in self._plan.subjects.get(type, {}).get(version, ()):
                    if feed.metric in self._late:
                        self._follow(feed.metric, feed.touches(some, lambda lost: None))

    def work_out(self) -> None:
        """Compute what was read: the longest part; it does not access the fold."""
        self._ready = [
            (name, self._refolding[name].refold(key, late, self._touches[name].get(key, ()), self._floors[name]))
            for name, subjects in self._late.items() for key, late in subjects.items()
        ]  # fmt: skip

    def apply(self, most: int) -> bool:
        """Apply some results; return whether there are more."""
        fold = self._fold
        for name, spans in self._spans.items():
            for span in list(spans)[:most]:
                fold.restate(name, span, spans.pop(span), self._found[name].get(span, ()))
                most -= 1
            if most <= 0:
                return True
        while self._ready and most > 0:
            name, refolded = self._ready.pop()
            most -= 1
            told = fold.subjects[name].adopt(refolded)
            for at_ms, dims, values in told or ():
                fold.contribute(name, at_ms, dims, [whole(value) for value in values])
        return bool(self._ready)

    @property
    def left(self) -> bool:
        """Whether part of the original work still waits, because it was touched meanwhile."""
        if any(span in self._fold.wanted.get(name, {}) for name, index in self._index.items() for span in index.spans):
            return True
        return any(self._fold.subjects[name].wait_still(late.keys()) for name, late in self._late.items())

    def _follow(self, name: str, touches: Iterable[tuple[Event, Touch]]) -> None:
        late, mark = self._late[name], self._refolding[name].mark
        for _, touch in touches:
            if touch.key in late:
                self._touches[name][touch.key].append(mark(touch))


class _Index:
    """Finds the spans that contain an instant; they may be nested."""

    def __init__(self, spans: dict[Span, int]) -> None:
        self.spans = sorted(spans)
        self._starts = [since for since, _ in self.spans]
        self._widest = max((until - since for since, until in self.spans), default=0)

    def spans_of(self, at_ms: int) -> list[Span]:
        """The spans that contain an instant."""
        found: list[Span] = []
        place = bisect_right(self._starts, at_ms) - 1
        while place >= 0 and self._starts[place] > at_ms - self._widest - 1:
            if at_ms < self.spans[place][1]:
                found.append(self.spans[place])
            place -= 1
        return found
