"""Folds a tenant's accepted events into metrics and answers queries; changes are dumped as pages. No clock, no I/O."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from operator import attrgetter
from typing import Final, Self

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import ContractSet
from aob.core.metric.cell import put, whole
from aob.core.metric.cube import Cube
from aob.core.metric.fold import pages as paging
from aob.core.metric.fold.answering import answer
from aob.core.metric.fold.column import Valued, text_of
from aob.core.metric.fold.feed import Many, SubjectFeed
from aob.core.metric.fold.plan import MetricPlan, Plan, Span, State, plan_of
from aob.core.metric.fold.reading import Reading
from aob.core.metric.history import Touch
from aob.core.metric.tile import KEPT_MS, Key, Tile
from aob.core.metric_query import MetricQuery

Found = tuple[int | None, Valued]
"""The index of the metric's part that a value adds to (None: it retracts), and the value."""
_type: Final = attrgetter("type")
_PLANS_MAX: Final = 64
_plans: Final[dict[tuple[int, frozenset[str] | None], tuple[ContractSet, Plan]]] = {}


def touched(fold: State, type: str, version: int, events: Sequence[Event]) -> Iterator[tuple[str, Span]]:
    """The spans of tiles to recount, by metric: where values are retracted, and where others arrive afterwards."""
    for name in fold.plan.refolded:
        plan = fold.plan.metrics[name]
        for teller in fold.plan.tellers.get(name, {}).get((type, version), ()):
            for at_ms, _, _, _ in teller.tell(events):
                tiles = [fold.cubes[part.cube].tiles.open(at_ms) for part in plan.parts]
                if teller.part is None:
                    for part, tile in zip(plan.parts, tiles, strict=True):
                        tile.taken = True
                        fold.cubes[part.cube].touch(tile)
                if any(tile.taken for tile in tiles):
                    yield name, (min(tile.start for tile in tiles), max(tile.end for tile in tiles))


def found_in(fold: State, metric: str, type: str, version: int, events: Sequence[Event]) -> Iterator[Found]:
    """The values of events of one version of a type, for a metric that is recounted."""
    for teller in fold.plan.tellers.get(metric, {}).get((type, version), ()):
        for valued in teller.tell(events):
            yield teller.part, valued


def widened(fold: State, metric: str, span: Span) -> Span:
    """The span extended to the tiles that contain it now: they are larger after a roll-up."""
    for part in fold.plan.metrics[metric].parts:
        tiles = fold.cubes[part.cube].tiles
        first, last = tiles.open(span[0]), tiles.open(span[1] - 1)
        span = min(first.start, span[0]), max(last.end, span[1])
    return span


def rebuild(fold: State, metric: str, since: int, until: int, found: Iterable[Found]) -> None:
    """Rebuild the slots of a metric in a span from `found` alone."""
    plan = fold.plan.metrics[metric]
    added: list[tuple[int, Valued]] = []
    gone: Counter[tuple[int, Key, str]] = Counter()
    cleared = list(_clear(fold, plan, since, until))
    for part, valued in found:
        if part is not None:
            added.append((part, valued))
            continue
        at_ms, key, _, value = valued
        tile = fold.cubes[plan.parts[0].cube].tiles.open(at_ms)
        gone[tile.start, key, text_of(value)] += 1
    for index, (at_ms, key, event, value) in sorted(added, key=lambda pair: (pair[1][0], pair[1][2].offset)):
        part_of = plan.parts[index]
        cube = fold.cubes[part_of.cube]
        tile = cube.tiles.open(at_ms)
        mark = tile.start, key, text_of(value)
        if gone[mark] > 0:
            gone[mark] -= 1
            continue
        put(cube.cell(tile, key), cube.places[part_of.slot], part_of.slot, [event], [value], [at_ms])
        cube.touch(tile, late=True)
    for index, tile in cleared:
        fold.cubes[plan.parts[index].cube].touch(tile, late=True)


