"""What was folded goes on: through pages and rows of the log, in other batches, as time passes, for one tenant only."""

import random
from typing import Any

import pytest

from aob.core.contract import read_contracts
from aob.core.contract_model import ContractSet
from aob.core.ingest import Gate, paths
from aob.core.metric.entity import Entities, EntityState
from aob.core.metric.fold import Fold
from aob.core.metric_query import MetricQuery
from tests.core.metric.ingesting import Intake
from tests.core.metric.oracle import WINDOWS, window
from tests.core.metric.shop_world import CONTRACTS, DAY, HOUR, MINUTE, batches, instant, stream
from tests.core.metric.test_oracle import DAYS, METRICS, SPREADS, Both, folded, ms, same, told_anew

Told = dict[tuple[str, str], Any]
SOME = ("10s", "1h", "1d", "this_week", "five", "month_to_date", "all")


@pytest.fixture(scope="module")
def contracts() -> ContractSet:
    """The contracts of the shop."""
    return read_contracts(CONTRACTS)


def told(fold: Fold, now_ms: int, names: tuple[str, ...] = SOME) -> Told:
    """All values, and whether they were restated."""
    found: Told = {}
    for metric in METRICS:
        for name in names:
            reading = fold.read(MetricQuery(metric, name), now_ms)
            found[metric, name] = (reading.value, reading.newest_at_ms, reading.watermark_ms, reading.complete)
    return found


@pytest.mark.parametrize("spread", ["hours", "months"])
@pytest.mark.parametrize("seed", range(3))
def test_pages_and_the_rows_after_them_are_the_fold_that_never_stopped(
    contracts: ContractSet, spread: str, seed: int
) -> None:
    now_ms, dice = ms(DAYS["fall back"]), random.Random(seed)
    both, disk, written = Both(contracts, now_ms), dict[str, bytes | None](), 0
    pieces = list(batches(stream(seed, 500, now_ms, *SPREADS[spread]), dice))
    for piece in pieces:
        both.take(piece)
        if dice.random() < 0.2 and len(both.intake.rows) < len(pieces) - 2:
            disk |= both.fold.dump()
            written = len(both.intake.rows)
    assert written, "some rows are in the pages, and the last ones are not"
    again, gate = Fold.load(contracts, disk), Gate(contracts)
    for row in both.intake.rows[written:]:
        again.add(gate.reread(*row))
        again.recount(both.events)
    told_anew(again, both.events)
    told_anew(both.fold, both.events)
    assert told(again, now_ms) == told(both.fold, now_ms)
    assert told(Fold.load(contracts, again.dump(full=True)), now_ms) == told(both.fold, now_ms)


def test_the_log_read_again_in_other_batches_gives_the_same_numbers(contracts: ContractSet) -> None:
    now_ms = ms(DAYS["spring forward"])
    both = folded(contracts, 4, now_ms, "months, and as late")
    gate = Gate(contracts)
    events = [event for row in both.intake.rows for event in gate.reread(*row)]
    for size in (1, 37, len(events)):
        again = Fold(contracts)
        for start in range(0, len(events), size):
            again.add(events[start : start + size])
        told_anew(again, events)
        values = {place: value[0] for place, value in told(again, now_ms).items()}
        assert values == {place: value[0] for place, value in told(both.fold, now_ms).items()}, size


@pytest.mark.parametrize("spread", ["minutes", "hours", "days"])
def test_a_value_holds_until_it_says_and_no_longer(contracts: ContractSet, spread: str) -> None:
    now_ms = ms(DAYS["an ordinary day"])
    both, dice = folded(contracts, 5, now_ms, spread), random.Random(1)
    changes = 0
    for metric in both.metrics:
        for name in WINDOWS:
            query = MetricQuery(metric, name)
            first = both.fold.read(query, now_ms)
            end = first.valid_until_ms if first.valid_until_ms is not None else now_ms + 90 * DAY
            assert end > now_ms
            for at_ms in (now_ms + 1, dice.randrange(now_ms, end), end - 1):
                assert same(both.fold.read(query, at_ms).value, first.value), (
                    metric,
                    name,
                    at_ms - now_ms,
                    end - now_ms,
                )
            changes += both.fold.read(query, end).value != first.value
    assert changes > len(METRICS), "most values change when they say that they may"


def test_the_window_before_is_what_sql_tells(contracts: ContractSet) -> None:
    now_ms = ms(DAYS["an ordinary day"])
    both = folded(contracts, 6, now_ms, "days")
    before = {"this_hour": HOUR, "today": DAY, "1h": HOUR, "1d": DAY, "five": 5 * MINUTE}
    for metric in both.metrics:
        for name, size in before.items():
            since, _ = window(name, now_ms)
            assert since is not None
            found = both.read(metric, name, compare="previous").previous
            assert found is not None
            assert same(found["value"], both.oracle.value(metric, since - size, since)), (metric, name)
            assert (found["since"], found["until"]) == (since - size, since)


