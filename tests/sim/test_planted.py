"""The test of the tests: bugs that are planted on purpose are found, each in its share of worlds at least."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from aob.testing.world import simulate
from tests.sim.planted import AHEAD, PLANTED, stamp_not_checked

WORLDS = 24


@pytest.mark.parametrize(("bug", "least"), PLANTED.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_found(bug: Callable[[], AbstractContextManager[None]], least: float) -> None:
    wanted, found = round(least * WORLDS + 0.5), 0
    for seed in range(1, WORLDS + 1):
        with bug():
            found += bool(simulate(seed).broken)
        if found >= wanted:
            return
    raise AssertionError(f"{found} of {WORLDS} worlds found it, and {wanted} should")


def test_a_stamp_that_is_not_checked_is_found_in_worlds_whose_commits_fail() -> None:
    found = 0
    for seed in range(1, WORLDS + 1):
        with stamp_not_checked():
            found += bool(simulate(seed, AHEAD).broken)
        if found >= WORLDS // 8:
            return
    raise AssertionError(f"{found} of {WORLDS} worlds found it")
