"""Folded live, every metric over every window is what SQL tells of the accepted events.

The stream goes through the gate as lines, in batches of all sizes: out of order, late, twice, broken, taken back.
"""

import math
import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from aob.core.contract import read_contracts
from aob.core.contract_model import ContractSet
from aob.core.ingest import Event
from aob.core.metric.fold import Fold, Reading, Restatement
from aob.core.metric_query import MetricQuery
from tests.core.metric.ingesting import Intake
from tests.core.metric.oracle import MOVES, WINDOWS, Oracle, window
from tests.core.metric.shop_world import CONTRACTS, DAY, HOUR, MINUTE, REGIONS, Sent, batches, stream

METRICS = (*MOVES, "aov")
DAYS = {
    "an ordinary day": "2026-06-17T13:37:21.123+00:00",
    "spring forward": "2026-03-29T10:37:21.123+00:00",
    "fall back": "2026-10-25T03:30:00.000+00:00",
    "new year": "2027-01-01T00:00:00.400+00:00",
}
SPREADS = {
    "minutes": (3 * MINUTE, DAY), "hours": (5 * HOUR, DAY), "days": (6 * DAY, DAY), "months": (80 * DAY, DAY),
    "months, and as late": (80 * DAY, 80 * DAY),
}  # fmt: skip
"""Over which time events are spread, and how late they may come."""
FOLLOWED = frozenset(("checkout", "twice", "visits", "time_to_pay", "again", "fees"))
"""Metrics that follow subjects: what comes later than a day is told by the log."""


