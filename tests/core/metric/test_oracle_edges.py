"""Where contracts meet: versions side by side, what is taken back alone, more values than a dimension may have."""

import itertools
import json
import random
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aob.core.contract import check_set, read_contracts
from aob.core.metric.fold import Fold
from aob.core.metric_query import MetricQuery
from tests.core.metric.ingesting import Intake
from tests.core.metric.shop_world import instant

NOW_MS = 1_781_703_441_123
VERSIONS = """
event: sale
version: 1
owner: shop
fields: {amount: {type: number}, place: {type: string}}
---
event: sale
version: 2
owner: shop
fields: {cents: {type: integer}, place: {type: string}}
---
metric: all_sales
version: 1
owner: shop
type: count
moves: [{on: sale}]
---
metric: old_sales
version: 1
owner: shop
type: sum
moves: [{on: sale, version: 1, value: data.amount}]
---
metric: euros
version: 1
owner: shop
type: sum
moves: [{on: sale, version: 1, value: data.amount}, {on: sale, version: 2, value: double(data.cents) / 100.0}]
"""
TAKEN = """
event: bid
version: 1
owner: shop
fields: {amount: {type: number}, place: {type: string}}
---
event: bid.withdrawn
version: 1
owner: shop
fields: {amount: {type: number}, place: {type: string}, bid_at: {type: string, format: date-time}}
---
metric: best_bid
version: 1
owner: shop
type: max
on_retract: refold
moves:
  - {on: bid, value: data.amount}
  - {on: bid.withdrawn, value: data.amount, retract: true, at: timestamp(data.bid_at)}
dimensions: [place]
windows: [all, 1m]
"""
MANY = """
event: sale
version: 1
owner: shop
fields: {amount: {type: number}, place: {type: string}}
---
metric: sales
version: 1
owner: shop
type: count
moves: [{on: sale}]
dimensions: [place]
budget: 5
"""


def line(number: int, type: str, data: dict[str, Any], ago_ms: int, **more: Any) -> bytes:
    """An event of a while ago."""
    told = {"id": str(number), "source": "s", "type": type, "time": instant(NOW_MS - ago_ms), "data": data}
    return json.dumps(told | more).encode()


def read(fold: Fold, metric: str, **more: Any) -> Any:
    """The value over all time."""
    return fold.read(MetricQuery(metric, "all", **more), NOW_MS).value


def test_each_version_of_an_event_moves_what_is_declared_for_it() -> None:
    contracts = read_contracts({"sales.yaml": VERSIONS})
    intake, fold = Intake(contracts), Fold(contracts)
    old = [line(n, "sale", {"amount": 1.5, "place": "eu"}, n, version=1) for n in range(3)]
    new = [line(n, "sale", {"cents": 25, "place": "eu"}, n, version=2) for n in range(10, 14)]
    fold.add(intake.take([*old, *new], NOW_MS))
    assert intake.accepted == 7
    assert read(fold, "all_sales") == 7
    assert read(fold, "old_sales") == 4.5
    assert read(fold, "euros") == 5.5
    only = Fold(contracts, frozenset(("old_sales",)))
    only.add(Intake(contracts).take([*old, *new], NOW_MS))
    assert read(only, "old_sales") == 4.5


