"""A stretch of a journal as the platform counts it: commits in; by tenant the fold of what they mean, and what is to be
remembered of runs. An owner process makes them of its own journal; whoever holds the numbers of the home merges them.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.core.contract_model import ContractSet
from aob.core.ingest import Event, maker_of
from aob.core.metric import Fold
from aob.core.metric.fold import Many
from aob.core.run.record import NodeCompleted
from aob.journal import Committed
from aob.metrics.platform.telling import NODE, Remembered, Telling, node_data

FULL: Final = 1_000
"""Decisions of a stretch that is followed by the next one at once."""
PAUSE_S: Final = 0.05
"""Else what happens within so much time is folded together."""

SECOND_MS: Final = 1_000

Runs = Mapping[str, Mapping[str, Remembered | None]]
"""By tenant and run what is remembered; None: nothing any more."""


Follow = Callable[[int], AsyncIterator[Sequence[Committed]]]
"""Commits behind a row of the journal, for ever, some at a time."""


class Stretch(msgspec.Struct, array_like=True):
    """What a journal says up to a row, behind the stretch before: the pages of a fold and the metrics that it moves, by
    tenant, and what has changed of what is remembered."""

    row: int
    folds: dict[str, tuple[dict[str, bytes | None], set[str]]]
    runs: dict[str, dict[str, Remembered | None]]


class _Group(msgspec.Struct, eq=False):
    """`at_ms` is the time of the newest."""

    data: dict[str, Any]
    at_ms: int
    numbers: dict[str, list[float]]
    times: int = 0


def _nothing() -> dict[str, tuple[list[float], list[float]]]:
    return defaultdict(lambda: ([], []))


class Groups:
    """Events of the platform, put together by type, second and texts: they differ in their numbers only."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], _Group] = {}
        self._nodes: dict[int, dict[str, tuple[list[float], list[float]]]] = defaultdict(_nothing)
        self._newest: dict[int, int] = {}

    def add(self, kind: str, data: dict[str, Any], at_ms: int) -> None:
        """One event."""
        group = self._of(kind, data, at_ms)
        group.times += 1
        group.at_ms = at_ms
        for name, column in group.numbers.items():
            column.append(data[name])

    def nodes(self, at_ms: int) -> dict[str, tuple[list[float], list[float]]]:
        """Of visits that are completed in this second, by workflow: how long handlers took, and how long the rest. As
        `add` would count them; most events are this."""
        self._newest[at_ms // SECOND_MS] = at_ms
        return self._nodes[at_ms // SECOND_MS]

    def many(self, make: Callable[[str, dict[str, Any], int], Event]) -> list[Many]:
        """What a fold takes."""
        for second, by_workflow in self._nodes.items():
            for workflow, (took_ms, hop_ms) in by_workflow.items():
                group = self._of(NODE, node_data(workflow, took_ms[-1], hop_ms[-1]), self._newest[second])
                group.times += len(took_ms)
                group.at_ms = max(group.at_ms, self._newest[second])
                group.numbers["took_ms"] += took_ms
                group.numbers["hop_ms"] += hop_ms
        return [
            Many(make(str(key[0]), group.data, group.at_ms), group.times,
                 {f"data.{name}": column for name, column in group.numbers.items()})
            for key, group in self._found.items()
        ]  # fmt: skip

    def _of(self, kind: str, data: dict[str, Any], at_ms: int) -> _Group:
        texts = [value for value in data.values() if isinstance(value, str)]
        key = (kind, at_ms // SECOND_MS, *texts)
        group = self._found.get(key)
        if group is None:
            numbers: dict[str, list[float]] = {name: [] for name, value in data.items() if type(value) is float}
            group = self._found[key] = _Group(data, at_ms, numbers)
        return group


class Tellings:
    """What the runs of all tenants do, as events of the platform. Remembers what their own events do not say."""

    def __init__(self, contracts: ContractSet) -> None:
        self.contracts = contracts
        self._makers = {kind: maker_of(versions[max(versions)]) for kind, versions in contracts.events.items()}
        self.tenants: dict[str, Telling] = {}

    def make(self, kind: str, data: dict[str, Any], at_ms: int) -> Event:
        """An event of the platform."""
        return self._makers[kind](data, at_ms)

    def read(self, commits: Sequence[Committed]) -> dict[str, list[Many]]:
        """The events that commits mean, by tenant, put together by what they are counted under."""
        found: dict[str, Groups] = {}
        for commit in commits:
            at_ms, last = commit.at_ms, None
            for told in commit.told:
                stream = told.stream
                if stream.law.kind != "run":
                    continue
                if stream.tenant != last:
                    last = stream.tenant
                    if last not in found:
                        found[last] = Groups()
                        self.tenants.setdefault(last, self.tenants.get(last) or Telling())
                    telling, groups = self.tenants[last], found[last]
                    nodes, touched, known = groups.nodes(at_ms), telling.touched, telling.runs
                name = stream.name
                touched.add(name)
                run = known.get(name)
                for event in told.events:
                    if run is not None and type(event) is NodeCompleted and not event.copied:  # most events are this
                        ready, took_ms = run.ready, event.took_us / 1_000
                        hop_ms = at_ms - ready.pop(event.visit, at_ms) - took_ms
                        took, hops = nodes[run.workflow]
                        took.append(took_ms)
                        hops.append(hop_ms if hop_ms > 0.0 else 0.0)
                        for visit in event.ready:
                            ready[visit] = at_ms
                        continue
                    meant = telling.tell(name, event, at_ms)
                    run = known.get(name)
                    if meant is not None:
                        groups.add(meant[0], meant[1], at_ms)
        return {tenant: groups.many(self.make) for tenant, groups in found.items()}

    def remember(self, runs: Runs) -> None:
        """Take over what somebody else remembers of runs."""
        for tenant, changed in runs.items():
            telling = self.tenants.setdefault(tenant, Telling())
            for run_id, remembered in changed.items():
                telling.remember(run_id, remembered)

    def remembered(self) -> dict[str, dict[str, Remembered | None]]:
        """All that is remembered."""
        return {tenant: dict(telling.runs) for tenant, telling in self.tenants.items()}


async def stretches(follow: Follow, contracts: ContractSet, after: int, runs: Runs) -> AsyncIterator[Stretch]:
    """Stretches of a journal behind a row, up to which these runs are remembered; for ever."""
    tellings = Tellings(contracts)
    tellings.remember(runs)
    async for commits in follow(after):
        yield _stretch(tellings, commits)
        if sum(len(commit.told) for commit in commits) < FULL:
            await asyncio.sleep(PAUSE_S)


def _stretch(tellings: Tellings, commits: Sequence[Committed]) -> Stretch:
    found = Stretch(commits[-1].row, {}, {})
    for tenant, events in tellings.read(commits).items():
        fold = Fold(tellings.contracts)
        moved = fold.add_many(events)
        if moved.metrics:
            found.folds[tenant] = fold.dump(full=True), moved.metrics
        streams = (told.stream for commit in commits for told in commit.told)
        touched = {stream.name for stream in streams if stream.tenant == tenant and stream.law.kind == "run"}
        known = tellings.tenants[tenant].runs
        found.runs[tenant] = {run_id: known.get(run_id) for run_id in touched}
    return found