def ms(text: str) -> int:
    """Ms since 1970 of RFC 3339."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


@pytest.fixture(scope="module")
def contracts() -> ContractSet:
    """The contracts of the shop."""
    return read_contracts(CONTRACTS)


def told_anew(fold: Fold, events: list[Event]) -> None:
    """What waits for the log is told by it."""
    while fold.restating:
        wanted = Restatement(fold)
        for _ in wanted.refresh():
            pass
        wanted.read([event for event in events if event.type in wanted.types])
        wanted.work_out()
        while wanted.apply(50):
            pass


class Both:
    """A stream folded live, and the oracle of what of it was accepted."""

    def __init__(self, contracts: ContractSet, now_ms: int) -> None:
        self.now_ms = now_ms
        self.intake = Intake(contracts)
        self.fold = Fold(contracts)
        self.oracle = Oracle()
        self.metrics = METRICS
        self.events: list[Event] = []

    def take(self, sent: list[Sent]) -> None:
        """One batch, and what is done from time to time."""
        at_ms = sent[-1].at_ms
        events = self.intake.take([each.line for each in sent], at_ms)
        self.events += events
        self.fold.add(events)
        self.fold.recount(self.events)
        if len(self.intake.rows) % 7 == 0:
            told_anew(self.fold, self.events)
            self.fold.forget(at_ms)
        if len(self.intake.rows) % 5 == 0:
            for metric in self.metrics:  # what was made of tiles for an answer must not outlive them
                self.fold.read(MetricQuery(metric, "all", by=("sku" if metric == "stock" else "region",)), at_ms)
                self.fold.read(MetricQuery(metric, "1h"), at_ms)

    def read(self, metric: str, window: str = "", **more: Any) -> Reading:
        """What the fold tells now."""
        return self.fold.read(MetricQuery(metric, window, **more), self.now_ms)


def folded(contracts: ContractSet, seed: int, now_ms: int, spread: str, count: int = 600) -> Both:
    """A whole stream."""
    both = Both(contracts, now_ms)
    sent = stream(seed, count, now_ms, *SPREADS[spread])
    for batch in batches(sent, random.Random(seed)):
        both.take(batch)
    both.oracle.take(sent)
    if SPREADS[spread][1] > DAY:
        waiting = [name for name in FOLLOWED if both.fold.subjects[name].waiting]
        assert all(not both.read(name, "all").exact and both.read(name, "all").missed for name in waiting)
    told_anew(both.fold, both.events)
    assert not any(each.missed for each in both.fold.subjects.values())
    return both


def same(got: Any, want: Any) -> bool:
    """Equal to the last bit, but for what is divided: floats to the last but one."""
    if isinstance(want, Mapping):
        return isinstance(got, Mapping) and got.keys() == want.keys() and all(same(got[k], want[k]) for k in want)
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(map(same, got, want))
    if isinstance(want, float) and isinstance(got, float | int):
        return math.isclose(got, want, rel_tol=1e-12)
    return bool(got == want)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("day", DAYS)
def test_every_metric_over_every_window_is_what_sql_tells(contracts: ContractSet, day: str, spread: str) -> None:
    now_ms = ms(DAYS[day])
    both = folded(contracts, len(day) + len(spread), now_ms, spread)
    assert both.intake.accepted == both.oracle.accepted
    assert both.fold.sources.watermark(now_ms) == both.oracle.watermark(now_ms)
    wrong = []
    for metric in both.metrics:
        for name in WINDOWS:
            since, until = window(name, now_ms)
            want = both.oracle.value(metric, -(2**60) if since is None else since, until)
            got = both.read(metric, name)
            if not same(got.value, want) or (got.since_ms, got.until_ms) != (since, until):
                wrong.append((metric, name, got.value, want, (got.since_ms, got.until_ms), (since, until)))
    assert not wrong


@pytest.mark.parametrize("spread", SPREADS)
def test_every_metric_told_apart_by_dimensions_is_what_sql_tells(contracts: ContractSet, spread: str) -> None:
    now_ms = ms(DAYS["spring forward"])
    both = folded(contracts, 7, now_ms, spread)
    for metric in both.metrics:
        for name in ("1m", "15m", "1d", "today", "all"):
            since, until = window(name, now_ms)
            low = -(2**60) if since is None else since
            for by in [("sku",)] if metric == "stock" else [("region",), ("channel", "region")]:
                got = {
                    tuple(row["by"][each] for each in by): row["value"] for row in both.read(metric, name, by=by).rows
                }
                for place in both.oracle.places(metric, low, until, by):
                    want = both.oracle.value(metric, low, until, dict(zip(by, place, strict=True)))
                    assert same(got.pop(place, nothing(want)), want), (metric, name, place)
                assert all(same(value, nothing(value)) for value in got.values()), (metric, name, got)


@pytest.mark.parametrize("spread", SPREADS)
def test_one_value_of_a_dimension_is_what_sql_tells(contracts: ContractSet, spread: str) -> None:
    now_ms = ms(DAYS["fall back"])
    both = folded(contracts, 8, now_ms, spread)
    for metric in both.metrics:
        for name in ("10s", "1h", "7d", "this_week", "month_to_date"):
            since, until = window(name, now_ms)
            where = {"sku": "sku1"} if metric == "stock" else {"region": REGIONS[1]}
            got = both.read(metric, name, where=where).value
            assert same(got, both.oracle.value(metric, since or 0, until, where)), (metric, name)


def test_a_series_of_a_span_is_what_sql_tells(contracts: ContractSet) -> None:
    now_ms = ms(DAYS["spring forward"])
    both = folded(contracts, 9, now_ms, "hours")
    for metric in both.metrics:
        for step, step_ms in (("1m", MINUTE), ("5m", 5 * MINUTE), ("1h", HOUR)):
            until = now_ms // HOUR * HOUR + HOUR
            since = until - 2 * HOUR
            got = both.read(metric, since_ms=since, until_ms=until, step=step).rows
            found = {row["at"]: row["value"] for row in got}
            for at_ms in range(since, until, step_ms):
                want = both.oracle.value(metric, at_ms, at_ms + step_ms)
                assert same(found.pop(at_ms, nothing(want)), want), (metric, step, at_ms - since)
            assert not found


def test_what_stands_for_now_is_told_by_its_own_windows(contracts: ContractSet) -> None:
    now_ms = ms(DAYS["an ordinary day"])
    both = folded(contracts, 10, now_ms, "hours")
    for metric in both.metrics:
        for ago_ms in (17_001, 40 * MINUTE, 2 * HOUR):
            for name in ("1m", "1h", "this_hour", "today", "five"):
                since, until = window(name, now_ms - ago_ms)
                got = both.read(metric, name, as_of_ms=now_ms - ago_ms)
                want = both.oracle.value(metric, since or 0, until)
                assert same(got.value, want), (metric, name, ago_ms)
                assert (got.since_ms, got.until_ms) == (since, until)


def nothing(like: Any) -> Any:
    """What a metric of this kind is when there is nothing: rows may leave that out."""
    if isinstance(like, Mapping):
        counts = {"view", "cart", "order", "first", "second", "sessions", "pairs", "unmatched"}
        return {name: 0 if name in counts else None for name in like}
    if isinstance(like, list):
        return []
    return 0 if like == 0 else None
