"""A home whose machine's clock is set while it runs: timers ring on time, nothing stops, and people are told."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.cli.commands.home.doctor import _clock
from aob.compose import App
from aob.compose import app as compose_room
from aob.core.metric_query import MetricQuery
from tests.metrics.till import Signal
from tests.runs.home import Deed, finished, flow, fn, until

HOUR_NS = 3_600_000_000_000


class Hands:
    """The clock of this machine, set by a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.step_ns = 0
        plain = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: plain() + self.step_ns)
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
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
            assert (await finished(app, run.id))["status"] == "COMPLETED"
        health = await app.views.health()
        assert health["clock"]["behind_ms"] > 3_000_000
        finding = _clock(health)
        assert finding is not None
        assert " back, is " in finding.seen
    async with aob.open(tmp_path, app=Deed().handlers()) as app:
        run = await app.start("nap")
        async with asyncio.timeout(60):
            assert (await finished(app, run.id))["status"] == "COMPLETED"
        assert (await app.views.health())["clock"]["step"]["by_ms"] < -3_000_000


# -- numbers, alerts and webhooks go by the same time

HITS = """
event: hit
version: 1
fields: {n: integer}
---
metric: hits
version: 1
type: count
moves: [{on: hit}]
windows: [all, 1m]
---
alert: soon
metric: hits
window: all
when: value > 0
for: 300ms
---
alert: later
metric: hits
window: all
when: value > 0
for: 30m
"""


def hit(n: int = 1) -> dict[str, object]:
    return {"specversion": "1.0", "id": str(n), "type": "hit", "source": "test", "data": {"n": n}}


class Turns:
    """What alerts turned to, told at each commit."""

    def __init__(self, app: App) -> None:
        self._app, self._moved = app, Signal()
        feed = app.views.core.feed
        push = feed.push

        def pushed(commit: Any) -> None:
            push(commit)
            self._moved()

        feed.push = pushed  # type: ignore[method-assign]

    def of(self, name: str) -> list[str]:
        assert self._app.wiring is not None
        return [str(turn["what"]) for turn in self._app.wiring.alerting.state("default", name).history]

    async def until(self, name: str, what: str) -> None:
        await self._moved.until(lambda: what in self.of(name))

    async def pending(self, name: str) -> None:
        assert self._app.wiring is not None
        alerting = self._app.wiring.alerting
        await self._moved.until(
            lambda: any(i.phase == "pending" for i in alerting.state("default", name).instances.values())
        )


class Heard:
    """Somebody who follows a number."""

    def __init__(self) -> None:
        self.values, self.moved = list[object](), Signal()

    def tell(self, watched: object, answer: dict[str, object]) -> None:
        self.values.append(answer["value"])
        self.moved()


async def test_a_clock_that_is_set_back_holds_up_no_alert_and_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"hits.yaml": HITS})
        turns, before_ms = Turns(app), app.views.core.time_ms()
        await app.ingest([hit()])
        await turns.pending("soon")
        hands.step_ns = -HOUR_NS
        await turns.until("soon", "firing")
        assert app.views.core.time_ms() >= before_ms
        assert "firing" not in turns.of("later")
        told = await app.metrics.silence_alert(app.who, "soon", until_ms=app.views.core.time_ms() + 60_000)
        assert told["silenced_until"] is not None
        assert (await app.ingest([hit(2)]))["accepted"] == 1
        assert (await app.metric("hits", window="1m"))["value"] == 2


async def test_what_a_step_forward_makes_due_happens_at_once_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"hits.yaml": HITS})
        turns, heard = Turns(app), Heard()
        await app.ingest([hit()])
        assert app.wiring is not None
        app.wiring.watches.add("default", MetricQuery("hits", window="1m"), heard.tell)
        await turns.pending("later")
        assert heard.values == [1]
        hands.step_ns = HOUR_NS
        await turns.until("later", "firing")
        await heard.moved.until(lambda: heard.values[-1] == 0)
        hands.step_ns = 0  # and back again: time goes on, slower
        await turns.until("soon", "firing")
        assert [each for each in turns.of("later") if each == "firing"] == ["firing"]
        assert heard.values == [1, 0]
