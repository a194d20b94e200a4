"""Folds of parts of a stream, merged, tell what one fold of all of it tells: at the end, and a little at a time."""

import random
from collections import defaultdict
from typing import Any, get_args

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aob.core.contract import read_contracts
from aob.core.contract_model import ContractSet, MetricType
from aob.core.event.ids import seed_of
from aob.core.ingest import Event
from aob.core.metric.fold import Fold
from aob.core.metric_query import MetricQuery
from tests.core.metric.ingesting import Intake
from tests.core.metric.oracle import MOVES
from tests.core.metric.shop_world import CONTRACTS, DAY, HOUR, batches, stream
from tests.core.metric.test_oracle import DAYS, FOLLOWED, ms, same

PLAIN = sorted({*MOVES, "aov"} - FOLLOWED)
ASKED = ("1m", "1h", "1d", "today", "month_to_date", "all")
NOW_MS = ms(DAYS["spring forward"])


@pytest.fixture(scope="module")
def contracts() -> ContractSet:
    return read_contracts(CONTRACTS)


def accepted(contracts: ContractSet, seed: int, spread_ms: int, count: int = 500) -> list[list[Event]]:
    """Accepted events of the shop, as they came."""
    intake = Intake(contracts)
    sent = stream(seed, count, NOW_MS, spread_ms, spread_ms)
    return [intake.take([each.line for each in batch], batch[-1].at_ms) for batch in batches(sent, random.Random(seed))]


def told(fold: Fold, metrics: list[str]) -> dict[Any, Any]:
    """All answers."""
    found: dict[Any, Any] = {}
    for metric in metrics:
        by = tuple(sorted(fold.plan.metrics[metric].names))[:1]
        for window in ASKED:
            reading = fold.read(MetricQuery(metric, window, by=by), NOW_MS)
            found[metric, window] = [
                reading.value,
                {tuple(row["by"].values()): row["value"] for row in reading.rows or ()},
            ]
            found[metric, window, "told"] = [
                reading.since_ms,
                reading.newest_at_ms,
                reading.unmoved,
                reading.overflowed,
            ]
    return found


def counted(fold: Fold) -> tuple[int, int]:
    """Tiles and cells, by a walk over all; `size` keeps count."""
    leaves = [tile for cube in fold.cubes.values() for tile in cube.tiles.leaves()]
    found = len(leaves), sum(len(tile.own()) for tile in leaves)
    size = fold.size()
    assert (size["tiles"], size["cells"]) == found
    return found


def settled(fold: Fold, events: list[Event]) -> Fold:
    fold.recount(events)
    return fold


@pytest.mark.parametrize("spread_ms", [HOUR, 6 * DAY, 80 * DAY])
@pytest.mark.parametrize("groups", [2, 5])
def test_folds_of_groups_of_events_merge_into_the_fold_of_all(
    contracts: ContractSet, groups: int, spread_ms: int
) -> None:
    parts = accepted(contracts, groups, spread_ms)
    every = [event for part in parts for event in part]
    whole, owners = Fold(contracts, frozenset(PLAIN)), [Fold(contracts, frozenset(PLAIN)) for _ in range(groups)]
    dice = random.Random(groups)
    for part in parts:
        whole.add(part)
        for number, owner in enumerate(owners):
            owner.add([event for event in part if seed_of(event.id) % groups == number])
        if dice.random() < 0.2:  # what is old is rolled up here and not there
            dice.choice([whole, *owners]).forget(NOW_MS - dice.randrange(40 * DAY))
    merged = Fold(contracts, frozenset(PLAIN))
    for owner in owners:
        before = owner.dump(full=True)
        merged.merge(owner)
        counted(owner)
        counted(merged)
        assert owner.dump(full=True) == before, "what was taken in stays as it is"
    merged.forget(NOW_MS)
    whole.forget(NOW_MS)
    assert merged.sources.watermark(NOW_MS) == whole.sources.watermark(NOW_MS)
    want, got = told(settled(whole, every), PLAIN), told(settled(merged, every), PLAIN)
    assert {name for name in want if not same(got[name], want[name])} == set()
    again = Fold.load(contracts, merged.dump(full=True), frozenset(PLAIN))
    assert counted(again) == counted(merged)
    assert {name for name, value in told(again, PLAIN).items() if not same(value, want[name])} == set()


