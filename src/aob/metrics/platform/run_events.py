"""Converts events of runs to platform events (type, data), from which platform metrics are folded, and groups them. A
run's event does not contain its workflow or when its visit became ready; `Telling` remembers that for live runs. Nearly
all runs only begin, complete visits and end: these are processed column by column, because most are alike. Runs with
other events are processed event by event, with the same groups as result. Pure and deterministic."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, groupby, repeat
from operator import attrgetter, floordiv, is_, sub, truediv
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec

from aob.core.ingest import Event
from aob.core.metric.fold import Many
from aob.core.run.record import events as ev
from aob.journal import Stream, Told

RUNS_MAX: Final = 100_000  # live runs that are remembered; the oldest beyond are counted without workflow and times
PAGES: Final = 256  # parts in which they are written, by a hash of the id
NODE: Final = "aob.node.finished"
STARTED: Final = "aob.run.started"
FINISHED: Final = "aob.run.finished"
SECOND_MS: Final = 1_000
_copied: Final = attrgetter("copied")
PlatformEvent = tuple[str, dict[str, Any]]


class Remembered(msgspec.Struct, array_like=True, gc=False):
    """The remembered facts of a live run."""

    workflow: str
    started_ms: int
    ready: dict[str, int] = {}
    tickets: dict[str, tuple[str, int]] = {}


class Telling:
    """The platform events of one tenant's runs."""

    def __init__(self) -> None:
        self.runs: dict[str, Remembered] = {}  # all remembered runs, the oldest first
        self.touched: set[str] = set()  # runs with changes that nobody was given yet
        self._pages: dict[int, dict[str, Remembered]] = {number: {} for number in range(PAGES)}
        self._given: set[str] = set()  # runs that a page or another process remembers
        self._changed: set[int] = set()

    def pages(self, full: bool = False) -> Iterator[tuple[str, bytes | None]]:
        """The pages changed since the last call, or all; `""` lists those that are not empty."""
        for run_id in self.touched:
            page, run = self._pages[number := _page_of(run_id)], self.runs.get(run_id)
            self._changed.add(number)
            if run is not None:
                page[run_id] = run
                self._given.add(run_id)
            else:
                page.pop(run_id, None)
                self._given.discard(run_id)
        self.touched.clear()
        for number in range(PAGES) if full else sorted(self._changed):
            self._changed.discard(number)
            runs = self._pages[number]
            yield f":{number}", msgspec.msgpack.encode(runs) if runs else None
        yield "", msgspec.msgpack.encode([number for number, runs in self._pages.items() if runs])

    def changes(self) -> dict[str, Remembered | None]:
        """The runs changed since the last call, for another process; not to be mixed with `pages`."""
        changed = {run_id: self.runs.get(run_id) for run_id in self.touched}
        self.touched.clear()
        for run_id, run in changed.items():
            (self._given.discard if run is None else self._given.add)(run_id)
        return changed

    def load(self, data: bytes) -> list[int]:
        """Loads a page of `pages`. Returns the numbers of the pages to load next. Earlier releases had one page."""
        found = msgspec.msgpack.decode(data, type=list[int] | dict[str, Remembered])
        if isinstance(found, list):
            return found
        for run_id, run in found.items():
            self.remember(run_id, run)
        return []

    def tell(self, run_id: str, event: Any, at_ms: int) -> PlatformEvent | None:
        """The platform event of one event of a run, committed at `at_ms`, or None."""
        kind = type(event)
        self.touched.add(run_id)
        run = self.runs.get(run_id)
        if kind is ev.RunStarted:
            self.begin({run_id: Remembered(event.workflow, at_ms, dict.fromkeys(event.ready, at_ms))})
            return STARTED, {"workflow": event.workflow}
        if run is None:
            run = Remembered("", at_ms)
        make = _TELLS.get(kind)
        told = make(run, event, at_ms) if make is not None else None
        if kind in _READYING:
            for visit in event.ready:
                run.ready[visit] = at_ms
        elif kind is ev.TokenReady:
            run.ready[event.visit] = at_ms
        elif kind is ev.RunFinished:
            self.end((run_id,))
        return told

    def remember(self, run_id: str, remembered: Remembered | None) -> None:
        """Sets the remembered facts of a run, as a page or another process gives them; None drops them."""
        self.touched.add(run_id)
        if remembered is not None:
            self._given.add(run_id)
            self.begin({run_id: remembered})
        else:
            self.end((run_id,))

    def begin(self, runs: Mapping[str, Remembered]) -> None:
        """Remembers runs that begin."""
        self.runs |= runs
        while len(self.runs) > RUNS_MAX:
            oldest = next(iter(self.runs))
            self.touched.add(oldest)
            del self.runs[oldest]

    def end(self, run_ids: Collection[str]) -> None:
        """Drops runs that have ended. Most were never given to anybody."""
        deque(map(self.runs.pop, run_ids, repeat(None)), 0)
        self.touched.difference_update(set(run_ids).difference(self._given))


def _page_of(run_id: str) -> int:
    return crc32(run_id.encode()) % PAGES


