"""Objectives: counts in tiles are those of a plain list, budgets and burn rates as the workbook computes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.contract_model import Slo
from aob.core.metric.slo import WINDOWS_MS, SloTiles, burns, rate_of, view_of

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
NOW_MS = 1_700_000_000_000
SLO = Slo("fresh", "orders", "freshness", 0.99, 30 * DAY_MS, 5_000)


@given(st.lists(st.tuples(st.integers(0, 200 * HOUR_MS), st.booleans()), max_size=50), st.integers(1, 190 * HOUR_MS))
def test_tiles_count_what_a_list_counts_also_after_a_snapshot(counts: list[tuple[int, bool]], back_ms: int) -> None:
    tiles = SloTiles()
    pages: dict[str, bytes] = {}
    for ago_ms, good in counts:
        tiles.add(NOW_MS - ago_ms, int(good), 1)
        for name, data in tiles.dump().items():
            assert data is not None
            pages[name] = data
    since = NOW_MS - back_ms
    size = MINUTE_MS if back_ms < 73 * HOUR_MS else HOUR_MS
    first = since - since % size
    expected = [good for ago, good in counts if NOW_MS - ago >= first]
    assert tiles.between(since, NOW_MS + 1) == (sum(expected), len(expected))
    again = SloTiles()
    again.load(pages)
    assert again.between(since, NOW_MS + 1) == (sum(expected), len(expected))


def test_a_span_counts_its_time_minute_by_minute() -> None:
    tiles = SloTiles()
    tiles.add_span(NOW_MS - 90_000, NOW_MS, good=True)
    tiles.add_span(NOW_MS, NOW_MS + 30_000, good=False)
    assert tiles.between(0, NOW_MS + DAY_MS) == (90_000, 120_000)


def test_what_no_span_reaches_is_forgotten() -> None:
    tiles = SloTiles()
    tiles.add(NOW_MS, 1, 1)
    tiles.dump()
    tiles.forget(NOW_MS + 100 * HOUR_MS)
    assert list(tiles.dump().values()) == [None]
    assert tiles.between(NOW_MS - HOUR_MS, NOW_MS + 100 * HOUR_MS) == (1, 1)
    tiles.forget(NOW_MS + 100 * DAY_MS)
    assert tiles.between(0, NOW_MS + 100 * DAY_MS) == (0, 0)


def test_nothing_counted_is_unknown() -> None:
    view = view_of(SLO, SloTiles(), NOW_MS)
    assert (view["state"], view["ratio"], view["budget_left"], view["burn"]["1h"]) == ("unknown", None, None, None)


@pytest.mark.parametrize(("bad_percent", "state"), [(0, "ok"), (13, "ok"), (15, "burning")])
def test_an_hour_of_fast_burn_is_told_at_fourteen_times_the_budget(bad_percent: int, state: str) -> None:
    tiles = SloTiles()
    for hour in range(2, 30 * 24):
        tiles.add(NOW_MS - hour * HOUR_MS, 10_000, 10_000)
    for minute in range(60):
        tiles.add(NOW_MS - minute * MINUTE_MS, 100 - bad_percent, 100)
    view = view_of(SLO, tiles, NOW_MS)
    assert view["state"] == state
    assert view["burn"]["1h"] == pytest.approx(bad_percent)


def test_what_has_stopped_burning_is_not_told() -> None:
    tiles = SloTiles()
    for hour in range(1, 30 * 24):
        tiles.add(NOW_MS - hour * HOUR_MS - MINUTE_MS, 20_000, 20_000)
    for minute in range(60):
        tiles.add(NOW_MS - minute * MINUTE_MS, 100 if minute < 35 else 50, 100)
    view = view_of(SLO, tiles, NOW_MS)
    assert view["burn"]["1h"] > 14.4
    assert view["state"] == "ok"


def test_a_budget_that_is_gone_is_exhausted() -> None:
    tiles = SloTiles()
    tiles.add(NOW_MS - 10 * DAY_MS, 97, 100)
    view = view_of(SLO, tiles, NOW_MS)
    assert (view["state"], view["good"], view["total"]) == ("exhausted", 97, 100)
    assert view["budget_left"] == pytest.approx(-2)


@given(
    st.lists(st.tuples(st.integers(0, 80 * HOUR_MS), st.integers(0, 20), st.integers(0, 20)), max_size=20),
    st.sampled_from([0.9, 0.99, 0.999]),
    st.sampled_from([30 * MINUTE_MS, HOUR_MS, 7 * DAY_MS, 30 * DAY_MS]),
)
def test_an_alert_on_a_burn_rate_fires_just_when_the_objective_burns(
    counts: list[tuple[int, int, int]], target: float, window_ms: int
) -> None:
    tiles, slo = SloTiles(), Slo("fresh", "orders", "freshness", target, window_ms, 5_000)
    for ago_ms, good, bad in counts:
        tiles.add(NOW_MS - ago_ms, good, good + bad)
    rate = rate_of(slo, tiles, NOW_MS)
    burn = view_of(slo, tiles, NOW_MS)["burn"]
    assert burn.keys() == WINDOWS_MS.keys()
    assert ((rate or 0.0) > 1) == burns(slo, burn)
    if not counts:
        assert rate is None
