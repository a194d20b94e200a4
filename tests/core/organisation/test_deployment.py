"""Deployments are sticky and monotone: a key moves only when the share of a version says so, and only to that version
or away from it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.core.errors import Conflict, TooLarge
from aob.core.organisation.deployment import SLOTS, slot_of, version_of, with_range, with_share
from aob.core.organisation.limit import RANGES_MAX
from aob.core.organisation.parts import Deployment, KeyRange, Share

KEYS = [f"key-{n}" for n in range(400)]
FIRST = Deployment((Share(1, SLOTS),))


def versions(deployment: Deployment) -> list[int]:
    return [version_of(deployment, "agent", key) for key in KEYS]


def slots(deployment: Deployment, version: int) -> int:
    begin, found = 0, 0
    for share in deployment.shares:
        found += share.end - begin if share.version == version else 0
        begin = share.end
    return found


def test_the_slot_of_a_key_is_what_it_always_was() -> None:
    assert [slot_of("a.b.c", key) for key in ("", "k", "Ä", "\udc80")] == [6_073, 2_052, 1_570, 3_095]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 100).map(lambda share: share * 100)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_share_moves_keys_only_to_its_version_or_away_from_it(steps: list[tuple[int, int]]) -> None:
    now = FIRST
    for version, count in steps:
        before, had = versions(now), slots(now, version)
        try:
            now = with_share(now, version, count)
        except Conflict:
            assert versions(now) == before
            continue
        after = versions(now)
        moved = [(was, is_now) for was, is_now in zip(before, after, strict=True) if was != is_now]
        assert slots(now, version) == count
        assert sum(slots(now, each) for each in range(1, 5)) == SLOTS == now.shares[-1].end
        if count >= had:
            assert all(is_now == version and was != version for was, is_now in moved)
        else:
            assert all(was == version for was, is_now in moved)


def test_a_canary_grows_and_no_key_goes_back() -> None:
    now, had = FIRST, set[str]()
    for count in (100, 500, 2_500, 10_000):
        now = with_share(now, 2, count)
        has = {key for key, version in zip(KEYS, versions(now), strict=True) if version == 2}
        assert had <= has
        had = has
    assert had == set(KEYS)


def test_the_only_version_cannot_give_keys_away_to_nobody() -> None:
    with pytest.raises(Conflict):
        with_share(FIRST, 1, 5_000)
    with pytest.raises(Conflict) as caught:
        with_share(with_share(with_share(FIRST, 2, 5_000), 3, 1_000), 2, 9_500)
    assert "at most 90 %" in caught.value.detail


@given(st.lists(st.tuples(st.integers(1, 3), st.text("abc", max_size=2), st.text("abc", max_size=2)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_the_newest_range_that_has_a_key_counts(ranges: list[tuple[int, str, str]]) -> None:
    now, keys = FIRST, ["", "a", "ab", "b", "bc", "c", "cc", "d"]
    expected = dict.fromkeys(keys, 1)
    for version, first, end in ranges:
        now = with_range(now, version, first, end)
        expected |= {key: version for key in keys if first <= key and (not end or key < end)}
    assert {key: version_of(now, "agent", key) for key in keys} == expected


def test_ranges_are_bounded_and_all_keys_for_a_version_end_them() -> None:
    now = FIRST
    for n in range(RANGES_MAX):
        now = with_range(now, 2, f"{n:03}", f"{n + 1:03}")
    with pytest.raises(TooLarge):
        with_range(now, 2, "x", "y")
    assert with_range(now, 2, "0", "").ranges == (KeyRange(2, "0", ""),)
    assert with_share(now, 2, SLOTS) == Deployment((Share(2, SLOTS),))
    assert with_share(now, 2, 5_000).ranges == now.ranges


def test_before_the_first_deployment_no_version_has_a_key() -> None:
    assert version_of(Deployment(()), "agent", "k") == 0
