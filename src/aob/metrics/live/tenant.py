"""The live numbers of one tenant: folds accepted events and returns what moved. No clock, no I/O."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final

import msgspec

from aob.core.contract import to_document
from aob.core.contract_model import ContractSet
from aob.core.ingest import Event, paths
from aob.core.metric import Entities, Fold
from aob.core.metric.fold import Many
from aob.core.value import canonical, digest_of

OWN: Final = "own/"
PLATFORM: Final = "platform/"
ENTITIES: Final = "entities/"
ASIDE_MAX: Final = 1_000  # excluded rows listed one by one
LATER_MAX: Final = 2_000  # groups of platform events queued to be folded together


class _Counts(msgspec.Struct, array_like=True):
    row: int
    accepted: int
    duplicate: int
    rejected: int
    aside: dict[int, tuple[int, str]] = {}
    further: dict[int, int] = {}


class Numbers:
    """The folded state of a tenant's events and of the platform's. `rows` are the last folded rows of the log, by
    partition. `moves` holds each metric's last move: an answer is valid while it is unchanged. `filled_by` is the hash
    of the fold's contracts. `filling` holds metrics being filled, with their progress (0 to 1)."""

    def __init__(self, tenant: str, own: ContractSet, platform: ContractSet) -> None:
        self.tenant = tenant
        self.platform_contracts = platform
        self.platform = Fold(platform)
        self.accepted = self.duplicate = self.rejected = 0
        self.rows: dict[int, int] = {}
        self.moves: dict[str, int] = {}
        self.filling: dict[str, float] = {}
        self.filled_by = ""
        self.stuck = ""  # why a fill fails, while it is retried
        self.aside: dict[int, tuple[int, str]] = {}
        """Unreadable rows of the log, by number: their number of events, and why."""
        self.stale = False
        """The snapshot's own numbers of the tenant were not loaded, because its contracts have changed."""
        self._later: list[Many] = []
        self._move = 0
        self._news = set[str]()
        self.restart(own)

    def restart(self, own: ContractSet) -> None:
        """Restarts empty under these contracts."""
        self.contracts = own
        self.fold = Fold(own)
        self.entities = Entities(own, paths)
        self._derived = derived_from(own) | derived_from(self.platform_contracts)
        self.renewed = {OWN, ENTITIES}
        self._overflow = 0
        self._unmoved: dict[str, int] = {}

    def adopt(self, own: ContractSet, fold: Fold | None, entities: Entities | None) -> None:
        """Takes over contracts, and a fold and entities filled for them, if any."""
        old_fold, old_entities, renewed = self.fold, self.entities, self.renewed
        self.restart(own)
        self.fold = old_fold if fold is None else fold
        self.entities = old_entities if entities is None else entities
        if fold is None:
            self.renewed = renewed

    def add(self, events: Sequence[Event], rows: Mapping[int, int]) -> frozenset[str]:
        """Folds accepted events of rows, by partition. Returns the names of all metrics that moved, derived ones
        included."""
        for partition, row in rows.items():
            self.rows[partition] = row
        if not events:
            return frozenset()
        moved = self.fold.add(events)
        self.entities.add(events)
        return self._moved(moved.metrics)

    def later(self, events: Sequence[Many]) -> None:
        """Queues platform events. They are folded together, at the latest by the next read of platform metrics."""
        self._later += events
        if len(self._later) >= LATER_MAX:
            self.settle()

    def settle(self) -> None:
        """Folds the queued platform events."""
        later, self._later = self._later, []
        if later:
            self._news |= self._moved(self.platform.add_many(later).metrics)

    def take(self, fold: Fold, moved: Set[str]) -> None:
        """Merges a fold of platform events by another process; `moved` are its metrics."""
        self.platform.merge(fold)
        self._news |= self._moved(moved)

    def platform_news(self) -> frozenset[str]:
        """The platform metrics that moved since the last call."""
        self.settle()
        news, self._news = frozenset(self._news), set()
        return news

    def restated(self, metric: str) -> frozenset[str]:
        """A metric was recomputed: it and all derived ones have moved."""
        return self._moved({metric})

    def overflow_news(self) -> int:
        """How many values of dimensions were counted as others, over budget, since the last call."""
        now = sum(overflow for _, overflow in self.fold.dimensions.counts().values())
        news, self._overflow = max(0, now - self._overflow), now
        return news

    def unmoved_news(self) -> dict[str, int]:
        """By metric, how many values could not move it since the last call."""
        now, before = self.fold.unmoved(), self._unmoved
        self._unmoved = now
        return {name: count - before.get(name, 0) for name, count in now.items() if count > before.get(name, 0)}

    def unmoved(self) -> dict[str, int]:
        """By metric, the platform's included, how many values could not move it since the first event."""
        return self.fold.unmoved() | self.platform.unmoved()

    def faults(self) -> dict[str, str]:
        """By metric, internal faults since the last call."""
        if not self.fold.faults and not self.platform.faults:
            return {}
        found = self.fold.faults | self.platform.faults
        self.fold.faults, self.platform.faults = {}, {}
        return found

    def quarantine(self, row: int, count: int, reason: str) -> bool:
        """Excludes an unreadable row; returns whether it is new."""
        if row in self.aside or len(self.aside) >= ASIDE_MAX:
            return False
        self.aside[row] = count, reason[:500]
        return True

    def fold_of(self, metric: str) -> Fold:
        """The fold of a metric: the tenant's own or the platform's."""
        if metric not in self.platform_contracts.metrics:
            return self.fold
        self.settle()
        return self.platform

    def forget(self, now_ms: int) -> None:
        """Rolls up and drops expired data."""
        self.settle()
        self.fold.forget(now_ms)
        self.platform.forget(now_ms)

    def pages(self, *, full: bool = False) -> Iterator[tuple[str, bytes | None]]:
        """Pages changed since the last call, or all; all of restarted (`renewed`) parts. Folds may come in between."""
        self.settle()
        renewed, self.renewed = self.renewed, set()
        for prefix, part in ((OWN, self.fold), (PLATFORM, self.platform), (ENTITIES, self.entities)):
            for name, data in part.pages(full or prefix in renewed):
                yield prefix + name, data
        further = {partition: row for partition, row in self.rows.items() if partition}
        counts = _Counts(self.rows.get(0, 0), self.accepted, self.duplicate, self.rejected, self.aside, further)
        yield "counts", msgspec.msgpack.encode(counts)

    def load(self, pages: Mapping[str, bytes]) -> None:
        """Loads the pages of `pages`; not the tenant's own if it is `stale`."""
        self.platform = Fold.load(self.platform_contracts, _under(pages, PLATFORM))
        if not self.stale:
            self.fold = Fold.load(self.contracts, _under(pages, OWN))
            self.entities = Entities(self.contracts, paths)
            self.entities.load(_under(pages, ENTITIES))
            self.renewed = set()
            self.overflow_news()  # already reported before the restart
            self.unmoved_news()
        if "counts" in pages:
            counts = msgspec.msgpack.decode(pages["counts"], type=_Counts)
            self.rows = {0: counts.row, **counts.further}
            self.accepted, self.aside = counts.accepted, counts.aside
            self.duplicate, self.rejected = counts.duplicate, counts.rejected

    def _moved(self, metrics: Set[str]) -> frozenset[str]:
        names = frozenset(_closed(metrics, self._derived))
        self._move += 1
        for name in names:
            self.moves[name] = self._move
        return names