def test_half_a_stream_is_half_of_the_numbers_even_when_what_is_taken_back_is_still_to_come(
    contracts: ContractSet,
) -> None:
    now_ms = ms(DAYS["an ordinary day"])
    both = Both(contracts, now_ms)
    for batch in batches(stream(11, 600, now_ms, 3 * MINUTE, DAY), random.Random(11)):
        both.take(batch)
        both.oracle.take(batch)
        for metric in ("orders", "revenue", "buyers", "bestsellers", "checkout", "visits", "time_to_pay"):
            want = both.oracle.value(metric, 0, now_ms)
            assert same(both.read(metric, "all").value, want), metric


def views(count: int, now_ms: int) -> list[bytes]:
    """Looks of as many visitors."""
    data = '{"session":"v%d","region":"eu","channel":"web"}'
    line = '{"id":"%d","source":"s","type":"page.viewed","time":"%s","data":' + data + "}"
    return [(line % (n, instant(now_ms - 1 - n * 37 % (2 * DAY)), n)).encode() for n in range(count)]


def test_many_visitors_are_estimated_within_the_error_that_is_told(contracts: ContractSet) -> None:
    now_ms = ms(DAYS["an ordinary day"])
    intake, fold = Intake(contracts), Fold(contracts)
    for start in range(0, 9_000, 1_000):
        fold.add(intake.take(views(9_000, now_ms)[start : start + 1_000], now_ms))
        fold.forget(now_ms)
    for name in ("7d", "all"):
        found = fold.read(MetricQuery("visitors", name), now_ms)
        assert not found.exact
        assert 0 < found.error < 0.05
        assert abs(found.value - 9_000) <= found.error * 9_000
    small = fold.read(MetricQuery("visitors", "10s"), now_ms)
    assert (small.exact, small.error) == (True, 0.0)


def test_entities_are_what_sql_tells_now_and_at_any_instant(contracts: ContractSet) -> None:
    now_ms = ms(DAYS["an ordinary day"])
    both = folded(contracts, 12, now_ms, "months, and as late")
    entities = Entities(contracts, paths)
    for start in range(0, len(both.events), 50):
        entities.add(both.events[start : start + 50])
        entities.load(dict(entities.pages()))
    ids = [row[0] for row in both.oracle.rows("SELECT DISTINCT order_id FROM ev WHERE type LIKE 'order.%'")]
    assert len(entities) == len(ids) > 50
    for id in ids:
        for at_ms in (now_ms, now_ms - HOUR, now_ms - 5 * DAY):
            rows = both.oracle.rows(
                "SELECT type, amount, at_ms FROM ev WHERE order_id = ? AND type LIKE 'order.%' AND at_ms <= ? "
                "ORDER BY at_ms DESC, offset DESC", id, at_ms,
            )  # fmt: skip
            placed = [row["amount"] for row in rows if row["type"] == "order.created"]
            state = {"status": "placed" if rows[0]["type"] == "order.created" else "refunded"} if rows else {}
            want = EntityState(
                "order", id, bool(rows), state | ({"amount": placed[0]} if placed else {}), rows[0][2] if rows else None
            )
            assert entities.as_of("order", id, at_ms) == want
            assert at_ms != now_ms or entities.state("order", id) == want


def test_two_tenants_with_the_same_contracts_share_no_numbers(contracts: ContractSet) -> None:
    now_ms = ms(DAYS["an ordinary day"])
    one = folded(contracts, 1, now_ms, "minutes", 200)
    other, empty = folded(contracts, 2, now_ms, "minutes", 200), Fold(contracts)
    for metric in METRICS:
        assert same(other.read(metric, "all").value, other.oracle.value(metric, 0, now_ms))
        assert same(one.read(metric, "all").value, one.oracle.value(metric, 0, now_ms))
    blank = told(Fold(contracts), now_ms)
    assert told(empty, now_ms) == blank
    assert empty.size() == Fold(contracts).size()
    places = {id(part) for part in (*other.fold.cubes.values(), *other.fold.subjects.values(), other.fold.dimensions)}
    assert not places & {
        id(part) for part in (*one.fold.cubes.values(), *one.fold.subjects.values(), one.fold.dimensions)
    }
    before = told(one.fold, now_ms)
    other.fold.add(Intake(contracts).take(views(50, now_ms), now_ms))
    assert told(one.fold, now_ms) == before
