"""The platform's own numbers: commits of runs and groups of the gate in, folded by contracts like any other event.

Nothing is copied: the journal and the event log are read where they lie, those of other processes stretch by stretch as
their owners have folded them. A snapshot says how far; the rest is read again after a restart. It runs behind the hot
path, a slice at a time.
"""

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
from aob.metrics.platform.columns import Groups
from aob.metrics.platform.stretch import Follow, Runs, Stretch, Tellings
from aob.metrics.platform.telling import Telling
from aob.ports.logger import Logger
from aob.ports.pages import PAGE_CORRUPT

JOURNAL: Final = "journal"
_told: Final = attrgetter("told")
SLICE: Final = 1_000
"""Decisions that are read without a turn of others."""
WORTH_IT: Final = 100
"""When there were fewer, what happens within the next `TELL_S` is read together."""
TELL_S: Final = 0.05
"""What happens within so much time is folded together, and whoever follows the platform's numbers is told once."""

log: Final = Logger("aob.metrics")


def mark_of(shard: int) -> str:
    """The mark of how far the journal of a shard was read."""
    return f"{JOURNAL}/{shard}" if shard else JOURNAL


def _page_of(shard: int) -> str:
    """The page of what is remembered of the runs of a shard."""
    return f"~runs/{shard}" if shard else "~runs"


@cache
def platform_contracts() -> ContractSet:
    """The contracts that every tenant has: `contracts.yaml`, as `python -m tools.make_schema` made it JSON."""
    text = resources.files("aob.metrics.platform").joinpath("contracts.json").read_text(encoding="utf-8")
    return read_contracts({"contracts.json": text})


class Platform:
    """Folds what the platform does. Enter it after `Live`. `follow` is the journal of shard 0; what the owners of the
    others have folded comes by `take`."""

    def __init__(self, live: Live, follow: Follow, now_ms: Callable[[], int], shards: int = 1) -> None:
        self.live, self._follow, self._now_ms = live, follow, now_ms
        self._tellings = [Tellings(live.contracts.platform) for _ in range(shards)]
        self._task: asyncio.Task[None] | None = None
        self._read_on = asyncio.Event()
        self._wanted = asyncio.Event()
        """Somebody waits for what the journal says."""
        self._moving = set[str]()
        self._timer: asyncio.TimerHandle | None = None

    async def recover(self) -> None:
        """Read what was remembered of live runs; before `Live` is entered."""
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

    def heard(self, group: Commit) -> None:
        """A group of the gate was folded: one event of the platform, whatever its size."""
        now_ms, count = self._now_ms(), len(group.events)
        oldest = min((event.at_ms for event in group.events), default=group.at_ms)
        if group.again:
            now_ms = group.at_ms  # it was folded when it was written, in another life
        data = {
            "accepted": float(count), "duplicate": float(group.duplicate), "rejected": float(group.rejected),
            "received": float(count + group.duplicate + group.rejected), "age_ms": float(max(0, now_ms - oldest)),
            "lag_ms": float(max(0, now_ms - group.at_ms)),
            "overflowed": float(self.live.numbers(group.tenant).overflow_news()),
        }  # fmt: skip
        told = Groups()
        told.add("aob.gate.committed", data, group.at_ms)
        for metric, values in self.live.numbers(group.tenant).unmoved_news().items():
            told.add("aob.metric.unmoved", {"metric": metric, "values": float(values)}, group.at_ms)
        self._later(group.tenant, told.many(self._tellings[0].make))

    async def caught_up(self, row: int, within_s: float, shard: int = 0) -> None:
        """Waits until the journal of a shard is read up to a row, however long that takes; not when nothing of it is
        read for so long."""
        with suppress(TimeoutError):
            while self.live.keeping.marks.get(mark_of(shard), 0) < row:
                self._wanted.set()
                async with asyncio.timeout(within_s):
                    await self._read_on.wait()

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]:
        """What is remembered of live runs: pages that changed since they were given last, or all of them."""
        for shard, tellings in enumerate(self._tellings):
            for tenant, telling in list(tellings.tenants.items()):
                for name, data in telling.pages(full):
                    yield (tenant, f"{_page_of(shard)}{name}"), data

    def place(self, shard: int) -> tuple[int, Runs]:
        """How far the journal of a shard was read, and what is remembered of its runs at that row."""
        return self.live.keeping.marks.get(mark_of(shard), 0), self._tellings[shard].remembered()

    def take(self, shard: int, stretch: Stretch) -> None:
        """Merge what the owner of a shard has folded of its journal, behind the place where it was asked to begin."""
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
                except Exception:  # told as what it is, and the rest of the journal is read all the same
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
        """Folded and marked between two awaits: no snapshot can come between."""
        self.live.keeping.marks[mark_of(shard)] = row
        self.live.keeping.changed()
        read_on, self._read_on = self._read_on, asyncio.Event()
        read_on.set()

    def _later(self, tenant: str, events: list[Many]) -> None:
        """A sketch costs more by the call than by the value: what comes close together is folded in one go. A look at
        these numbers and a snapshot of them fold what waits, so that nothing is ever missed."""
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
    """The end of a slice that begins here: some decisions, and at least a commit."""
    count = len(commits[at].told)
    while (at := at + 1) < len(commits) and (count := count + len(commits[at].told)) <= SLICE:
        pass
    return at
