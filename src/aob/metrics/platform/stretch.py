"""A stretch of a journal as the platform counts it: commits in; by tenant the fold of what they mean, and what is to be
remembered of runs. An owner process makes them of its own journal; whoever holds the numbers of the home merges them.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import chain, compress, groupby, repeat
from typing import Any, Final

import msgspec

from aob.core.contract_model import ContractSet
from aob.core.ingest import Event, maker_of
from aob.core.metric import Fold
from aob.core.metric.fold import Many
from aob.journal import Committed
from aob.journal.partition import PartitionMoved, PartitionTaken
from aob.metrics.platform.columns import Groups, columns_of, tell_all
from aob.metrics.platform.telling import Remembered, Telling

FULL: Final = 1_000
"""Decisions of a stretch that is followed by the next one at once."""
PAUSE_S: Final = 0.05
"""Else what happens within so much time is folded together."""

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
        told = [each for commit in commits for each in commit.told]
        ats = list(chain.from_iterable([repeat(commit.at_ms, len(commit.told)) for commit in commits]))
        streams = [each.stream for each in told]
        tenants = [stream.tenant if stream.law.kind == "run" else None for stream in streams]
        found: dict[str, list[Many]] = {}
        of = dict.fromkeys(tenants)
        if None in of and any(stream.law.kind == "partition" for stream in streams):
            return self._parted(commits)
        for tenant in of:
            if tenant is None:
                continue
            groups, telling = Groups(), self.tenants.get(tenant)
            if telling is None:
                telling = self.tenants[tenant] = Telling()
            if len(of) == 1:
                columns = columns_of(told, streams, ats)
            else:
                mine = [each == tenant for each in tenants]
                columns = columns_of(
                    list(compress(told, mine)), list(compress(streams, mine)), list(compress(ats, mine))
                )
            tell_all(telling, columns, groups)
            found[tenant] = groups.many(self.make)
        return found

    def _parted(self, commits: Sequence[Committed]) -> dict[str, list[Many]]:
        """Commits among which partitions moved: what was remembered of a run is, from that record on."""
        found: dict[str, list[Many]] = defaultdict(list)
        for moves, some in groupby(commits, _moves):
            part = list(some)
            for told in (each for commit in part for each in commit.told) if moves else ():
                self._moved(told.events)
            for tenant, events in () if moves else self.read(part).items():
                found[tenant] += events
        return dict(found)

    def _moved(self, events: Sequence[Any]) -> None:
        """Runs left this journal, or came to it with what was remembered of them."""
        for event in events:
            if isinstance(event, PartitionTaken):
                self.remember(msgspec.convert(event.remembered, dict[str, dict[str, Remembered | None]]))
            elif isinstance(event, PartitionMoved):
                for telling in self.tenants.values():
                    for run_id in event.streams:
                        if run_id in telling.runs:
                            telling.remember(run_id, None)

    def remember(self, runs: Runs) -> None:
        """Take over what somebody else remembers of runs."""
        for tenant, changed in runs.items():
            telling = self.tenants.setdefault(tenant, Telling())
            for run_id, remembered in changed.items():
                telling.remember(run_id, remembered)

    def remembered(self) -> dict[str, dict[str, Remembered | None]]:
        """All that is remembered."""
        return {tenant: dict(telling.runs) for tenant, telling in self.tenants.items()}


def _moves(commit: Committed) -> bool:
    return any(told.stream.law.kind == "partition" for told in commit.told)


async def stretches(follow: Follow, contracts: ContractSet, after: int, runs: Runs) -> AsyncIterator[Stretch]:
    """Stretches of a journal behind a row, up to which these runs are remembered; for ever."""
    await asyncio.to_thread(Fold.prepare, contracts)
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
    for tenant, telling in tellings.tenants.items():
        found.runs[tenant] = {run_id: telling.runs.get(run_id) for run_id in telling.touched}
        telling.touched.clear()
    return found
