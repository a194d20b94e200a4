"""Feeds that webhooks read when they fall behind: accepted events, ends of runs, turns of alerts, by position."""

from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from aob.core.answers import JsonObject
from aob.core.errors import Unavailable
from aob.core.event import WHOLE
from aob.core.run.record import events as ev
from aob.core.value import decode
from aob.fanout.webhooks import Chunk, Notice, notice, notice_of
from aob.metrics.live import Live
from aob.ports.event_log import NUMBERS, EventLog
from aob.runs import Core, Fact

ALL: Final = "*"
ROWS: Final = 50  # rows of a feed that one read covers
NONE: Final = -1


class RunReads(Protocol):
    """The milestones of the runs of one shard, by position."""

    async def read(self, after: int) -> tuple[Sequence[Fact], int, int]:
        """One batch after a row, the row up to which it is complete, and the last row of all."""


class LocalRuns:
    """The runs of this process."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def read(self, after: int) -> tuple[Sequence[Fact], int, int]:
        """Read from memory near the end, from the store before it."""
        facts, row = await self._core.feed.milestones_after(after)
        return facts, row, self._core.journal.durable_row


class Feeds:
    """The three logs as feeds of notices. `runs` are the readable shards, by name."""

    def __init__(self, log: EventLog, live: Live, told: Callable[[str], list[tuple[int, JsonObject]]]) -> None:
        self._log, self._live, self._told = log, live, told
        self.partitions = log.partitions
        self.runs: dict[str, RunReads] = {}

    async def end(self, tenant: str, feed: str) -> int:
        """The last position: an offset, a journal row, or a time."""
        match feed.partition("/")[0]:
            case "event":
                partition = _number(feed)
                return partition * NUMBERS + (await self._log.totals(tenant, partition))[0] - 1
            case "run":
                _, _, end = await self._of(feed).read(WHOLE)
                return end
            case _:
                return max((at for at, _ in self._told(tenant)), default=NONE)

    async def read(self, tenant: str, feed: str, after: int, keys: Collection[str], limit: int) -> Chunk:
        """Notices after a position, in order."""
        match feed.partition("/")[0]:
            case "event":
                return await self._events(feed, tenant, after, keys, limit)
            case "run":
                return await self._runs(feed, tenant, after, keys, limit)
            case _:
                return self._alerts(tenant, after, keys)

    def _of(self, feed: str) -> RunReads:
        found = self.runs.get(feed)
        if found is None:
            raise Unavailable("the runs of a shard cannot be read yet", code="shard_down", retry_after_s=1.0)
        return found

    async def _events(self, feed: str, tenant: str, after: int, keys: Collection[str], limit: int) -> Chunk:
        partition = _number(feed)
        first = partition * NUMBERS
        row = await self._log.row_at(tenant, max(0, after + 1 - first), partition)
        if not row:
            return Chunk((), after, True)
        found, through = list[Notice](), after
        for each in await self._log.rows(row - 1, ROWS, tenant, partition):
            lines = each.lines.split(b"\n") if each.count else []
            for event, line in zip(self._live.reread(each), lines, strict=False):
                if event.offset > after and (ALL in keys or event.type in keys):
                    found.append(notice_of(event, line, feed))
            through = each.number + each.count - 1
            if len(found) >= limit:
                break
        return Chunk(tuple(found), max(through, after), through >= await self.end(tenant, feed))

    async def _runs(self, feed: str, tenant: str, after: int, keys: Collection[str], limit: int) -> Chunk:
        found, row, end = list[Notice](), max(0, after), WHOLE
        while row < end and len(found) < limit:
            facts, row, end = await self._of(feed).read(row)
            for fact in facts:
                told = run_notice(fact, feed) if fact.tenant == tenant else None
                if told is not None and (ALL in keys or told.key in keys):
                    found.append(told)
        return Chunk(tuple(found), max(row, after), row >= end)

    def _alerts(self, tenant: str, after: int, keys: Collection[str]) -> Chunk:
        told = [each for each in self._told(tenant) if each[0] > after]
        found = tuple(alert_notice(at, turn) for at, turn in told if ALL in keys or turn["alert"] in keys)
        return Chunk(found, told[-1][0] if told else after, True)


def _number(feed: str) -> int:
    """The partition of the log whose events a feed has."""
    return int(feed.partition("/")[2] or 0)


def run_notice(fact: Fact, feed: str = "") -> Notice | None:
    """The start or the end of a run; None for a fact without subscribers."""
    event = fact.event
    if isinstance(event, ev.RunStarted):
        data = {"run_id": fact.stream, "status": "RUNNING", "workflow": event.workflow}
        return notice("run", "RUNNING", fact.row, fact.at_ms, data, feed=feed)
    if isinstance(event, ev.RunFinished):
        data = {"run_id": fact.stream, "status": event.status, "output": decode(event.output)}
        if event.status == "FAILED":
            data["error"] = decode(event.error)
        return notice("run", event.status, fact.row, fact.at_ms, data, feed=feed)
    return None


def alert_notice(position: int, turn: JsonObject) -> Notice:
    """A turn of an alert that subscribers were notified of: it fires, or it is over."""
    return notice("alert", str(turn["alert"]), position, int(turn["at"]), turn)
