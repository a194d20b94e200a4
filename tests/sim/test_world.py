"""A hundred lives of a home, each from a seed: nothing is wrong under faults, and everything ends when they stop."""

import itertools
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from aob.testing.world import Options, draw, simulate
from aob.testing.world.loop import CLOCKS, REAL, VirtualLoop, replaced, steady
from tests.sim.planted import AHEAD

SEEDS = range(1, 101)
KNOWN = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    if line[:1].isdigit()
]
AT_ONCE = 10
lived = cache(simulate)
"""Worlds as they are: each lives once for all tests of this process."""


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_every_rule_holds_in_every_world(first: int) -> None:
    broken = {seed: lived(seed).broken for seed in range(first, first + AT_ONCE)}
    assert not {seed: rule for seed, rule in broken.items() if rule}, "make sim SEED=n shows the trace"


@pytest.mark.parametrize("first", range(1, 25, 8))
def test_every_rule_holds_in_worlds_of_fast_runs_whose_commits_fail(first: int) -> None:
    broken = {seed: simulate(seed, AHEAD).broken for seed in range(first, first + 8)}
    assert not {seed: rule for seed, rule in broken.items() if rule}


@pytest.mark.parametrize("seed", KNOWN)
def test_every_rule_holds_in_worlds_that_once_broke_one(seed: int) -> None:
    assert not simulate(seed).broken


@pytest.mark.parametrize("seed", [1, 7, 23])
def test_a_seed_gives_the_same_world_again(seed: int) -> None:
    one, other = lived(seed), simulate(seed)
    assert one.trace == other.trace
    assert one.trace


@pytest.mark.parametrize("seed", [1, 7, 12, 23])
def test_a_slow_machine_gives_the_same_world(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, passed = lived(seed), itertools.count(1)
    for name in CLOCKS:
        monkeypatch.setattr(time, name, lambda: 10.0 * next(passed))
        monkeypatch.setattr(time, f"{name}_ns", lambda: 10_000_000_000 * next(passed))
    assert simulate(seed).trace == quick.trace


def test_every_module_of_ours_sees_virtual_time_only() -> None:
    real = {id(time), *map(id, REAL.values())}
    loop = VirtualLoop()
    with replaced(*steady(loop)):
        seen = {
            f"{name}.{at}"
            for name, module in list(sys.modules.items()) if name.startswith("aob.") and name != steady.__module__
            for at, held in vars(module).items() if id(held) in real
        }  # fmt: skip
    loop.close()
    assert not seen


def test_a_seed_gives_the_same_world_in_another_process() -> None:
    def trace(hash_seed: str) -> str:
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "aob.testing.world", "11"]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout

    assert trace("1") == trace("2")


def test_worlds_meet_what_they_are_made_for() -> None:
    faults = {
        "store away",
        "reply lost",
        "crash",
        "another process takes over",
        "the clock jumps",
        "effect once",
        "fenced",
    }
    wanted = {
        "PatchApplied", "ScopeMoved", "NodeHeld", "Uncertain", "TokensCancelled", "TokenReady", "TicketAnswered",
        "MessageReceived", "CancelRequested", "ScopeClosed", "AttemptFailed", "Checkpoint",
    }  # fmt: skip
    for seed in range(1, 31):
        report = lived(seed)
        wanted -= {name for name, count in report.events.items() if count}
        faults -= {fault for fault in faults if any(fault in line for line in report.trace)}
        if not (wanted or faults):
            break
    assert not wanted, "no world has them"
    assert not faults


def test_a_world_without_faults_is_dull() -> None:
    report = simulate(3, Options(patch=0.0, cancel=0.0, proposes=0.0))
    assert not report.broken
    assert not any("crash" in line or "away" in line for line in report.trace)


def test_half_of_the_seeds_are_swarms() -> None:
    from random import Random

    swarms = sum(draw(Random(seed)).swarm for seed in range(400))
    assert 140 < swarms < 260
