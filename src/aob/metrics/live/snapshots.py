"""Snapshots of the live numbers, and recovery: pages of one row in one transaction, and the rows after it. A snapshot
only speeds up recovery: unreadable parts are rebuilt from the log."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, Protocol

from aob.core.errors import AobError, Unavailable
from aob.metrics.live.live_host import LiveHost
from aob.metrics.live.tenant import OWN, fold_hash
from aob.ports.logger import Logger
from aob.ports.pages import PAGE_CORRUPT, PAGES_TAKEN, OwnedPages

SNAPSHOT_EVENTS: Final = 200_000  # events after which a snapshot is written
SNAPSHOT_S: Final = 10.0  # and seconds after the first unsaved change
AGAIN_S: Final = 1.0  # after a failed snapshot
LAYOUT: Final = 2  # snapshots of another layout are ignored, and the log is read
STRETCH_S: Final = 0.005  # time between yields while gathering a snapshot
ROUNDS_MAX: Final = 6  # the last of these rounds does not yield, however long it takes
DAY_MS: Final = 86_400_000
DAYS_KEPT: Final = 8  # daily copies of the numbers that are kept
_OWN: Final = frozenset({"events", "layout", "platform"})
_HASH_DIGITS: Final = 15

log: Final = Logger("aob.metrics")


class Beside(Protocol):
    """Pages of another component in the snapshot: changed ones, or all."""

    def __call__(self, *, full: bool = False) -> Iterable[tuple[tuple[str, str], bytes | None]]:
        """The pages, by tenant and name; a later change is in the next call."""


class Snapshots:
    """Writes and reads snapshots of the live numbers. `loads` get a tenant's pages before rows are read."""

    def __init__(self, live: LiveHost, pages: OwnedPages) -> None:
        self._live, self.pages = live, pages
        self.beside: list[Beside] = []
        self.loads: list[Callable[[str, Mapping[str, bytes]], None]] = []
        self.marks: dict[str, int] = {}
        self.kept_marks: dict[str, int] = {}  # the marks of the last snapshot, where recovery would continue
        self.saved_row = 0
        self._behind = 0
        self._kept_day = -1
        self._whole = False  # the last snapshot failed, so its pages may not be saved: the next one holds everything
        self._due, self._stop = asyncio.Event(), asyncio.Event()
        self._saver: asyncio.Task[None] | None = None
        self._one = asyncio.Lock()

    def start(self) -> None:
        """Starts the background writer."""
        self._saver = asyncio.create_task(self._save_often(), name="aob-metrics-snapshots")

    async def close(self) -> None:
        """Stops the writer after a last snapshot."""
        self._stop.set()
        self._due.set()
        if self._saver is not None:
            await asyncio.gather(self._saver, return_exceptions=True)
            self._saver = None
            if self._behind:
                with suppress(AobError):  # the rows are in the log
                    await self.save()

    def changed(self, events: int = 1) -> None:
        """Counts folded events: a snapshot is due after a while, or soon if there are many."""
        first = not self._behind
        self._behind += events
        if first or self._behind >= SNAPSHOT_EVENTS:
            self._due.set()

    # -- the way back -----------------------------------------------------------------------------------------------

    async def recover(self) -> list[str]:
        """Restores the last snapshot. Returns the tenants whose contracts have changed since: their own numbers must be
        rebuilt from the log."""
        live = self._live
        marks = await self.pages.marks()
        ends = await live.events.last_rows()
        told = {"layout": LAYOUT, "platform": self._platform()}
        known: dict[str, Mapping[str, bytes]] | None = None
        if all(marks.get(name, at) == at for name, at in told.items()) and all(
            row <= end for row, end in zip(rows_of(marks, len(ends)), ends, strict=True)
        ):
            known = await self._loaded()
        if known is None:  # of another release, of a missing log, or unreadable: read everything again
            if marks:
                log.warning("snapshot_left_aside", events=sum(ends))
            await self.pages.clear()
            live.tenants.clear()
            live.memory.clear()
            marks, known = {}, {}
        live.at[:] = rows_of(marks, len(ends))
        self.saved_row = sum(live.at)
        self.marks = {name: at for name, at in marks.items() if name not in _OWN and not name.startswith(_mark(1)[:-1])}
        self.kept_marks = dict(self.marks)
        self._kept_day = max(await self.pages.kept(), default=-1)
        for tenant, pages in known.items():
            for load in self.loads:
                load(tenant, pages)
        return [tenant for tenant in known if live.tenants[tenant].stale]

    async def _loaded(self) -> dict[str, Mapping[str, bytes]] | None:
        """Loads every tenant's pages and numbers; None if one of them cannot be read."""
        found: dict[str, Mapping[str, bytes]] = {}
        for tenant in await self.pages.tenants():
            try:
                pages = found[tenant] = await self.pages.load(tenant)
            except Unavailable as error:
                if error.code != PAGE_CORRUPT:
                    raise
                log.warning("snapshot_unreadable", tenant=tenant, error=error.detail)
                return None
            numbers = self._live.numbers(tenant)
            numbers.stale = pages.get("plan", b"").decode(errors="replace") != numbers.filled_by
            try:
                numbers.load(pages)
            except Exception as error:  # pages hold data of libraries: on any error, read the log
                log.warning("snapshot_unreadable", tenant=tenant, error=f"{type(error).__name__}: {error}")
                return None
            if not self._live.memory.load(tenant, pages):
                return None
        return found

    def _platform(self) -> int:
        return int(fold_hash(self._live.contracts.platform)[:_HASH_DIGITS], 16)

    # -- snapshots --------------------------------------------------------------------------------------------------

    async def _save_often(self) -> None:
        while not self._stop.is_set():
            await self._due.wait()
            self._due.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(SNAPSHOT_S):
                    while self._behind < SNAPSHOT_EVENTS and not self._stop.is_set():
                        await self._due.wait()
                        self._due.clear()
            try:
                await self.save()
            except Exception as error:
                log.warning("snapshot_failed", error=f"{type(error).__name__}: {error}")
                if isinstance(error, Unavailable) and error.code == PAGES_TAKEN:
                    return
                self._due.set()
                if not self._stop.is_set():
                    await asyncio.sleep(AGAIN_S)

    async def save(self) -> None:
        """Writes all changes since the last snapshot, at one row; serialized. Raises Unavailable."""
        async with self._one:
            await self._save()

    async def _save(self) -> None:
        if not self._behind:
            return
        live, now_ms = self._live, self._live.now_ms()
        whole, self._whole = self._whole, True
        made = _Snapshot()
        if whole:
            # Also pages that the failed snapshot would have removed.
            made.dropped = [(tenant, "") for tenant in {*live.tenants, *await self.pages.tenants()}]
        for numbers in list(live.tenants.values()):
            numbers.forget(now_ms)
            await asyncio.sleep(0)
        await self._gather(made, whole)
        rows, behind = list(live.at), self._behind
        read = {_mark(number): row for number, row in enumerate(rows)}
        marks = {**self.marks, **read, "layout": LAYOUT, "platform": self._platform()}
        # Ids claimed by the gate must not be saved before their events are written.
        if not await live.memory.settled():
            raise Unavailable("an append has failed meanwhile", code="store_failed")
        await self.pages.save(marks, made.pages, made.dropped)
        self.kept_marks = marks
        self._whole = False
        self._behind -= behind
        self.saved_row = sum(rows)
        day = now_ms // DAY_MS
        if day != self._kept_day:  # one copy a day is kept, for questions about that time
            await self.pages.keep(day, (OWN, "plan"), DAYS_KEPT)
            self._kept_day = day

    async def _gather(self, made: "_Snapshot", whole: bool) -> None:
        """Gathers all changes as of one instant, the end of this call. Yields every few milliseconds and repeats for
        changes made meanwhile, until a round does not yield."""
        for last in (*(False,) * (ROUNDS_MAX - 1), True):
            alone, until_s = True, time.perf_counter() + STRETCH_S
            for _ in self._round(made, whole):
                if not last and time.perf_counter() > until_s:
                    await self._others()
                    alone, until_s = False, time.perf_counter() + STRETCH_S
            if alone:
                return
            whole = False

    @staticmethod
    async def _others() -> None:
        await asyncio.sleep(0)

    def _round(self, made: "_Snapshot", whole: bool) -> Iterator[None]:
        live = self._live
        for key, data in live.memory.pages(full=whole):
            made.pages[key] = data
            yield
        for tenant, numbers in list(live.tenants.items()):
            made.drop(tenant, numbers.renewed)
            for name, data in numbers.pages(full=whole):
                made.pages[(tenant, name)] = data
                yield
            made.pages[(tenant, "plan")] = numbers.filled_by.encode()
        for pages in self.beside:
            for key, data in pages(full=whole):
                made.pages[key] = data
                yield


def _mark(partition: int) -> str:
    return f"events/{partition}" if partition else "events"


def rows_of(marks: Mapping[str, int], partitions: int) -> tuple[int, ...]:
    """How far a snapshot has each partition of the log."""
    return tuple([marks.get(_mark(number), 0) for number in range(partitions)])


class _Snapshot:
    """A snapshot in progress: the newest pages, and name prefixes to remove first."""

    def __init__(self) -> None:
        self.pages: dict[tuple[str, str], bytes | None] = {}
        self.dropped: list[tuple[str, str]] = []

    def drop(self, tenant: str, starts: Collection[str]) -> None:
        """Discards earlier pages with these prefixes, whose data was restarted."""
        for start in starts:
            self.dropped.append((tenant, start))
            for key in [key for key in self.pages if key[0] == tenant and key[1].startswith(start)]:
                del self.pages[key]
