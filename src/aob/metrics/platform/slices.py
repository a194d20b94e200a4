"""A folded stretch of a journal: by tenant the fold of its platform events, and changes of remembered runs. An owner
process makes them from its own journal; the process with the home's numbers merges them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import chain, compress, repeat
from typing import Any, Final

import msgspec

from aob.core.contract_model import ContractSet
from aob.core.ingest import Event, maker_of
from aob.core.metric import Fold
from aob.core.metric.fold import Many
from aob.journal import Committed
from aob.journal.partition import PartitionMoved, PartitionTaken
from aob.metrics.platform.run_events import Groups, Remembered, Telling, columns_of, tell_all

FULL: Final = 1_000  # decisions of a stretch that is followed by the next one at once
PAUSE_S: Final = 0.05  # else events within this time are folded together

Runs = Mapping[str, Mapping[str, Remembered | None]]  # by tenant and run the remembered facts; None: dropped


Follow = Callable[[int], AsyncIterator[Sequence[Committed]]]  # commits after a row of the journal, in batches; endless


class Slice(msgspec.Struct, array_like=True):
    """A journal's content up to a row, after the previous stretch: by tenant the pages of a fold and its moved metrics,
    and the changes of remembered runs."""

    row: int
    folds: dict[str, tuple[dict[str, bytes | None], set[str]]]
    runs: dict[str, dict[str, Remembered | None]]


class Tellings:
    """Converts the runs of all tenants to platform events. Remembers facts that later events do not contain."""

    def __init__(self, contracts: ContractSet) -> None:
        self.contracts = contracts
        self._makers = {kind: maker_of(versions[max(versions)]) for kind, versions in contracts.events.items()}
        self.tenants: dict[str, Telling] = {}

    def make(self, kind: str, data: dict[str, Any], at_ms: int) -> Event:
        """A platform event."""
        return self._makers[kind](data, at_ms)

    def read(self, commits: Sequence[Committed]) -> dict[str, list[Many]]:
        """The platform events of commits, by tenant, grouped by their texts."""
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
        """Commits with moves of partitions: a move's record changes the remembered runs from there on."""
        found: dict[str, list[Many]] = defaultdict(list)

        def read(some: Sequence[Committed]) -> None:
            for tenant, events in self.read(some).items():
                found[tenant] += events

        before = list[Committed]()
        for commit in commits:
            moves = [told for told in commit.told if told.stream.law.kind == "partition"]
            if not moves:
                before.append(commit)
                continue
            read(before)
            for told in moves:
                self._moved(told.events)
            rest = [told for told in commit.told if told.stream.law.kind != "partition"]
            before = [Committed(commit.row, commit.at_ms, rest)]  # nothing of it is of the partition that moves
        read(before)
        return dict(found)

    def _moved(self, events: Sequence[Any]) -> None:
        """Runs left this journal, or arrived with their remembered facts."""
        for event in events:
            if isinstance(event, PartitionTaken):
                self.remember(msgspec.convert(event.remembered, dict[str, dict[str, Remembered | None]]))
            elif isinstance(event, PartitionMoved):
                for telling in self.tenants.values():
                    for run_id in event.streams:
                        if run_id in telling.runs:
                            telling.remember(run_id, None)

    def remember(self, runs: Runs) -> None:
        """Takes over another process's remembered runs."""
        for tenant, changed in runs.items():
            telling = self.tenants.setdefault(tenant, Telling())
            for run_id, remembered in changed.items():
                telling.remember(run_id, remembered)

    def remembered(self) -> dict[str, dict[str, Remembered | None]]:
        """All remembered facts."""
        return {tenant: dict(telling.runs) for tenant, telling in self.tenants.items()}


async def stretches(follow: Follow, contracts: ContractSet, after: int, runs: Runs) -> AsyncIterator[Slice]:
    """Stretches of a journal after a row, given the runs remembered at that row; endless."""
    await asyncio.to_thread(Fold.prepare, contracts)
    tellings = Tellings(contracts)
    tellings.remember(runs)
    async for commits in follow(after):
        yield _stretch(tellings, commits)
        if sum(len(commit.told) for commit in commits) < FULL:
            await asyncio.sleep(PAUSE_S)


def _stretch(tellings: Tellings, commits: Sequence[Committed]) -> Slice:
    found = Slice(commits[-1].row, {}, {})
    for tenant, events in tellings.read(commits).items():
        fold = Fold(tellings.contracts)
        moved = fold.add_many(events)
        if moved.metrics:
            found.folds[tenant] = fold.dump(full=True), moved.metrics
    for tenant, telling in tellings.tenants.items():
        found.runs[tenant] = telling.changes()
    return found