def _finished(run: Remembered, event: ev.RunFinished, at_ms: int) -> PlatformEvent:
    took = float(max(0, at_ms - run.started_ms))
    return FINISHED, {"workflow": run.workflow, "status": event.status, "duration_ms": took}


def _completed(run: Remembered, event: ev.NodeCompleted, at_ms: int) -> PlatformEvent | None:
    ready_ms = run.ready.pop(event.visit, at_ms)
    if event.copied:
        return None
    took_ms = event.took_us / 1_000
    hop_ms = max(0.0, at_ms - ready_ms - took_ms)
    return NODE, {"workflow": run.workflow, "outcome": "completed", "took_ms": took_ms, "hop_ms": hop_ms}


def _failed(run: Remembered, event: ev.NodeFailed, at_ms: int) -> PlatformEvent:
    hop_ms = float(max(0, at_ms - run.ready.pop(event.visit, at_ms)))
    return NODE, {"workflow": run.workflow, "outcome": "failed", "took_ms": 0.0, "hop_ms": hop_ms}


def _opened(run: Remembered, event: ev.TicketOpened, at_ms: int) -> PlatformEvent:
    run.tickets[event.id] = (event.role, at_ms)
    return "aob.ticket.opened", {"role": event.role}


def _answered(run: Remembered, event: ev.TicketAnswered, at_ms: int) -> PlatformEvent:
    role, opened_ms = run.tickets.pop(event.id, ("", at_ms))
    return "aob.ticket.answered", {"role": role, "choice": event.choice, "waited_ms": float(at_ms - opened_ms)}


def _called(run: Remembered, event: ev.IntentSettled, at_ms: int) -> PlatformEvent | None:
    usage = event.usage
    if not usage or "brain" not in usage:
        return None
    tokens = float((usage.get("tokens_in") or 0) + (usage.get("tokens_out") or 0))
    cost = float(usage.get("cost_usd") or 0.0)
    return "aob.model.called", {"workflow": run.workflow, "tokens": tokens, "cost_usd": cost}


_TELLS: Final[dict[type, Any]] = {
    ev.RunFinished: _finished,
    ev.NodeCompleted: _completed,
    ev.NodeFailed: _failed,
    ev.AttemptFailed: lambda run, event, at_ms: ("aob.attempt.failed", {"workflow": run.workflow}),
    ev.TicketOpened: _opened,
    ev.TicketAnswered: _answered,
    ev.PatchApplied: lambda run, event, at_ms: ("aob.patch.applied", {"workflow": run.workflow}),
    ev.IntentSettled: _called,
}
_READYING: Final = frozenset(
    kind for kind in vars(ev).values() if isinstance(kind, type) and "ready" in getattr(kind, "__struct_fields__", ())
)  # events that list visits that became ready
TELLS_ALONE: Final = (_READYING | _TELLS.keys() | {ev.TokenReady}) - {ev.RunStarted, ev.NodeCompleted, ev.RunFinished}
"""The less frequent events: a run with one of these is processed event by event."""


class _Group(msgspec.Struct, eq=False):
    """`at_ms` is the time of the newest."""

    texts: dict[str, str]
    numbers: dict[str, list[float]]
    at_ms: int = 0
    times: int = 0


