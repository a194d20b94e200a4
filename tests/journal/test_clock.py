"""SEMANTICS 2.4: time never goes back, durations are true within 7 %, a step is made up for, timers ring on time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.backends.memory.store import MemoryStore
from aob.journal.clock import SLOW, CommittedClock
from tests.journal.tally import T0_MS, Add, Later, Shell, in_virtual_time, passes

HOUR_MS = 3_600_000


class Hands:
    """A wall clock that anybody may set, and a steady one."""

    def __init__(self) -> None:
        self.wall, self.steady = float(T0_MS), 100.0

    def pass_ms(self, ms: float) -> None:
        self.wall += ms
        self.steady += ms / 1_000

    def clock(self) -> CommittedClock:
        clock = CommittedClock(lambda: int(self.wall), lambda: self.steady)
        clock.begin(T0_MS - 5)
        return clock


STEPS = st.lists(st.tuples(st.floats(0, 5_000), st.sampled_from([0, 0, 0, 1, -1, 900, -HOUR_MS, HOUR_MS, -2_000])))


@given(STEPS)
def test_time_never_goes_back_and_never_runs_slower_than_it_may(steps: list[tuple[float, int]]) -> None:
    hands = Hands()
    clock = hands.clock()
    last = clock.now()
    for passed, step in steps:
        hands.pass_ms(passed)
        hands.wall += step
        now = clock.now()
        assert now >= last + int(SLOW * passed) - 1
        assert now >= int(hands.wall)
        if not step and now > hands.wall + 1:
            assert now <= last + passed + 1, "while the clock is behind, time is not faster than it is"
        last = now


@given(STEPS)
def test_a_peek_is_what_the_next_look_says_and_never_goes_back_either(steps: list[tuple[float, int]]) -> None:
    hands = Hands()
    clock = hands.clock()
    last = clock.peek(hands.steady)
    for passed, step in steps:
        hands.pass_ms(passed)
        hands.wall += step
        seen = clock.peek(hands.steady)
        assert seen >= last
        if passed > 1_000:  # a look now and then
            assert clock.now() == seen
            assert clock.peek(hands.steady) == seen
        last = seen


def test_a_step_back_is_made_up_for_and_named() -> None:
    hands = Hands()
    clock = hands.clock()
    before = clock.now()
    hands.wall -= HOUR_MS
    assert clock.now() == before
    assert clock.step is not None
    assert clock.step.by_ms == -HOUR_MS
    hands.pass_ms(60_000)
    assert clock.now() - before == pytest.approx(60_000, rel=0.07)
    assert clock.behind_ms > 0
    hands.pass_ms(17 * HOUR_MS)
    assert (clock.now(), clock.behind_ms) == (int(hands.wall), 0)


def test_many_looks_in_a_millisecond_lose_no_time() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall -= HOUR_MS
    begin = clock.now()
    for _ in range(10_000):
        hands.pass_ms(0.1)
        clock.now()
    assert clock.now() - begin == pytest.approx(1_000 * SLOW, abs=2)


def test_a_clock_that_was_behind_at_the_start_is_named() -> None:
    hands = Hands()
    clock = CommittedClock(lambda: int(hands.wall), lambda: hands.steady)
    clock.begin(T0_MS + HOUR_MS)
    assert clock.now() == T0_MS + HOUR_MS
    assert clock.step is not None
    assert clock.step.by_ms == -HOUR_MS


@in_virtual_time
async def test_a_timer_set_after_a_step_back_rings_within_seven_percent() -> None:
    shell = Shell(MemoryStore())
    async with shell.journal as j:
        await j.ask("t_1", Add())
        shell.skew_ms = -HOUR_MS
        await j.ask("t_1", Later("x", j.clock.now() + 3_000))
        begun = asyncio.get_running_loop().time()
        rung = 0.0
        while shell.count("t_1") < 1_000:
            await passes(0.01)
            rung = asyncio.get_running_loop().time() - begun
        assert 3.0 <= rung <= 3.0 * 1.07 + 0.02


@in_virtual_time
async def test_what_a_step_forward_has_made_due_rings_at_the_next_look_and_once() -> None:
    shell = Shell(MemoryStore())
    async with shell.journal as j:
        await j.ask("t_1", Later("x", j.clock.now() + HOUR_MS // 2))
        await j.ask("t_2", Later("y", j.clock.now() + 3 * HOUR_MS))
        await passes(1)
        shell.skew_ms = HOUR_MS
        j.look()
        await passes(0.01)
        assert (shell.count("t_1"), shell.count("t_2")) == (1_000, 0)
        for _ in range(5):
            await passes(1)
            j.look()
        assert shell.count("t_1") == 1_000
        await passes(2 * HOUR_MS / 1_000)
        assert shell.count("t_2") == 1_000