def derived_from(contracts: ContractSet) -> dict[str, frozenset[str]]:
    """For each metric its derived ones."""
    found: dict[str, set[str]] = {}
    for metric in contracts.newest_metrics():
        for other in metric.operands:
            found.setdefault(other, set()).add(metric.name)
    return {name: frozenset(names) for name, names in found.items()}


def fold_hash(contracts: ContractSet) -> str:
    """The hash of what folds depend on, in any order: if it is unchanged, nothing needs filling."""
    metrics = [
        {name: part for name, part in to_document(metric).items() if name not in _TOLD_ONLY}
        for _, versions in sorted(contracts.metrics.items()) for _, metric in sorted(versions.items())
    ]  # fmt: skip
    events = [
        [event.type, event.version, event.lateness_ms, msgspec.to_builtins(event.entities)]
        for _, versions in sorted(contracts.events.items()) for _, event in sorted(versions.items())
    ]  # fmt: skip
    return digest_of(canonical([metrics, events])).hex()


_TOLD_ONLY: Final = frozenset({"owner", "description", "tests", "slo", "unit"})


def _closed(names: Set[str], derived: Mapping[str, frozenset[str]]) -> Iterator[str]:
    asked, seen = list(names), set[str]()
    while asked:
        name = asked.pop()
        if name not in seen:
            seen.add(name)
            yield name
            asked += derived.get(name, ())


def _under(pages: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {name.removeprefix(prefix): data for name, data in pages.items() if name.startswith(prefix)}
