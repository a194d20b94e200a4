"""Partitions move at random moments, with crashes: one owner each, nothing lost or twice; a planted bug is found."""

import pytest

from aob.journal.journal import Journal
from aob.testing.world.loop import replaced
from tests.sim.moving import simulate_moves

SEEDS = 24
AT_ONCE = 6


@pytest.mark.parametrize("first", range(1, SEEDS + 1, AT_ONCE))
def test_every_rule_holds_wherever_partitions_go(first: int) -> None:
    worlds = {seed: simulate_moves(seed) for seed in range(first, first + AT_ONCE)}
    assert not {seed: world.wrong for seed, world in worlds.items() if world.wrong}
    assert sum(world.moved for world in worlds.values()) > 20
    assert sum(world.killed for world in worlds.values()) > 2
    assert all(world.promised for world in worlds.values())


def test_a_source_that_does_not_refuse_what_has_moved_is_found() -> None:
    with replaced((Journal, "_elsewhere", lambda self, name: False)):
        assert any(simulate_moves(seed).wrong for seed in range(1, 7))
