"""The platform's own metrics: folds commits of runs and groups of the gate by contracts, like any other event. Copies
nothing: reads the journal and the event log in place, and stretches folded by other processes. A snapshot holds the
position; the rest is read again after a restart. Runs behind the hot path, a slice at a time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib import resources
from operator import attrgetter
from typing import Final

import msgspec

from aob.core.contract import read_contracts
from aob.core.contract_model import ContractSet
from aob.core.errors import Unavailable
from aob.core.metric import Fold
from aob.core.metric.fold import Many
from aob.gate import Commit
from aob.journal import Committed
from aob.metrics.live.live import Live
from aob.metrics.platform.run_events import Groups, Telling
from aob.metrics.platform.slices import Follow, Runs, Slice, Tellings
from aob.ports.logger import Logger
from aob.ports.pages import PAGE_CORRUPT

JOURNAL: Final = "journal"
_told: Final = attrgetter("told")
SLICE: Final = 1_000  # decisions read between yields to the event loop
WORTH_IT: Final = 100  # with fewer, the events of the next `TELL_S` are read together
TELL_S: Final = 0.05  # events within this time are folded together, with one notification

log: Final = Logger("aob.metrics")


def mark_of(shard: int) -> str:
    """The mark for the read position of a shard's journal."""
    return f"{JOURNAL}/{shard}" if shard else JOURNAL


def _page_of(shard: int) -> str:
    """The page of the remembered runs of a shard."""
    return f"~runs/{shard}" if shard else "~runs"


@cache
def platform_contracts() -> ContractSet:
    """The contracts that every tenant has: `contracts.yaml`, converted to JSON by `python -m tools.make_schema`."""
    text = resources.files("aob.metrics.platform").joinpath("contracts.json").read_text(encoding="utf-8")
    return read_contracts({"contracts.json": text})


