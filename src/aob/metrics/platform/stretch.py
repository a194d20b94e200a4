"""A stretch of a journal as the platform counts it: facts in; by tenant the fold of what they mean, and what is to be
remembered of runs. An owner process makes them of its own journal; whoever holds the numbers of the home merges them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from aob.core.contract_model import ContractSet
from aob.core.ingest import Event, maker_of
from aob.core.metric import Fold
from aob.metrics.platform.telling import Remembered, Telling

FULL: Final = 1_000
"""Facts of a stretch that is followed by the next one at once."""
PAUSE_S: Final = 0.05
"""Else what happens within so much time is folded together."""

Runs = Mapping[str, Mapping[str, Remembered | None]]
"""By tenant and run what is remembered; None: nothing any more."""


class Fact(Protocol):
    """One committed event of a run."""

    row: int
    at_ms: int
    stream: str
    tenant: str
    event: Any


Follow = Callable[[int], AsyncIterator[Sequence[Fact]]]
"""Facts behind a row of the journal, for ever: a list for each commit or several."""


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

    def read(self, facts: Sequence[Fact]) -> dict[str, list[Event]]:
        """The events that facts mean, by tenant, in their order."""
        found: dict[str, list[Event]] = {}
        makers, last = self._makers, None
        for fact in facts:
            run_id = fact.stream
            if not run_id.startswith("run_"):
                continue
            if fact.tenant != last:
                last = fact.tenant
                telling = self.tenants.get(last)
                if telling is None:
                    telling = self.tenants[last] = Telling()
                tell, events = telling.tell, found.setdefault(last, [])
            told = tell(run_id, fact.event, fact.at_ms)
            if told is not None:
                events.append(makers[told[0]](told[1], fact.at_ms))
        return found

    def remember(self, runs: Runs) -> None:
        """Take over what somebody else remembers of runs."""
        for tenant, changed in runs.items():
            telling = self.tenants.setdefault(tenant, Telling())
            for run_id, remembered in changed.items():
                telling.remember(run_id, remembered)

    def remembered(self) -> dict[str, dict[str, Remembered | None]]:
        """All that is remembered."""
        return {tenant: dict(telling.remembered()) for tenant, telling in self.tenants.items()}


async def stretches(follow: Follow, contracts: ContractSet, after: int, runs: Runs) -> AsyncIterator[Stretch]:
    """Stretches of a journal behind a row, up to which these runs are remembered; for ever."""
    tellings = Tellings(contracts)
    tellings.remember(runs)
    async for facts in follow(after):
        yield _stretch(tellings, facts)
        if len(facts) < FULL:
            await asyncio.sleep(PAUSE_S)


def _stretch(tellings: Tellings, facts: Sequence[Fact]) -> Stretch:
    found = Stretch(facts[-1].row, {}, {})
    for tenant, events in tellings.read(facts).items():
        fold = Fold(tellings.contracts)
        moved = fold.add(events)
        if moved.metrics:
            found.folds[tenant] = fold.dump(full=True), moved.metrics
        touched = {fact.stream for fact in facts if fact.tenant == tenant}
        known = tellings.tenants[tenant]
        found.runs[tenant] = {run_id: known.of(run_id) for run_id in touched if run_id.startswith("run_")}
    return found
