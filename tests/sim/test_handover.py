"""Processes that own shards by leases: one acts at a time, nothing acknowledged is lost; planted bugs are found."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from aob.backends.memory.store import MemoryStore
from aob.compose.cluster import Guard
from aob.core.cluster import Tenure
from aob.core.cluster import tenure as tenures
from aob.testing.world import hosts, simulate_handover
from aob.testing.world.loop import replaced

SEEDS = range(1, 17)
AT_ONCE = 4
WORLDS = 12
lived = cache(simulate_handover)
"""Worlds without a planted bug: each lives once for all tests of this process."""


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_one_process_acts_at_a_time_and_every_run_ends(first: int) -> None:
    broken = {seed: lived(seed).broken for seed in range(first, first + AT_ONCE)}
    assert not {seed: rule for seed, rule in broken.items() if rule}, "make sim SEED=n shows the trace"


def test_a_seed_gives_the_same_cluster_again_and_its_life_is_hard() -> None:
    assert simulate_handover(5).trace == lived(5).trace
    worlds = [lived(seed) for seed in range(1, 9)]
    said = "\n".join(line for world in worlds for line in world.trace)
    for fault in ("is stopped for", "goes on", "is killed", "has left", "answer lost", "fenced"):
        assert fault in said, fault
    assert sum(world.events.get("reads", 0) for world in worlds) > 500


def reads_are_not_fenced() -> Any:
    """An owner answers whatever it has in memory."""

    def nothing(self: Any) -> None:
        """Anybody may."""

    return replaced((Guard, "check", nothing))


def the_epoch_is_not_raised() -> Any:
    """Taking a shard fences nobody."""

    async def take(self: Any) -> int:
        self._epoch = 1
        return 1

    return replaced((MemoryStore, "take", take))


def the_lease_counts_from_the_answer() -> Any:
    """The owner believes that it was granted when it heard of it."""

    def renewed(self: Any, asked_s: float) -> None:
        self._until_s = max(self._until_s, self._steady_s() + self._acts_s)

    return replaced((Tenure, "renewed", renewed))


def the_whole_lease_is_used() -> Any:
    """And more: nothing is left for what is on its way."""
    return replaced((tenures, "ACTS", 1.2))


def jobs_are_not_fenced() -> Any:
    """A process that goes on begins what was due."""
    return replaced((hosts, "tenured", lambda perform, tenure: perform))


PLANTED: dict[Callable[[], Any], float] = {
    reads_are_not_fenced: 0.5, the_epoch_is_not_raised: 0.3, the_lease_counts_from_the_answer: 0.1,
    the_whole_lease_is_used: 0.3, jobs_are_not_fenced: 0.1,
}  # fmt: skip


@pytest.mark.parametrize(("bug", "least"), PLANTED.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_found(bug: Callable[[], Any], least: float) -> None:
    wanted, found = round(least * WORLDS + 0.5), 0
    for seed in range(1, WORLDS + 1):
        with bug():
            found += bool(simulate_handover(seed).broken)
        if found >= wanted:
            return
    raise AssertionError(f"{found} of {WORLDS} worlds found it, and {wanted} should")
