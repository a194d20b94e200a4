"""Why a number moved: what happened between two instants that the metric is moved by, newest first.

The log says it, not the folds: rows that were written in that time, and the revisions of contracts made in it.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from aob.core.accepted_event import shown
from aob.core.answers import JsonObject, JsonValue
from aob.core.contract import ContractSet, MetricContract
from aob.core.errors import AobError, Invalid, NotFound, Problem, TooLarge
from aob.core.expression import EvalError
from aob.core.ingest import Event, reader
from aob.core.metric import Fold
from aob.core.metric_answers import Changelog, ChangeRow
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.rights import demand
from aob.metrics.contracts import metric_unknown
from aob.metrics.live.answering import Answers
from aob.metrics.live.positions import token

LOOK_MAX: Final = 500_000
"""Events that one look may go over."""
ROWS_MAX: Final = 1_000
"""Changes that one answer lists."""
EFFECTS_MAX: Final = 200
"""Of the newest of these it is said by how much they moved the number."""


class Changes:
    """The verb `changelog`."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.live = answers, answers.live

    async def changelog(
        self, who: Caller, metric: str, *, since_ms: int, until_ms: int, where: Mapping[str, str] | None = None,
        limit: int = 100,
    ) -> Changelog:  # fmt: skip
        """Events, restatements and contracts behind a change."""
        demand(who, "changelog")
        known = self.live.contracts.of(who.tenant)
        contract = known.metric(metric)
        if contract is None:
            raise metric_unknown(metric, known)
        if metric in self.live.contracts.platform.metrics:
            raise NotFound(f"{metric} is folded from runs: it has no log of events", code="no_changelog",
                           hint="aob run list and /v1/events tell of runs")  # fmt: skip
        if until_ms <= since_ms:
            raise Invalid("the span is empty", [Problem("?until", "is not after `since`", "bad_span")])
        limit = max(1, min(limit, ROWS_MAX))
        types, filters = known.types_of(metric), dict(where or {})
        moved, newest, total = await self._look(who, types, since_ms, until_ms, _Filter(known, metric, filters), limit)
        changes: list[ChangeRow] = self._effects(known, metric, newest)
        changes += self._revisions(who, known, metric, since_ms, until_ms)
        changes.sort(key=lambda change: -change["at"])
        query = MetricQuery(metric, where=filters)
        return {
            "metric": metric, "since": since_ms, "until": until_ms,
            "before": await self._value(who, query, since_ms), "after": await self._value(who, query, until_ms),
            "moved_by": moved, "changes": changes[:limit], "truncated": total > limit,
        }  # fmt: skip

    async def _look(
        self, who: Caller, types: frozenset[str], since_ms: int, until_ms: int, fits: "_Filter", limit: int
    ) -> tuple[list[JsonObject], list["_Found"], int]:
        live = self.live
        first = await live.events.row_before(since_ms - 1)
        last = min(live.row, await live.events.row_before(until_ms))
        seen = 0
        counts: Counter[tuple[str, bool]] = Counter()
        newest: deque[_Found] = deque(maxlen=limit)
        async for row in live.rows(first, last, who.tenant):
            seen += row.count
            if seen > LOOK_MAX:
                raise TooLarge(f"more than {LOOK_MAX:,} events came in that time", code="scan_too_large",
                               hint="ask for less time", limit=LOOK_MAX)  # fmt: skip
            lines = None
            for number, event in enumerate(live.reread(row)):
                if event.type not in types or not fits(event):
                    continue
                late = event.at_ms < since_ms
                counts[event.type, late] += 1
                lines = lines or row.lines.split(b"\n")
                newest.append(_Found(row.row, number, row.at_ms, late, event, lines[number]))
        moved = [
            {"type": kind, "kind": "restatement" if late else "event", "events": count}
            for (kind, late), count in counts.most_common()
        ]
        return moved, list(newest), sum(counts.values())

    def _effects(self, known: ContractSet, metric: str, found: list["_Found"]) -> list[ChangeRow]:
        """Each event as a change; the newest ones with what they did to the number, by folding them one by one."""
        contract = known.metric(metric)
        summed = contract is not None and contract.type in ("count", "sum")
        told: list[ChangeRow] = []
        for place, each in enumerate(reversed(found)):
            row: ChangeRow = {
                "kind": "restatement" if each.late else "event", "at": each.at_ms,
                "position": token(each.row, each.index), "event": shown(each.event, each.line),
            }  # fmt: skip
            if summed and place < EFFECTS_MAX:
                row["change"] = _effect(known, metric, each.event)
            told.append(row)
        return told

    def _revisions(self, who: Caller, known: ContractSet, metric: str, since_ms: int, until_ms: int) -> list[ChangeRow]:
        names = {f"metric {metric}"} | {f"event {type}" for type in known.types_of(metric)}
        return [
            {"kind": "contract", "at": declared.at_ms, "position": "",
             "detail": f"revision {declared.revision} by {declared.by}: {name}"}
            for declared in self.live.contracts.revisions(who.tenant) if since_ms <= declared.at_ms <= until_ms
            for name in declared.names if name.partition("@")[0] in names
        ]  # fmt: skip

    async def _value(self, who: Caller, query: MetricQuery, at_ms: int) -> JsonValue:
        asked = msgspec.structs.replace(query, known_at_ms=at_ms)
        try:
            return (await self.answers.read_metric(who.tenant, asked))["value"]
        except AobError:
            return None  # a scan of so much is refused; the changes are told all the same


class _Found(msgspec.Struct, eq=False):
    row: int
    index: int
    at_ms: int
    late: bool
    event: Event
    line: bytes


class _Filter:
    """Whether an event moves a metric, or one that it is made of, and counts for these values of dimensions.

    `when` is read off the event; dimensions are asked of a fold of this event alone.
    """

    def __init__(self, known: ContractSet, metric: str, where: Mapping[str, str]) -> None:
        self._known, self._metric, self._where = known, metric, where
        self._when: dict[tuple[str, int], list[Callable[[Event], object] | None]] = {}
        for contract in _made_of(known, metric):
            for move in contract.moves:
                for version, event in known.events.get(move.on, {}).items():
                    if move.version in (0, version):
                        when = reader(move.when, event) if move.when else None
                        self._when.setdefault((move.on, version), []).append(when)

    def __call__(self, event: Event) -> bool:
        if not any(when is None or _holds(when, event) for when in self._when.get((event.type, event.version), ())):
            return False
        if not self._where:
            return True
        fold = Fold(self._known, frozenset({self._metric}))
        fold.add([event])
        until = event.at_ms + 86_400_000
        query = MetricQuery(self._metric, since_ms=event.at_ms // 1_000 * 1_000, until_ms=until, where=self._where)
        return fold.read(query, until).newest_at_ms is not None


def _made_of(known: ContractSet, metric: str) -> list[MetricContract]:
    """A metric and all that it is made of."""
    found: dict[str, MetricContract] = {}
    asked = [metric]
    while asked:
        name = asked.pop()
        contract = known.metric(name)
        if contract is not None and name not in found:
            found[name] = contract
            asked += contract.operands
    return list(found.values())


def _holds(when: Callable[[Event], object], event: Event) -> bool:
    try:
        return when(event) is True
    except EvalError:
        return False


def _effect(known: ContractSet, metric: str, event: Event) -> JsonValue:
    fold = Fold(known, frozenset({metric}))
    fold.add([event])
    since = event.at_ms // 1_000 * 1_000
    return fold.read(MetricQuery(metric, since_ms=since, until_ms=since + 1_000), since + 1_000).value