def test_what_is_taken_back_is_left_out_whether_it_came_before_or_comes_after() -> None:
    contracts = read_contracts({"bids.yaml": TAKEN})
    for seed in range(20):
        dice = random.Random(seed)
        bids = [(n, dice.randrange(5), dice.randrange(4_000), dice.choice("ab")) for n in range(30)]
        gone = [bid for bid in bids if dice.random() < 0.4]
        lines = [line(n, "bid", {"amount": amount, "place": place}, ago) for n, amount, ago, place in bids]
        lines += [
            line(n + 100, "bid.withdrawn", {"amount": amount, "place": place, "bid_at": instant(NOW_MS - ago)}, 0)
            for n, amount, ago, place in gone
        ]
        dice.shuffle(lines)
        intake, fold, seen = Intake(contracts), Fold(contracts), []
        for each in lines:
            events = intake.take([each], NOW_MS)
            seen += events
            fold.add(events)
            fold = Fold.load(contracts, fold.dump(full=True))
            fold.recount(seen)
            assert fold.wanted == {}
        left = [bid for bid in bids if bid not in gone]
        assert read(fold, "best_bid") == max((amount for _, amount, _, _ in left), default=None)
        for place in "ab":
            want = max((amount for _, amount, _, where in left if where == place), default=None)
            assert read(fold, "best_bid", where={"place": place}) == want


def test_values_above_the_budget_count_as_others_and_those_known_stay_themselves() -> None:
    contracts = read_contracts({"sales.yaml": MANY})
    intake, fold = Intake(contracts), Fold(contracts)
    lines = [line(n, "sale", {"amount": 1, "place": f"p{n % 12}"}, n * 10_000) for n in range(240)]
    for start in range(0, 240, 24):
        fold.add(intake.take(lines[start : start + 24], NOW_MS))
        fold.forget(NOW_MS)
        fold = Fold.load(contracts, fold.dump(full=True))
    found = fold.read(MetricQuery("sales", "all", by=("place",)), NOW_MS)
    assert found.value == 240
    assert {row["by"]["place"]: row["value"] for row in found.rows or ()} == {
        **{f"p{n}": 20 for n in range(5)}, "__other__": 140,
    }  # fmt: skip
    assert found.overflowed == ["place"]
    assert fold.size()["overflow"] > 0


def test_what_comes_late_corrects_its_own_past_and_says_so_there_only() -> None:
    contracts = read_contracts({"sales.yaml": MANY})
    intake, fold = Intake(contracts), Fold(contracts)

    def restated(window: str) -> bool:
        return fold.read(MetricQuery("sales", window), NOW_MS).restated

    moved = fold.add(intake.take([line(n, "sale", {"amount": 1, "place": "a"}, n * 1_000) for n in range(9)], NOW_MS))
    assert (moved.metrics, moved.restated, moved.late) == ({"sales"}, set(), 0)
    moved = fold.add(intake.take([line(10, "sale", {"amount": 1, "place": "a"}, 60_000)], NOW_MS))
    assert (moved.metrics, moved.restated, moved.late) == ({"sales"}, {"sales"}, 1)
    for _ in range(2):
        assert [restated(window) for window in ("10s", "15m", "all")] == [False, True, True]
        fold = Fold.load(contracts, fold.dump(full=True))
    fold.forget(NOW_MS + 3 * 86_400_000)
    assert restated("all")


def test_a_value_that_is_called_as_the_rest_is_a_value_and_the_rest_is_told_apart() -> None:
    contracts = read_contracts({"sales.yaml": MANY})
    intake, fold = Intake(contracts), Fold(contracts)
    for place in ("__other__", "__other__", "a", "b"):
        fold.add(intake.take([line(intake.accepted, "sale", {"amount": 1, "place": place}, 9_000)], NOW_MS))
    fold = Fold.load(contracts, fold.dump(full=True))
    found = fold.read(MetricQuery("sales", "all", by=("place",)), NOW_MS)
    assert found.overflowed == []
    assert {row["by"]["place"]: row["value"] for row in found.rows or ()} == {"__other__": 2, "a": 1, "b": 1}
    assert read(fold, "sales", where={"place": "__other__"}) == 2
    more = [line(100 + n, "sale", {"amount": 1, "place": f"p{n}"}, 8_000) for n in range(4)]
    fold.add(intake.take(more, NOW_MS))
    rows = fold.read(MetricQuery("sales", "all", by=("place",)), NOW_MS).rows or []
    assert [row["value"] for row in rows if row.get("other") == ["place"]] == [2]
    assert [row["value"] for row in rows if row["by"]["place"] == "__other__" and "other" not in row] == [2]
    assert read(fold, "sales", where={"place": "__other__"}) == 2
    less = Fold(contracts)
    less.add(intake.take([line(200 + n, "sale", {"amount": 1, "place": f"q{n}"}, 10) for n in range(9)], NOW_MS))
    assert read(less, "sales", where={"place": "__other__"}) == 4