class Groups:
    """Platform events grouped by type, second and texts: they differ only in their numbers."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], _Group] = {}

    def add(self, kind: str, data: dict[str, Any], at_ms: int) -> None:
        """Adds one event."""
        texts = {name: value for name, value in data.items() if isinstance(value, str)}
        self.add_all(kind, texts, {name: [data[name]] for name in data.keys() - texts.keys()}, 1, at_ms)

    def add_all(
        self, kind: str, texts: dict[str, str], numbers: dict[str, list[float]], times: int, at_ms: int
    ) -> None:
        """Adds events of one second; `at_ms` is the time of the newest."""
        key = (kind, at_ms // SECOND_MS, *texts.values())
        group = self._found.get(key)
        if group is None:
            group = self._found[key] = _Group(texts, {name: [] for name in numbers})
        group.times += times
        group.at_ms = max(group.at_ms, at_ms)
        for name, column in numbers.items():
            group.numbers[name] += column

    def many(self, make: Callable[[str, dict[str, Any], int], Event]) -> list[Many]:
        """The groups in the form for a fold."""
        return [
            Many(
                make(str(key[0]), group.texts | {name: column[-1] for name, column in group.numbers.items()},
                     group.at_ms),
                group.times, {f"data.{name}": column for name, column in group.numbers.items()},
            )
            for key, group in self._found.items()
        ]  # fmt: skip


class Columns(NamedTuple):
    """Events in order: the run, the time of the commit, and the event."""

    runs: list[str]
    ats: list[int]
    events: list[Any]

    def where(self, chosen: Iterable[bool]) -> "Columns":
        """The selected events."""
        chosen = list(chosen)
        return Columns(*(list(compress(column, chosen)) for column in self))


def columns_of(told: Sequence[Told], streams: Sequence[Stream], ats: list[int]) -> Columns:
    """The events of decisions on these streams, committed at these times."""
    some = [each.events for each in told]
    runs, events = [stream.name for stream in streams], list(chain.from_iterable(some))
    if len(events) != len(some) or not all(some):  # else each decision has one
        counts = list(map(len, some))
        runs, ats = _spread(runs, counts), _spread(ats, counts)
    return Columns(runs, ats, events)


def tell_all(telling: Telling, columns: Columns, groups: Groups) -> None:
    """Groups the platform events of runs, and remembers what later events will not contain."""
    telling.touched.update(columns.runs)
    kinds = list(map(type, columns.events))
    alone = set[str]()
    if not TELLS_ALONE.isdisjoint(kinds):
        alone.update(compress(columns.runs, map(TELLS_ALONE.__contains__, kinds)))
    completed = columns.where(map(is_, kinds, repeat(ev.NodeCompleted)))
    if any(map(_copied, completed.events)):
        alone.update(compress(completed.runs, map(_copied, completed.events)))
    if alone:
        for run, at_ms, event in zip(*columns.where(map(alone.__contains__, columns.runs)), strict=True):
            told = telling.tell(run, event, at_ms)
            if told is not None:
                groups.add(*told, at_ms)
        columns = columns.where([run not in alone for run in columns.runs])
        kinds = list(map(type, columns.events))
        completed = columns.where(map(is_, kinds, repeat(ev.NodeCompleted)))
    # This order gives the same as event by event: a run begins once, before all else.
    _tell_started(telling, columns.where(map(is_, kinds, repeat(ev.RunStarted))), groups)
    _tell_completed(telling, completed, groups)
    _tell_finished(telling, columns.where(map(is_, kinds, repeat(ev.RunFinished))), groups)


def _tell_started(telling: Telling, started: Columns, groups: Groups) -> None:
    names, ats, events = started
    workflows = [event.workflow for event in events]
    ready = map(dict.fromkeys, [event.ready for event in events], ats)
    telling.begin(dict(zip(names, map(Remembered, workflows, ats, ready), strict=True)))
    _put(groups, STARTED, ats, {"workflow": workflows}, {})


def _tell_completed(telling: Telling, completed: Columns, groups: Groups) -> None:
    _, ats, events = completed
    runs = _known(telling, completed)
    ready, nexts = [run.ready for run in runs], [event.ready for event in events]
    counts = list(map(len, nexts))
    chain_like = max(counts, default=0) <= 1
    makers = compress(ready, counts) if chain_like else _spread(ready, counts)
    made_ms = compress(ats, counts) if chain_like else _spread(ats, counts)
    deque(map(dict.__setitem__, makers, chain.from_iterable(nexts), made_ms), 0)
    since = map(dict.pop, ready, [event.visit for event in events], ats)
    took_ms = list(map(truediv, [event.took_us for event in events], repeat(1_000)))
    hop_ms = [hop if hop > 0.0 else 0.0 for hop in map(sub, map(sub, ats, since), took_ms)]
    texts = {"workflow": [run.workflow for run in runs], "outcome": ["completed"] * len(ats)}
    _put(groups, NODE, ats, texts, {"took_ms": took_ms, "hop_ms": hop_ms})


def _tell_finished(telling: Telling, finished: Columns, groups: Groups) -> None:
    names, ats, events = finished
    runs = _known(telling, finished)
    took = [float(max(0, at_ms - run.started_ms)) for at_ms, run in zip(ats, runs, strict=True)]
    texts = {"workflow": [run.workflow for run in runs], "status": [event.status for event in events]}
    _put(groups, FINISHED, ats, texts, {"duration_ms": took})
    telling.end(names)


def _known(telling: Telling, columns: Columns) -> list[Remembered]:
    """The remembered facts of the runs of events."""
    found = map(telling.runs.get, columns.runs)
    return [run or Remembered("", at_ms) for run, at_ms in zip(found, columns.ats, strict=True)]


def _put(
    groups: Groups, kind: str, ats: list[int], texts: Mapping[str, list[str]], numbers: dict[str, list[float]]
) -> None:
    """Adds events of one type, ordered by time, to the groups."""
    if not ats:
        return
    if ats[0] // SECOND_MS == ats[-1] // SECOND_MS and all(len(set(column)) == 1 for column in texts.values()):
        groups.add_all(kind, {name: column[0] for name, column in texts.items()}, numbers, len(ats), ats[-1])
        return
    keys = list(zip(*texts.values(), map(floordiv, ats, repeat(SECOND_MS)), strict=False))
    for _, found in groupby(sorted(range(len(keys)), key=keys.__getitem__), keys.__getitem__):
        places = list(found)
        groups.add_all(
            kind, {name: column[places[0]] for name, column in texts.items()},
            {name: [column[place] for place in places] for name, column in numbers.items()}, len(places),
            ats[places[-1]],
        )  # fmt: skip


def _spread(column: Iterable[Any], counts: Sequence[int]) -> list[Any]:
    """Repeats each value by its count."""
    return list(chain.from_iterable(map(repeat, column, counts)))