@pytest.mark.parametrize("seed", range(3))
def test_what_a_few_events_say_is_merged_in_again_and_again(contracts: ContractSet, seed: int) -> None:
    """As an owner tells of its journal: a small fold for each stretch of it, written and read on the way."""
    parts = accepted(contracts, seed, 3 * HOUR)
    whole, merged = Fold(contracts, frozenset(PLAIN)), Fold(contracts, frozenset(PLAIN))
    for part in parts:
        whole.add(part)
        little = Fold(contracts, frozenset(PLAIN))
        little.add(part)
        merged.merge(Fold.load(contracts, little.dump(full=True), frozenset(PLAIN)))
        counted(merged)
        if seed:
            merged = Fold.load(contracts, merged.dump(full=True), frozenset(PLAIN))
    every = [event for part in parts for event in part]
    want, got = told(settled(whole, every), PLAIN), told(settled(merged, every), PLAIN)
    assert {name for name in want if not same(got[name], want[name])} == set()


@pytest.mark.parametrize("metric", sorted(FOLLOWED))
def test_subjects_of_different_keys_merge_into_the_fold_of_all(contracts: ContractSet, metric: str) -> None:
    parts = accepted(contracts, len(metric), HOUR)
    wanted = frozenset((metric,))
    whole, owners = Fold(contracts, wanted), defaultdict[int, Fold](lambda: Fold(contracts, wanted))
    for part in parts:
        whole.add(part)
        for owner, events in by_subject(whole, part).items():
            owners[owner].add(events)
    merged = Fold(contracts, wanted)
    for owner in owners.values():
        merged.merge(owner)
    assert len(owners) > 1
    want, got = told(whole, [metric]), told(merged, [metric])
    assert {name for name in want if not same(got[name], want[name])} == set()
    assert len(merged.subjects[metric]) == len(whole.subjects[metric])


def by_subject(fold: Fold, events: list[Event]) -> dict[int, list[Event]]:
    """Events by the group of the subject that they touch."""
    found = defaultdict[int, list[Event]](list)
    for event in events:
        for feed in fold.plan.subjects.get(event.type, {}).get(event.version, ()):
            for key in {touch.key for _, touch in feed.touches([event], lambda count: None)}:
                found[seed_of(key) % 3].append(event)
    return found


def test_every_type_of_metric_is_merged_here(contracts: ContractSet) -> None:
    assert {each.type for name in (*PLAIN, *FOLLOWED) for each in contracts.metrics[name].values()} == set(
        get_args(MetricType)
    )


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(st.integers(0, 1 << 20), st.integers(2, 6), st.randoms(use_true_random=False))
def test_any_key_groups_in_any_order_and_any_tree_merge_into_the_fold_of_all(
    seed: int, groups: int, dice: random.Random
) -> None:
    contracts, spread_ms = read_contracts(CONTRACTS), dice.choice([HOUR, 6 * DAY])
    merges_as_whole(contracts, accepted(contracts, seed, spread_ms, 200), PLAIN, groups, dice)
    within = accepted(contracts, seed, HOUR, 200)  # what is so late that a subject is told anew is the log's to tell
    for name in FOLLOWED:
        merges_as_whole(contracts, within, [name], groups, dice)


def merges_as_whole(
    contracts: ContractSet, parts: list[list[Event]], metrics: list[str], groups: int, dice: random.Random
) -> None:
    every, wanted = [event for part in parts for event in part], frozenset(metrics)
    whole, owners = Fold(contracts, wanted), defaultdict[int, Fold](lambda: Fold(contracts, wanted))
    for part in parts:
        whole.add(part)
        for group, events in (by_id(part, groups) if metrics is PLAIN else by_subject(whole, part)).items():
            owners[group].add(events)
    left = [*owners.values(), Fold(contracts, wanted)]
    dice.shuffle(left)
    while len(left) > 1:
        other = left.pop(dice.randrange(len(left)))
        left[dice.randrange(len(left))].merge(other)
    want, got = told(settled(whole, every), metrics), told(settled(left[0], every), metrics)
    assert {name for name in want if not same(got[name], want[name])} == set()


def by_id(events: list[Event], groups: int) -> dict[int, list[Event]]:
    found = defaultdict[int, list[Event]](list)
    for event in events:
        found[seed_of(event.id) % groups].append(event)
    return found