DERIVED = """---
metric: orders
version: 1
owner: shop
type: count
moves: [{on: sale}]
dimensions: [place]
windows: [1m, {name: today, tumbling: day}, all]
---
metric: taken
version: 1
owner: shop
type: sum
moves: [{on: sale, value: data.amount}]
dimensions: {place: data.place, size: string(data.amount)}
windows: [all, 1m]
---
metric: mean
version: 1
owner: shop
type: derived
value: taken / orders
---
metric: twice
version: 1
owner: shop
type: derived
value: mean * 2.0
"""


def test_a_derived_metric_has_the_dimensions_and_windows_that_all_of_its_metrics_have() -> None:
    contracts = read_contracts({"sales.yaml": MANY + DERIVED})
    assert not [problem for problem in check_set(contracts, contracts) if not problem.code.startswith("warn")]
    for name in ("mean", "twice"):
        contract = contracts.metric(name)
        assert contract is not None
        assert list(contract.dimensions) == ["place"]
        assert set(contract.windows) == {"1m", "all"}
    intake, fold = Intake(contracts), Fold(contracts)
    fold.add(intake.take([line(n, "sale", {"amount": n, "place": "ab"[n % 2]}, n) for n in range(4)], NOW_MS))
    found = fold.read(MetricQuery("mean", "1m", by=("place",)), NOW_MS)
    assert {row["by"]["place"]: row["value"] for row in found.rows or ()} == {"a": 1.0, "b": 2.0}
    assert fold.read(MetricQuery("twice", where={"place": "b"}), NOW_MS).value == 4.0


@pytest.mark.parametrize(("step", "starts"), [
    ("month", ["2026-01-10", "2026-02-01", "2026-03-01", "2026-04-01"]),
    ("quarter", ["2026-01-10", "2026-04-01"]),
    ("year", ["2026-01-10"]),
    ("week", ["2026-01-10", *(f"2026-{day}" for day in (
        "01-12", "01-19", "01-26", "02-02", "02-09", "02-16", "02-23", "03-02", "03-09", "03-16", "03-23", "03-30",
        "04-06"))]),
])  # fmt: skip
def test_a_series_has_steps_of_the_calendar_in_the_zone_of_its_window(step: str, starts: list[str]) -> None:
    zone = ZoneInfo("Europe/Berlin")

    def at_ms(day: str) -> int:
        return round(datetime.fromisoformat(day).replace(tzinfo=zone).timestamp() * 1_000)

    contracts = read_contracts({
        "sales.yaml": MANY.replace("budget: 5", "windows: [{name: today, tumbling: day, zone: Europe/Berlin}]")
    })  # fmt: skip
    intake, fold = Intake(contracts), Fold(contracts)
    since, until = at_ms("2026-01-10"), at_ms("2026-04-10")
    sales = [since + n * 86_400_000 // 3 for n in range(3 * 80)]
    lines = [line(n, "sale", {"amount": 1, "place": "a"}, NOW_MS - at) for n, at in enumerate(sales)]
    fold.add(intake.take(lines, NOW_MS))
    rows = fold.read(MetricQuery("sales", since_ms=since, until_ms=until, step=step), NOW_MS).rows or []
    edges = [*map(at_ms, starts), until]
    assert [row["at"] for row in rows] == edges[:-1]
    assert [row["value"] for row in rows] == [sum(a <= at < b for at in sales) for a, b in itertools.pairwise(edges)]