def _clear(fold: State, plan: MetricPlan, since: int, until: int) -> Iterator[tuple[int, Tile]]:
    for number, part in enumerate(plan.parts):
        cube = fold.cubes[part.cube]
        index = cube.places[part.slot]
        for tile in cube.tiles.within(since, until):
            for cell in tile.own().values():
                cell[index] = None
            yield number, tile


class Moved(msgspec.Struct):
    """The effect of events: changed metrics (derived ones too), those whose past changed, and the late events."""

    metrics: set[str]
    restated: set[str]
    late: int = 0


class Fold(State):
    """The values of `metrics` (None: all) of a tenant's contracts, and of their operands. `kept_ms`: how long seconds,
    minutes, hours and days are kept before they are rolled up. `endless`: no subject is too late or evicted; only for a
    fold of a bounded part of the log."""

    def __init__(
        self, contracts: ContractSet, metrics: frozenset[str] | None = None, *, kept_ms: Sequence[int] = KEPT_MS,
        endless: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(contracts, _plan(contracts, metrics), kept_ms, endless)

    @staticmethod
    def prepare(contracts: ContractSet) -> None:
        """Build and cache the plan of all metrics, in a thread: this compiles thousands of expressions."""
        _plan(contracts, None)

    def add(self, events: Sequence[Event]) -> Moved:
        """Fold accepted events, in any order, each exactly once."""
        moved = Moved(set(), set())
        if not events:
            return moved
        late = self.sources.see(events)
        by_type = defaultdict[str, list[Event]](list)
        for type, event in zip(map(_type, events), events, strict=True):
            by_type[type].append(event)
        late_ids = {id(event) for event in late}
        touches: list[tuple[Event, Touch, SubjectFeed]] = []
        for type, group in by_type.items():
            subjects = self.plan.subjects.get(type, {})
            for version, some in by_version(group, self.contracts.events.get(type, {}).keys()):
                self._feed(type, version, some, late_ids, moved)
                for subject in subjects.get(version, ()):
                    lose = partial(self.cubes[subject.id].lose, (subject.metric,))
                    touches += [(event, touch, subject) for event, touch in subject.touches(some, lose)]
        if touches:
            self._follow(events, touches, late_ids, moved)
        moved.late = len(late)
        self._close(moved.metrics)
        self._close(moved.restated)
        return moved

    def add_many(self, groups: Sequence[Many]) -> Moved:
        """Fold groups as `add` would: of the newest version of types without subjects or retractions."""
        moved = Moved(set(), set())
        if not groups:
            return moved
        late = {id(event) for event in self.sources.see([group.sample for group in groups])}
        for group in groups:
            sample = group.sample
            for feed in self.plan.feeds.get(sample.type, {}).get(max(self.contracts.events[sample.type]), ()):
                cube = self.cubes[feed.id]
                try:
                    names = feed.add_many(cube, group)
                except Exception as error:  # as in `_feed`
                    self.fault(feed.metrics, cube, group.times, error)
                    continue
                moved.metrics |= names
                if id(sample) in late and names:
                    cube.touch(cube.tiles.open(sample.at_ms), late=True)
                    moved.restated |= names
            moved.late += group.times * (id(sample) in late)
        self._close(moved.metrics)
        self._close(moved.restated)
        return moved

    def merge(self, other: Self) -> None:
        """Merge another fold of the same contracts, over other keys, which is not changed; no event is in both. The
        result equals one fold of all events."""
        self.dimensions.merge(other.dimensions)
        self.sources.merge(other.sources)
        for id, theirs in other.cubes.items():
            if theirs.moved or theirs.tiles.cells:
                self.cubes[id].merge(theirs)
        for name, subjects in other.subjects.items():
            self.subjects[name].merge(subjects)
        for metric, spans in other.wanted.items():
            for span in spans:
                self.stamp += 1
                self.wanted.setdefault(metric, {})[span] = self.stamp
        self.faults |= other.faults

    def read(self, query: MetricQuery, now_ms: int) -> Reading:
        """Answer a query. Raises NotFound, Invalid, and NeedsScan where the kept tiles do not suffice."""
        return answer(self, query, now_ms)

    def forget(self, now_ms: int) -> None:
        """Roll up old tiles and settle subjects. Answers do not change, or need a scan."""
        for cube in self.cubes.values():
            cube.forget(now_ms, self.kept_ms)
        for subjects in self.subjects.values():
            subjects.forget()

    def recount(self, events: Sequence[Event]) -> None:
        """Recount all spans that want it (`on_retract: refold`); `events` are all that count there, in any order."""
        for name, since, until in sorted((name, *span) for name, spans in self.wanted.items() for span in spans):
            self.refold(name, since, until, events)

    def refold(self, metric: str, since: int, until: int, events: Sequence[Event]) -> None:
        """Recount the tiles of a metric in a span; `events` are all that count there, in any order."""
        found: list[Found] = []
        for type in {event.type for event in events} & self.plan.types.get(metric, frozenset()):
            group = [event for event in events if event.type == type]
            for version, some in by_version(group, self.contracts.events.get(type, {}).keys()):
                found += found_in(self, metric, type, version, some)
        since, until = widened(self, metric, (since, until))
        rebuild(self, metric, since, until, [each for each in found if since <= each[1][0] < until])
        left = {
            span: stamp for span, stamp in self.wanted.pop(metric, {}).items() if span[0] < since or until < span[1]
        }
        if left:
            self.wanted[metric] = left

    def restate(self, metric: str, span: Span, stamp: int, found: Iterable[Found]) -> None:
        """Replace the tiles of one wanted span by `found`, unless it was touched after `stamp`."""
        spans = self.wanted.get(metric, {})
        if spans.get(span) != stamp:
            return
        del spans[span]
        now = widened(self, metric, span)
        if now == span:
            rebuild(self, metric, *span, found)
        else:  # rolled up meanwhile: the whole larger tile must be recounted
            self.stamp += 1
            spans[now] = self.stamp
        if not spans:
            del self.wanted[metric]

    def contribute(self, metric: str, at_ms: int, dims: Key, values: Sequence[int]) -> None:
        """Add a late contribution of a subject to the cells of its metric."""
        cube = self.cubes[self.plan.metrics[metric].parts[0].cube]
        self._contribute(cube, at_ms, dims, values, True)
        cube.see("", at_ms)

    @property
    def restating(self) -> bool:
        """Whether tiles or subjects wait for a recount from the log."""
        return bool(self.wanted) or any(each.waiting for each in self.subjects.values())

    def waits(self, metric: str) -> bool:
        """Whether a metric, or one of its operands, waits for a recount from the log."""
        plan = self.plan.metrics.get(metric)
        if plan is None:
            return False
        subjects = self.subjects.get(metric)
        if self.wanted.get(metric) or (subjects is not None and subjects.waiting):
            return True
        return any(map(self.waits, plan.operands))

    def unmoved(self) -> dict[str, int]:
        """By metric, the number of values it could not use; metrics without any are omitted."""
        found = Counter({metric: each.unmoved for metric, each in self.subjects.items() if each.unmoved})
        for cube in self.cubes.values():
            found.update(cube.unmoved)
        return dict(found)

    def dump(self, full: bool = False) -> dict[str, bytes | None]:
        """Pages that changed since the last dump, or all; None for a removed one."""
        return dict(self.pages(full))

    def pages(self, full: bool = False) -> Iterator[tuple[str, bytes | None]]:
        """The same as an iterator; events may be folded between two pages."""
        return paging.pages_of(self, full)

    @classmethod
    def load(
        cls, contracts: ContractSet, pages: Mapping[str, bytes | None], metrics: frozenset[str] | None = None
    ) -> Self:
        """Restore a dump under the same contracts. Pages of metrics that are no longer declared are ignored."""
        fold = cls(contracts, metrics)
        paging.load(fold, pages)
        return fold

    def size(self) -> dict[str, int]:
        """Sizes: `cells`, `tiles`, `subjects`, `bytes` (approximate), `overflow`, `crowded`."""
        return paging.size(self)

    def _feed(self, type: str, version: int, events: Sequence[Event], late: set[int], moved: Moved) -> None:
        behind = [event for event in events if id(event) in late] if late else []
        for feed in self.plan.feeds.get(type, {}).get(version, ()):
            cube = self.cubes[feed.id]
            try:
                names = feed.add(cube, events)
            except Exception as error:  # last resort: a failing metric must not affect others
                self.fault(feed.metrics, cube, len(events), error)
                continue
            moved.metrics |= names
            if behind and names:
                for at_ms in feed.instants(behind):
                    cube.touch(cube.tiles.open(at_ms), late=True)
                moved.restated |= names
        if self.plan.refolded:
            for name, span in touched(self, type, version, events):
                self.stamp += 1
                self.wanted.setdefault(name, {})[span] = self.stamp

    def _follow(
        self, events: Sequence[Event], touches: list[tuple[Event, Touch, SubjectFeed]], late: set[int], moved: Moved
    ) -> None:
        """Fold touches in order of arrival: the horizon depends on it."""
        order = {id(event): place for place, event in enumerate(events)}
        touches.sort(key=lambda each: order[id(each[0])])
        for event, touch, feed in touches:
            cube = self.cubes[feed.id]
            try:
                told = self.subjects[feed.metric].add(touch)
            except Exception as error:
                self.fault((feed.metric,), cube, 1, error)
                continue
            for at_ms, dims, values in told:
                self._contribute(cube, at_ms, dims, list(map(whole, values)), id(event) in late)
            waits = self.subjects[feed.metric].waits(touch.key)
            if told or waits:
                if told:
                    cube.see("", event.at_ms)
                moved.metrics.add(feed.metric)
                if waits or id(event) in late:
                    moved.restated.add(feed.metric)

    def _contribute(self, cube: Cube, at_ms: int, dims: Key, values: Sequence[int], late: bool) -> None:
        tile = cube.tiles.open(at_ms)
        cell = cube.cell(tile, dims)
        for index, value in enumerate(values):
            cell[index] += value
        cube.touch(tile, late)

    def fault(self, metrics: Iterable[str], cube: Cube, count: int, error: Exception) -> None:
        """Count events that an unexpected error lost for these metrics."""
        cube.lose(metrics, count)
        for metric in metrics:
            self.faults[metric] = f"{type(error).__name__}: {error}"

    def _close(self, names: set[str]) -> None:
        """Add the metrics derived from these."""
        asked = list(names)
        while asked:
            for name in self.plan.derived.get(asked.pop(), ()):
                if name not in names:
                    names.add(name)
                    asked.append(name)


def by_version(events: list[Event], known: Set[int]) -> list[tuple[int, list[Event]]]:
    """Events by the version of their contract; an unknown version is treated as the newest."""
    if len(known) < 2:
        return [(version, events) for version in known]
    newest = max(known)
    found = defaultdict[int, list[Event]](list)
    for event in events:
        found[event.version if event.version in known else newest].append(event)
    return list(found.items())


def _plan(contracts: ContractSet, metrics: frozenset[str] | None) -> Plan:
    """The plan of contracts; recent ones are cached, because each scan creates a fold for one query."""
    key = id(contracts), metrics
    held = _plans.get(key)
    if held is None or held[0] is not contracts:
        held = contracts, plan_of(contracts, metrics)
        for old in list(_plans)[: len(_plans) - _PLANS_MAX + 1]:  # another thread may have removed it
            _plans.pop(old, None)
    else:
        _plans.pop(key, None)
    _plans[key] = held
    return held[1]
