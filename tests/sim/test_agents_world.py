"""Agents on shards that are killed while partitions move: a record has one end, and what came of it is there once."""

from functools import cache

import pytest

from tests.sim.agents.world import simulate_agents
from tests.sim.planted_agents import PLANTED, Planted

SEEDS = range(1, 6)
WORLDS = 8
lived = cache(simulate_agents)
"""Worlds without a planted bug: each lives once for all tests of this process."""


@pytest.mark.parametrize("seed", SEEDS)
def test_every_record_has_one_end_and_every_rule_holds(seed: int) -> None:
    world = lived(seed)
    assert not world.wrong, f"python -m tests.sim.agents {seed} shows the trace"
    assert world.rules.seen["Ended"], "in a world where every attempt fails all rules hold"


def test_a_seed_gives_the_same_world_again_and_its_life_is_hard() -> None:
    worlds = [lived(seed) for seed in SEEDS]
    assert simulate_agents(3).trace == lived(3).trace
    said = "\n".join(line for world in worlds for line in world.trace)
    for fault in ("is killed", "store away", "reply lost", "has moved to shard", "delivery lost", "is paused"):
        assert fault in said, fault
    met = sum((world.rules.seen + world.met + world.deeds.met for world in worlds), start=lived(1).met)
    wanted = (
        "Ended", "Died", "AttemptLost", "AttemptFailed", "Queued", "Began", "Suspended", "Resumed", "ReminderSet",
        "Saved", "Held", "Freed", "asks", "poison", "transient",
    )  # fmt: skip
    assert not [name for name in wanted if not met[name]]


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: Planted) -> None:
    for seed in range(1, WORLDS + 1):
        with bug():
            world = simulate_agents(seed)
        if world.wrong:
            assert "Error" not in world.wrong, "a rule finds it, and not a world that cannot go on"
            return
    raise AssertionError(f"{WORLDS} worlds do not find it")
