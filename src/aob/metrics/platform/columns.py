"""Groups events of runs into platform events, column by column, because most are alike. Nearly all runs only begin,
complete visits and end. Runs with other events are processed event by event, with the same groups as result."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, compress, groupby, repeat
from operator import attrgetter, floordiv, is_, sub, truediv
from typing import Any, Final, NamedTuple

import msgspec

from aob.core.ingest import Event
from aob.core.metric.fold import Many
from aob.core.run.record import events as ev
from aob.journal import Stream, Told
from aob.metrics.platform.run_events import FINISHED, NODE, STARTED, TELLS_ALONE, Remembered, Telling

SECOND_MS: Final = 1_000
_copied: Final = attrgetter("copied")


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
    _started(telling, columns.where(map(is_, kinds, repeat(ev.RunStarted))), groups)
    _completed(telling, completed, groups)
    _finished(telling, columns.where(map(is_, kinds, repeat(ev.RunFinished))), groups)


def _started(telling: Telling, started: Columns, groups: Groups) -> None:
    names, ats, events = started
    workflows = [event.workflow for event in events]
    ready = map(dict.fromkeys, [event.ready for event in events], ats)
    telling.begin(dict(zip(names, map(Remembered, workflows, ats, ready), strict=True)))
    _put(groups, STARTED, ats, {"workflow": workflows}, {})


def _completed(telling: Telling, completed: Columns, groups: Groups) -> None:
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


def _finished(telling: Telling, finished: Columns, groups: Groups) -> None:
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
