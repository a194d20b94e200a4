"""The platform's own numbers: commits of runs and groups of the gate in, folded by contracts like any other event.

Nothing is copied: the journal and the event log are read where they lie. A snapshot says how far; the rest is read
again after a restart. It runs behind the hot path, a slice at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from importlib import resources
from typing import Any, Final, Protocol

import msgspec

from aob.core.contract import ContractSet, read_contracts
from aob.core.errors import Unavailable
from aob.core.ingest import Event, maker_of
from aob.metrics.live.live import Live, Written
from aob.metrics.platform.telling import Telling
from aob.ports.logger import Logger
from aob.ports.pages import PAGE_CORRUPT

JOURNAL: Final = "journal"
"""The mark of how far the journal was read."""
GATE: Final = "gate"
SLICE: Final = 500
TELL_S: Final = 0.05
"""What happens within so much time is folded together, and whoever follows the platform's numbers is told once."""

log: Final = Logger("aob.metrics")


class Fact(Protocol):
    """One committed event of a run."""

    row: int
    at_ms: int
    stream: str
    tenant: str
    event: Any


Follow = Callable[[int], AsyncIterator[Sequence[Fact]]]
"""Facts behind a row of the journal, for ever: a list for each commit or several."""


def platform_contracts() -> ContractSet:
    """The contracts that every tenant has: `contracts.yaml`, as `python -m tools.make_schema` made it JSON."""
    text = resources.files("aob.metrics.platform").joinpath("contracts.json").read_text(encoding="utf-8")
    return read_contracts({"contracts.json": text})


class Platform:
    """Folds what the platform does. Enter it after `Live`."""

    def __init__(self, live: Live, follow: Follow, now_ms: Callable[[], int]) -> None:
        self.live, self._follow, self._now_ms = live, follow, now_ms
        self._telling: dict[str, Telling] = {}
        self._task: asyncio.Task[None] | None = None
        self._read_on = asyncio.Event()
        contracts = live.contracts.platform
        self._makers = {kind: maker_of(versions[max(versions)]) for kind, versions in contracts.events.items()}
        self._moving = set[str]()
        self._timer: asyncio.TimerHandle | None = None

    async def recover(self) -> None:
        """Read what was remembered of live runs; before `Live` is entered."""
        for tenant in await self.live.keeping.pages.tenants():
            try:
                page = await self.live.keeping.pages.page(tenant, "~runs")
                if page is not None:
                    self._telling[tenant] = Telling.load(page)
            except (msgspec.MsgspecError, Unavailable) as error:
                if isinstance(error, Unavailable) and error.code != PAGE_CORRUPT:
                    raise
                log.warning("runs_unreadable", tenant=tenant, error=str(error))
                await self.live.keeping.pages.clear()  # the journal is read from its begin

    async def __aenter__(self) -> "Platform":
        if not self.live.keeping.marks:
            self._telling.clear()  # the pages were not read: the journal is, from its begin
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

    def heard(self, group: Written) -> None:
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
        told = [self._makers["aob.gate.committed"](data, group.at_ms)]
        for metric, values in self.live.numbers(group.tenant).unmoved_news().items():
            told.append(self._makers["aob.metric.unmoved"]({"metric": metric, "values": float(values)}, group.at_ms))
        self._later(group.tenant, GATE, told, group.row)

    async def caught_up(self, row: int, within_s: float) -> None:
        """Waits until the journal is read up to a row, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.live.keeping.marks.get(JOURNAL, 0) < row:
                    await self._read_on.wait()

    def dump(self, *, full: bool = False) -> dict[tuple[str, str], bytes | None]:
        """What is remembered of live runs: always all of it."""
        return {(tenant, "~runs"): telling.dump() for tenant, telling in self._telling.items()}

    async def _read(self) -> None:
        async for facts in self._follow(self.live.keeping.marks.get(JOURNAL, 0)):
            at = 0
            while at < len(facts):
                end = _whole_rows(facts, at)
                try:
                    self._facts(facts[at:end])
                except Exception:  # told as what it is, and the rest of the journal is read all the same
                    log.exception("runs_not_counted", row=facts[end - 1].row)
                # Folded and marked between two awaits: no snapshot can come between.
                self.live.keeping.marks[JOURNAL] = facts[end - 1].row
                self.live.keeping.changed()
                read_on, self._read_on = self._read_on, asyncio.Event()
                read_on.set()
                at = end
                await asyncio.sleep(0)

    def _facts(self, facts: Sequence[Fact]) -> None:
        found: dict[str, list[Event]] = {}
        makers, last = self._makers, None
        for fact in facts:
            run_id = fact.stream
            if not run_id.startswith("run_"):
                continue
            if fact.tenant != last:
                last = fact.tenant
                telling = self._telling.get(last)
                if telling is None:
                    telling = self._telling[last] = Telling()
                tell, events = telling.tell, found.setdefault(last, [])
            told = tell(run_id, fact.event, fact.at_ms)
            if told is not None:
                events.append(makers[told[0]](told[1], fact.at_ms))
        for tenant, events in found.items():
            if events:
                self._later(tenant, JOURNAL, events, facts[-1].row)

    def _later(self, tenant: str, feed: str, events: list[Event], at: int) -> None:
        """A sketch costs more by the call than by the value: what comes close together is folded in one go. A look at
        these numbers and a snapshot of them fold what waits, so that nothing is ever missed."""
        self.live.numbers(tenant).later(feed, events, at)
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


def _whole_rows(facts: Sequence[Fact], at: int) -> int:
    """The end of a slice that begins here and parts no row."""
    end = min(len(facts), at + SLICE)
    while end < len(facts) and facts[end].row == facts[end - 1].row:
        end += 1
    return end
