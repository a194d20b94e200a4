"""A home whose machine's clock is set while it runs: timers ring on time, nothing stops, and people are told."""

import asyncio
import time
from pathlib import Path

import pytest

import aob
from aob.cli.commands.home.doctor import _clock
from aob.compose import app as compose_room
from tests.runs.home import Deed, finished, flow, fn, until

HOUR_NS = 3_600_000_000_000


class Hands:
    """The clock of this machine, set by a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.step_ns = 0
        plain = time.time_ns
        monkeypatch.setattr(compose_room.time, "time_ns", lambda: plain() + self.step_ns)
        monkeypatch.setattr(compose_room, "LOOK_S", 0.01)


def nap(wait: str) -> dict[str, object]:
    return flow("nap", {"a": {"kind": "timer", "config": {"for": wait}}, "b": fn()}, "a>b")


async def test_a_timer_rings_when_the_clock_is_set_past_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    async with aob.open(tmp_path, app=Deed().handlers()) as app:
        await app.push(nap("30m"))
        run = await app.start("nap")
        await until(app, run.id, "timer_set")
        hands.step_ns = HOUR_NS
        async with asyncio.timeout(5):
            assert (await finished(app, run.id))["status"] == "COMPLETED"
        step = (await app.views.health())["clock"]["step"]
        assert step["by_ms"] == pytest.approx(3_600_000, abs=1_000)


async def test_a_home_whose_clock_is_set_back_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    async with aob.open(tmp_path, app=Deed().handlers()) as app:
        await app.push(nap("300ms"))
        await finished(app, (await app.start("nap")).id)
        hands.step_ns = -HOUR_NS
        run = await app.start("nap")
        await until(app, run.id, "timer_set")
        sentence = (await app.views.why(app.who, run.id))["sentence"]
        assert " m" not in sentence.partition(",")[2].replace(" ms", ""), sentence
        async with asyncio.timeout(5):
            assert (await finished(app, run.id))["status"] == "COMPLETED"
        health = await app.views.health()
        assert health["clock"]["behind_ms"] > 3_000_000
        finding = _clock(health)
        assert finding is not None
        assert " back, is " in finding.seen
    async with aob.open(tmp_path, app=Deed().handlers()) as app:
        run = await app.start("nap")
        async with asyncio.timeout(5):
            assert (await finished(app, run.id))["status"] == "COMPLETED"
        assert (await app.views.health())["clock"]["step"]["by_ms"] < -3_000_000
