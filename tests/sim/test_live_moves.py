"""Partitions move while their shards live: nothing is lost or doubled, whatever is killed; a planted bug is found."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest

from aob.compose.layout.place import Paused, Place
from aob.journal.messages import Pairs
from aob.journal.partition import Moves
from aob.journal.recovery import _Reading
from aob.journal.resident import Resident
from aob.testing.world.loop import replaced
from tests.sim.live_moves import LiveMoves, simulate_live_moves

SEEDS = 20
AT_ONCE = 5


def worlds(seeds: Sequence[int]) -> list[LiveMoves]:
    return [simulate_live_moves(seed) for seed in seeds]


@pytest.mark.parametrize("first", range(1, SEEDS + 1, AT_ONCE))
def test_every_rule_holds_while_partitions_move(first: int) -> None:
    lived = worlds(range(first, first + AT_ONCE))
    assert [world.wrong for world in lived] == [""] * AT_ONCE
    assert sum(world.moved for world in lived) > 50
    assert sum(world.killed for world in lived) > 2
    assert all(world.promised and world.worked for world in lived)


async def at_once(self: Place, partition: int) -> None:
    """Nobody waits for work."""


async def stayed(self: _Reading, name: str) -> bool:
    """A stream of another shard counts as one that ended here."""
    return False


async def unwritten(self: Moves, partition: int) -> None:
    """What is about to leave is not in segments."""


PLANTED: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "a shard goes on with what left": lambda: replaced((Resident, "_elsewhere", lambda self, name: False)),
    "work of a run is left behind": lambda: replaced((Place, "_quiet", at_once)),
    "new work is begun meanwhile": lambda: replaced((Paused, "works", lambda self, partition: False)),
    "the last events are left behind": lambda: replaced((Moves, "written", unwritten)),
    "a pair is numbered anew": lambda: replaced((Pairs, "arrive", lambda self, outbox, sent, received: [])),
    "old rows of what left are folded": lambda: replaced((_Reading, "_went", stayed)),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str) -> None:
    with PLANTED[bug]():
        assert any(simulate_live_moves(seed).wrong for seed in range(1, 80))  # a bug is rarely met
