"""Why a number moved: the events that moved it between two instants, newest first. Read from the log, not from folds:
rows written in that time, and contract revisions made in it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from aob.core.accepted_event import shown
from aob.core.answers import JsonObject
from aob.core.contract_model import ContractSet
from aob.core.errors import Invalid, NotFound, Problem, TooLarge
from aob.core.event import Positions
from aob.core.ingest import Event
from aob.core.metric import Fold
from aob.core.metric.fold import holds
from aob.core.metric_answers import Changelog, ChangeRow
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import metric_verbs as verbs
from aob.metrics.contracts import metric_unknown
from aob.metrics.live.account import Account, Moving
from aob.metrics.live.answering import Answers
from aob.ports.event_log import Row

LOOK_MAX: Final = 1_000_000  # events that one call may scan
ROWS_MAX: Final = 1_000  # changes listed in one answer


class Changes:
    """The verb `changelog`."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.live = answers, answers.live

    @performs(verbs.CHANGELOG)
    async def changelog(self, who: Caller, args: verbs.ReadChangelog) -> Changelog:
        """Events, restatements and contracts behind a change, for one window (by default the contract's first) and one
        filter."""
        metric, since_ms, until_ms, window = args.metric, args.since_ms, args.until_ms, args.window
        known = self.live.contracts.of(who.tenant)
        contract = known.metric(metric)
        if contract is None:
            raise metric_unknown(metric, known)
        if metric in self.live.contracts.platform.metrics:
            raise NotFound(f"{metric} is folded from runs: it has no log of events", code="no_changelog",
                           hint="aob run list and /v1/runs/events tell of runs")  # fmt: skip
        if until_ms <= since_ms:
            raise Invalid("the span is empty", [Problem("?until", "is not after `since`", "bad_span")])
        limit = max(1, min(args.limit, ROWS_MAX))
        query = MetricQuery(metric, window=window, where=dict(args.where or {}))
        account = Account(known, query, since_ms, until_ms)
        counts = await self._look(who, account, _Filter(known, metric, query.where), since_ms, until_ms)
        changes = [_told(moving, self.live.positions) for moving in reversed(account.newest[-limit:])]
        changes += self._revisions(who, known, metric, since_ms, until_ms)
        changes.sort(key=lambda change: -change["at"])
        moved: list[JsonObject] = [
            {"type": kind, "kind": "restatement" if late else "event", "events": count}
            for (kind, late), count in counts.most_common()
        ]
        return {
            "metric": metric, "window": window or next(iter(contract.windows), "all"), "since": since_ms,
            "until": until_ms, "before": account.before, "after": account.after, "change": account.change,
            "moved_by": moved, "parts": account.parts(), "changes": changes[:limit],
            "truncated": counts.total() > limit,
        }  # fmt: skip

    async def _look(
        self, who: Caller, account: Account, fits: "_Filter", since_ms: int, until_ms: int
    ) -> Counter[tuple[str, bool]]:
        """Lets the account scan the log, in a thread. Returns how many events moved the metric, by type and
        lateness."""
        live, counts, seen = self.live, Counter[tuple[str, bool]](), 0
        first = await live.events.rows_before(since_ms - 1)
        last = tuple(map(min, live.ends, await live.events.rows_before(until_ms)))
        begun = False

        def look(rows: list[Row]) -> None:
            nonlocal begun
            for row in rows:
                events = live.reread(row)
                if row.row <= first[row.partition]:
                    account.base(events)
                    continue
                if not begun:
                    account.begin()
                    begun = True
                account.take(_placed(row, events, fits, since_ms, counts))

        async for rows in live.chunks((0,) * len(last), last, who.tenant):
            seen += sum(row.count for row in rows)
            if seen > LOOK_MAX:
                raise TooLarge(f"more than {LOOK_MAX:,} events came until then", code="scan_too_large",
                               hint="ask for an earlier time, or use /v1/query", limit=LOOK_MAX)  # fmt: skip
            await asyncio.to_thread(look, rows)
        if not begun:
            await asyncio.to_thread(account.begin)
        await asyncio.to_thread(account.end)
        return counts

    def _revisions(self, who: Caller, known: ContractSet, metric: str, since_ms: int, until_ms: int) -> list[ChangeRow]:
        names = {f"metric {metric}"} | {f"event {type}" for type in known.types_of(metric)}
        return [
            {"kind": "contract", "at": declared.at_ms, "position": "",
             "detail": f"revision {declared.revision} by {declared.by}: {name}"}
            for declared in self.live.contracts.revisions(who.tenant) if since_ms <= declared.at_ms <= until_ms
            for name in declared.names if name.partition("@")[0] in names
        ]  # fmt: skip


def _placed(
    row: Row, events: list[Event], fits: "_Filter", since_ms: int, counts: Counter[tuple[str, bool]]
) -> list[tuple[Event, Moving | None]]:
    """The events of a row that may move the metric; those that do are counted and get their place."""
    lines: list[bytes] | None = None
    found: list[tuple[Event, Moving | None]] = []
    for number, event in enumerate(events):
        if event.type not in fits.types:
            continue
        if not fits(event):
            found.append((event, None))
            continue
        late = event.at_ms < since_ms
        counts[event.type, late] += 1
        lines = lines or row.lines.split(b"\n")
        found.append((event, Moving(row.row, number, row.at_ms, late, event, lines[number], None, row.partition)))
    return found


def _told(moving: Moving, positions: Positions) -> ChangeRow:
    position = positions.token(moving.row, moving.index, moving.partition)
    row: ChangeRow = {
        "kind": "restatement" if moving.late else "event", "at": moving.at_ms, "position": position,
        "event": shown(moving.event, moving.line),
    }  # fmt: skip
    if moving.change is not None:
        row["change"] = moving.change
    return row


class _Filter:
    """Whether an event moves a metric, or one of its operands, for these values of dimensions. `when` is evaluated on
    the event; dimensions by a fold of this event alone."""

    def __init__(self, known: ContractSet, metric: str, where: Mapping[str, str]) -> None:
        self._known, self._metric, self._where = known, metric, where
        self.types = known.types_of(metric)
        self._when: dict[tuple[str, int], list[Callable[[Event], bool] | None]] = {}
        for contract in known.made_of((metric,)).values():
            for move in contract.moves:
                for version, event in known.events.get(move.on, {}).items():
                    if move.version in (0, version):
                        when = holds(move.when, event) if move.when else None
                        self._when.setdefault((move.on, version), []).append(when)

    def __call__(self, event: Event) -> bool:
        if not any(when is None or when(event) for when in self._when.get((event.type, event.version), ())):
            return False
        if not self._where:
            return True
        fold = Fold(self._known, frozenset({self._metric}))
        fold.add([event])
        return fold.read(MetricQuery(self._metric, "all", where=self._where), event.at_ms).newest_at_ms is not None
