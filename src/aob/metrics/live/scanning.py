"""Answers queries that memory cannot, by folding the log in a thread; keeps the fold for later queries. One pass serves
all windows, instants and metrics of a request. A past state is computed from the copy kept before it. A tenant makes
one pass at a time."""

import asyncio
from functools import partial
from typing import Final

import msgspec

from aob.core.contract_model import ContractSet
from aob.core.errors import Busy, TooLarge
from aob.core.ingest import Event
from aob.core.metric import Fold, NeedsScan, Reading, Restatement
from aob.core.metric_query import MetricQuery
from aob.metrics.live.live import Live
from aob.metrics.live.snapshots import rows_of
from aob.metrics.live.tenant import OWN
from aob.ports.event_log import Row, advanced

SCAN_EVENTS_MAX: Final = 1_000_000  # events that one scan may read
HELD_MAX: Final = 8  # folds of the log kept for later queries, per tenant
HELD_EVENTS_MAX: Final = 2 * SCAN_EVENTS_MAX  # their total number of events
WAITING_MAX: Final = 16  # queued queries of a tenant
SUBJECTS: Final = frozenset(("funnel", "sessions", "join"))


Rows = tuple[int, ...]  # how far each partition of the log is read


class _Held(msgspec.Struct, eq=False):
    """A fold of the log up to a row of each partition, under the contracts `known`. `newest`: it continues with the
    log; others are for an instant. `copied`: it began with a daily copy, in which old tiles are large."""

    known: ContractSet
    version: int
    metrics: frozenset[str]
    fold: Fold
    newest: bool
    copied: bool = False
    rows: Rows = ()
    seen: int = 0
    kept: list[Event] = msgspec.field(default_factory=list)


class _Mine:
    """The kept folds of a tenant, the last used at the end."""

    def __init__(self) -> None:
        self.held: list[_Held] = []
        self.one = asyncio.Lock()
        self.waiting = 0


class Scans:
    """Scans of all tenants."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._mine: dict[str, _Mine] = {}
        self.events = 0  # events read by scans since the start

    async def read(
        self, tenant: str, known: ContractSet, query: MetricQuery, metrics: frozenset[str], until: Rows, now_ms: int
    ) -> Reading:
        """The answer from the log up to a row; `metrics` are those requested together. Raises TooLarge
        `scan_too_large`, Busy, and the errors of reading."""
        mine = self._mine.setdefault(tenant, _Mine())
        if mine.waiting >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX} questions about the past wait already", code="scans_waiting", retry_after_s=1.0,
                       hint="ask them one after the other, or together in /v1/batch")  # fmt: skip
        mine.waiting += 1
        try:
            async with mine.one:
                for copied in (True, False):
                    held = await self._held(tenant, mine, known, query, metrics, until, copied)
                    try:
                        return await asyncio.to_thread(held.fold.read, query, now_ms)
                    except NeedsScan:  # the copy has larger tiles than requested
                        if not held.copied:
                            raise
                raise NeedsScan
        finally:
            mine.waiting -= 1

    async def _held(
        self, tenant: str, mine: _Mine, known: ContractSet, query: MetricQuery, metrics: frozenset[str], until: Rows,
        copied: bool,
    ) -> _Held:  # fmt: skip
        """A fold of the log up to a row: an existing one, a continued one, or a new one."""
        newest = query.known_at_ms is None
        found: _Held | None = None
        for held in mine.held:
            fits = held.known is known and held.version == query.version and query.metric in held.metrics
            if fits and held.newest == newest and (copied or not held.copied):
                found = held if held.rows == until or (newest and _reached(held.rows, until)) else found
        if found is None and copied and not newest and not query.version:
            found = await self._copy(tenant, known, metrics, until)
        if found is None:
            fold = Fold(at_version(known, query), metrics, endless=True)
            found = _Held(known, query.version, metrics, fold, newest, rows=(0,) * len(until))
        if found in mine.held:
            mine.held.remove(found)
        await self._go_on(tenant, found, until)  # a cancelled one is not kept
        mine.held.append(found)
        while len(mine.held) > 1 and (
            len(mine.held) > HELD_MAX or sum(each.seen for each in mine.held) > HELD_EVENTS_MAX
        ):
            del mine.held[0]
        return found

    async def _copy(self, tenant: str, known: ContractSet, metrics: frozenset[str], until: Rows) -> _Held | None:
        """The copy of the last day before a row, if it was kept under the current contracts."""
        pages, numbers = self._live.keeping.pages, self._live.numbers(tenant)
        whole = frozenset(filter(partial(_is_whole, known), numbers.contracts.metrics))
        if not metrics <= whole:
            return None
        rows = {day: rows_of(marks, len(until)) for day, marks in (await pages.kept()).items()}
        days = [day for day, marked in rows.items() if any(marked) and _reached(marked, until)]
        if not days:
            return None
        day = max(days)
        found = await pages.load_kept(day, tenant)
        if found.pop("plan", b"").decode() != numbers.filled_by:
            return None
        own = {name.removeprefix(OWN): data for name, data in found.items()}
        fold = await asyncio.to_thread(Fold.load, numbers.contracts, own)
        return _Held(known, 0, whole, fold, False, True, rows[day])

    async def _go_on(self, tenant: str, held: _Held, until: Rows) -> None:
        """Continues a fold up to a row, in a thread."""
        if held.rows == until:
            return
        fold = held.fold
        recounted = frozenset(type for name in fold.plan.refolded for type in fold.plan.types[name])

        def look(rows: list[Row]) -> None:
            for row in rows:
                events = self._live.reread(row)
                fold.add(events)
                held.kept += [event for event in events if event.type in recounted]

        def settle() -> None:
            while fold.restating:
                wanted = Restatement(fold)
                for _ in wanted.refresh():
                    pass
                wanted.read(held.kept)
                wanted.work_out()
                while wanted.apply(1_000):
                    pass

        async for rows in self._live.chunks(held.rows, until, tenant):
            count = sum(row.count for row in rows)
            if held.seen + count > SCAN_EVENTS_MAX:
                raise TooLarge(
                    f"this looks at more than {SCAN_EVENTS_MAX:,} events", code="scan_too_large",
                    hint="ask for a newer instant, a coarser window, or use /v1/query", limit=SCAN_EVENTS_MAX,
                    events=self._live.numbers(tenant).accepted,
                )  # fmt: skip
            await asyncio.to_thread(look, rows)
            for row in rows:
                held.rows = advanced(held.rows, row)
            held.seen += count
            self.events += count
        if not held.copied:
            await asyncio.to_thread(settle)
        held.rows = until


def _reached(rows: Rows, until: Rows) -> bool:
    return all(row <= end for row, end in zip(rows, until, strict=True))


def _is_whole(known: ContractSet, metric: str) -> bool:
    """Whether a copy of its numbers can be continued: settled values cannot be recomputed without the earlier log."""
    return not any(contract.type in SUBJECTS or contract.on_retract for contract in known.made_of((metric,)).values())


def at_version(known: ContractSet, query: MetricQuery) -> ContractSet:
    """The contracts when this version of the metric was the newest."""
    if not query.version:
        return known
    metrics = dict(known.metrics)
    metrics[query.metric] = {query.version: known.metrics[query.metric][query.version]}
    return msgspec.structs.replace(known, metrics=metrics)