class Platform:
    """Folds platform activity. Enter it after `Live`. `follow` is the journal of shard 0; folds by the owners of other
    shards are merged by `take`."""

    def __init__(self, live: Live, follow: Follow, now_ms: Callable[[], int], shards: int = 1) -> None:
        self.live, self._follow, self._now_ms = live, follow, now_ms
        self._tellings = [Tellings(live.contracts.platform) for _ in range(shards)]
        self._task: asyncio.Task[None] | None = None
        self._read_on = asyncio.Event()
        self._wanted = asyncio.Event()  # A caller waits for the journal to be read
        self._moving = set[str]()
        self._timer: asyncio.TimerHandle | None = None

    def add_shard(self) -> None:
        """One more shard, of which nothing is folded yet."""
        self._tellings.append(Tellings(self.live.contracts.platform))

    async def recover(self) -> None:
        """Loads the remembered live runs; before `Live` is entered."""
        pages = self.live.keeping.pages
        for tenant in await pages.tenants():
            for shard, tellings in enumerate(self._tellings):
                try:
                    page = await pages.page(tenant, _page_of(shard))
                    if page is not None:
                        telling = tellings.tenants[tenant] = Telling()
                        for number in telling.load(page):
                            telling.load(await pages.page(tenant, f"{_page_of(shard)}:{number}") or b"")
                except (msgspec.MsgspecError, Unavailable) as error:
                    if isinstance(error, Unavailable) and error.code != PAGE_CORRUPT:
                        raise
                    log.warning("runs_unreadable", tenant=tenant, error=str(error))
                    await pages.clear()  # the journals are read from their begin

    async def __aenter__(self) -> "Platform":
        if not self.live.keeping.marks:
            for tellings in self._tellings:
                tellings.tenants.clear()  # the pages were not read: the journals are, from their begin
        self._task = asyncio.create_task(self._read(), name="aob-metrics-platform")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self, groups: Sequence[Commit]) -> None:
        """Groups of a tenant were folded: one platform event for each, whatever its size."""
        tenant, told, now_ms = groups[0].tenant, Groups(), self._now_ms()
        numbers = self.live.numbers(tenant)
        for group in groups:
            count, folded_ms = len(group.events), now_ms
            oldest = min([event.at_ms for event in group.events], default=group.at_ms)
            if group.again:
                folded_ms = group.at_ms  # it was folded when it was written, by an earlier process
            data = {
                "accepted": float(count), "duplicate": float(group.duplicate), "rejected": float(group.rejected),
                "received": float(count + group.duplicate + group.rejected),
                "age_ms": float(max(0, folded_ms - oldest)), "lag_ms": float(max(0, folded_ms - group.at_ms)),
                "overflowed": float(numbers.overflow_news()),
            }  # fmt: skip
            told.add("aob.gate.committed", data, group.at_ms)
            for metric, values in numbers.unmoved_news().items():
                told.add("aob.metric.unmoved", {"metric": metric, "values": float(values)}, group.at_ms)
        self._later(tenant, told.many(self._tellings[0].make))

    async def caught_up(self, row: int, within_s: float, shard: int = 0) -> None:
        """Waits until a shard's journal is read up to a row; gives up when there is no progress for `within_s`."""
        with suppress(TimeoutError):
            while self.live.keeping.marks.get(mark_of(shard), 0) < row:
                self._wanted.set()
                async with asyncio.timeout(within_s):
                    await self._read_on.wait()

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]:
        """Remembered live runs: pages changed since the last call, or all."""
        for shard, tellings in enumerate(self._tellings):
            for tenant, telling in list(tellings.tenants.items()):
                for name, data in telling.pages(full):
                    yield (tenant, f"{_page_of(shard)}{name}"), data

    def place(self, shard: int) -> tuple[int, Runs]:
        """The read position of a shard's journal, and the remembered runs at that row."""
        return self.live.keeping.marks.get(mark_of(shard), 0), self._tellings[shard].remembered()

    def take(self, shard: int, stretch: Slice) -> None:
        """Merges a fold of a shard's journal by its owner, which began at the requested place."""
        for tenant, (pages, moved) in stretch.folds.items():
            numbers = self.live.numbers(tenant)
            numbers.take(Fold.load(numbers.platform_contracts, pages), moved)
            self._soon(tenant)
        self._tellings[shard].remember(stretch.runs)
        self._mark(shard, stretch.row)

    async def _read(self) -> None:
        await asyncio.to_thread(Fold.prepare, self.live.contracts.platform)  # expressions are compiled: 30 ms
        async for commits in self._follow(self.live.keeping.marks.get(JOURNAL, 0)):
            at = 0
            while at < len(commits):
                end = _slice_end(commits, at)
                try:
                    for tenant, events in self._tellings[0].read(commits[at:end]).items():
                        if events:
                            self._later(tenant, events)
                except Exception:  # logged, and the rest of the journal is still read
                    log.exception("runs_not_counted", row=commits[end - 1].row)
                self._mark(0, commits[end - 1].row)
                at = end
                await asyncio.sleep(0)
            if sum(map(len, map(_told, commits))) < WORTH_IT:
                timer = asyncio.get_running_loop().call_later(TELL_S, self._wanted.set)
                await self._wanted.wait()
                self._wanted.clear()
                timer.cancel()

    def _mark(self, shard: int, row: int) -> None:
        """Folded and marked without an await, so that no snapshot lies in between."""
        self.live.keeping.marks[mark_of(shard)] = row
        self.live.keeping.changed()
        read_on, self._read_on = self._read_on, asyncio.Event()
        read_on.set()

    def _later(self, tenant: str, events: list[Many]) -> None:
        """Queues events to fold them in one go: a sketch costs more per call than per value. Reads and snapshots of
        these numbers fold the queue first."""
        self.live.numbers(tenant).later(events)
        self._soon(tenant)

    def _soon(self, tenant: str) -> None:
        self._moving.add(tenant)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        moving, self._moving = self._moving, set()
        for tenant in moving:
            moved = self.live.numbers(tenant).platform_news()
            if moved:
                self.live.tell_moved(tenant, moved)


def _slice_end(commits: Sequence[Committed], at: int) -> int:
    """The end of the slice that begins here: some decisions, and at least one commit."""
    count = len(commits[at].told)
    while (at := at + 1) < len(commits) and (count := count + len(commits[at].told)) <= SLICE:
        pass
    return at
