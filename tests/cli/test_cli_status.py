"""`aob status` and `aob top`: what they show, their exit codes, the rates between two answers, and the keys."""

import asyncio
import copy
import io
import re
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.cli.commands.status.rates import percentile, rates
from aob.cli.commands.status.shown import ranges, size
from aob.cli.commands.status.top import SHOWS, View, _live
from aob.cli.screen import Screen
from aob.compose.status.troubles import troubles_of
from aob.core.errors import Unavailable
from aob.core.status import HomeStatus
from aob.ports.telemetry import EDGES_S
from tests.cli.conftest import Terminal
from tests.server.fake import FakeEngine


def told(at: int = 1_000, **other: Any) -> HomeStatus:
    """A cluster of two members, as the verb answers."""
    stage = {"count": 4, "units": 8, "errors": 0, "seconds": 0.1, "buckets": [4, *[0] * len(EDGES_S)]}
    shard = {"status": "ok", "address": "10.0.0.1:9100", "term": 3, "lease_left_ms": 9_000, "partitions": 32,
             "epoch": 3, "row": 100, "streams": 7, "timers": 1, "undelivered": 0, "waiting": 0, "uncounted": 2,
             "events": 50, "commits": 20}  # fmt: skip
    return msgspec.convert({
        "at": at, "home": "shop", "release": "1", "rules": 3, "log": {
            "status": "ok", "partitions": 64, "rows": 9, "waiting_bytes": 0,
            "followers": [{"name": "webhooks", "behind": 3, "of": "messages", "waits_for": {"secret_missing": 1}}],
        },
        "members": [
            {"id": name, "address": f"10.0.0.{n}:9100", "grpc": "", "roles": ["coordinator"], "release": "1",
             "rules": 3, "lease_left_ms": 8_000, "leaving": False} for n, name in ((1, "one"), (2, "two"))
        ],
        "processes": [{"host": "a", "pid": 1, "up_s": 5.0, "cpu_s": 1.0, "memory_bytes": 5_000_000, "shards": [0]}],
        "shards": [{**shard, "shard": 0, "owner": "one"}, {**shard, "shard": 1, "owner": "two"}],
        "workers": [{"name": "w1", "tenant": "", "build": "b1", "handlers": ["pay"], "labels": {"gpu": "yes"},
                     "slots": 4, "jobs": 2, "done": 9, "state": "attached"}],
        "queues": [{"handler": "pay", "build": "", "labels": {}, "waiting": 5, "oldest_s": 2.5}],
        "stores": [{"name": "store", "kind": "postgresql", "address": "postgresql://aob@db/shop", "version": "15.1",
                    "bytes": 12_345_678, "status": "ok", "latency_ms": 0.31}],
        "days": [], "clock": {"behind_ms": 0, "skew_ms": 0}, "counts": {"starts": 10, "steps": 50, "events": 3},
        "stages": {"commit": stage}, "edges_s": list(EDGES_S), "troubles": [], **other,
    }, HomeStatus)  # fmt: skip


TROUBLE = {"what": "shard 1", "how": "problem", "detail": "shard_down", "hint": "start a coordinator"}


@pytest.fixture
def tells(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the server answers, one after the other; the last one again and again."""
    answers: list[Any] = [told()]

    async def status(who: object) -> HomeStatus:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return copy.deepcopy(answer)

    monkeypatch.setattr(engine, "status", status, raising=False)
    return answers


async def test_it_shows_all_sections_and_exits_with_0(aob: Terminal, tells: list[Any]) -> None:
    done = await aob("status")
    assert done.code == 0, done.err
    for words in ("home shop", "10.0.0.2:9100", "gpu=yes", "12.3 MB", "0.31 ms", "1 wait: secret_missing",
                  "webhooks", "5        2.5 s", "\nok\n"):  # fmt: skip
        assert words in done.out, words


async def test_a_problem_is_the_exit_code_and_the_last_lines(aob: Terminal, tells: list[Any]) -> None:
    tells[:] = [told(troubles=[TROUBLE])]
    done = await aob("status")
    assert done.code == 1
    assert done.out.splitlines()[-2:] == ["problem  shard 1: shard_down", "         start a coordinator"]
    tells[:] = [told(troubles=[{**TROUBLE, "how": "note"}])]
    assert (await aob("status")).code == 0


async def test_json_is_the_answer_of_the_server(aob: Terminal, tells: list[Any]) -> None:
    assert (await aob("status", "--json")).json == msgspec.to_builtins(told())


async def test_a_caller_without_the_right_gets_one_line(aob: Terminal, url: str) -> None:
    aob.env["AOB_KEY"] = "none"
    done = await aob("status")
    assert done.code != 0
    assert "Traceback" not in done.err + done.out


async def test_top_prints_rates_once_where_there_is_no_terminal(aob: Terminal, tells: list[Any]) -> None:
    later = told(3_000, counts={"starts": 30, "steps": 50, "events": 3})
    tells[:] = [told(), later]
    done = await aob("top", "--once", "--every", "100ms")
    assert done.code == 0, done.err
    assert re.search(r"starts +10.0/s", done.out)
    tells[:] = [told(), later]
    done = await aob("top", "--once", "--every", "100ms", "--json")
    assert done.json["counts"]["starts"] == 10.0
    assert done.json["troubles"] == []


class Answers:
    """A client that answers, and presses keys."""

    def __init__(self, view: View, *steps: Any) -> None:
        self.view, self.steps = view, list(steps)
        self.screens = list[str]()

    async def status(self) -> HomeStatus:
        step = self.steps.pop(0) if self.steps else "q"
        if isinstance(step, Exception):
            raise step
        if isinstance(step, str):
            self.view.press(step)
            return told(2_000)
        answer: HomeStatus = step
        return answer


async def drawn(*steps: Any, keys: str = "") -> str:
    view, out = View(100), io.StringIO()
    for key in keys:
        view.press(key)
    screen = Screen(out, io.StringIO(), colour=True)
    assert await _live(Answers(view, *steps), view, screen) == 0  # type: ignore[arg-type]
    return out.getvalue()


async def test_the_picture_is_drawn_until_q_and_says_when_the_server_is_away() -> None:
    text = await drawn(told(), told(2_000), Unavailable("the server is starting", code="starting"), told(3_000))
    assert "the server is starting" in text
    assert "\x1b[?1049l" in text, "the screen is as before"


@pytest.mark.parametrize("key", SHOWS)
async def test_a_key_hides_sections(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "80")
    assert await drawn(told()) != await drawn(told(), keys=key)


async def test_keys_change_what_is_shown_and_how_often() -> None:
    view = View(1_000)
    view.press("+")
    assert view.every_ms == 500
    for _ in range(20):
        view.press("-")
    assert view.every_ms == 60_000
    view.press("p")
    assert view.paused
    view.press("\x1b")
    assert not view.over
    view.press("q")
    async with asyncio.timeout(5):
        waiting = asyncio.create_task(view.pause())
        await asyncio.sleep(0)
        view.press("q")
        await waiting
    assert view.over


@given(st.lists(st.integers(0, 50), min_size=len(EDGES_S) + 1, max_size=len(EDGES_S) + 1), st.integers(1, 100))
def test_a_percentile_is_an_edge_under_which_so_many_are(buckets: list[int], percent: int) -> None:
    edge = percentile(buckets, EDGES_S, percent)
    total = sum(buckets)
    if edge is None:
        assert not total or sum(buckets[:-1]) < total * percent / 100
        return
    at = EDGES_S.index(edge)
    assert sum(buckets[: at + 1]) >= total * percent / 100 > sum(buckets[:at]), "the first one"


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 10_000))
def test_no_rate_is_negative_also_over_a_restart(before: int, now: int, later_ms: int) -> None:
    old, new = told(counts={"starts": before}), told(1_000 + later_ms, counts={"starts": now})
    old["stages"]["commit"]["count"] = 10
    old["processes"][0]["cpu_s"] = 9.0
    at = rates(old, new)
    assert at.counts["starts"] >= 0
    assert all(share >= 0 for share in at.cpu.values())
    assert all(speed.per_s >= 0 for speed in at.stages.values())


@given(st.sets(st.integers(0, 40)))
def test_ranges_name_each_number_once(numbers: set[int]) -> None:
    found: list[int] = []
    for part in ranges(sorted(numbers)).split():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    assert found == sorted(numbers)


def test_sizes_are_for_people() -> None:
    assert [size(n) for n in (None, 0, 999, 1_000, 12_345_678, 10**15)] == [
        "", "0 B", "999 B", "1.0 kB", "12.3 MB", "1000 TB",
    ]  # fmt: skip


async def test_the_route_needs_admin(url: str, engine: FakeEngine) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/v1/status")).status_code == 401


def test_a_member_without_a_port_for_workers_is_told_where_others_have_one() -> None:
    answer = told()
    assert not [each for each in troubles_of(answer) if "workers" in each["detail"]]
    answer["members"][0]["grpc"] = "10.0.0.1:7700"
    (found,) = [each for each in troubles_of(answer) if "takes no workers" in each["detail"]]
    assert (found["what"], found["how"]) == ("member 10.0.0.2:9100", "note")
    assert "AOB_GRPC_PORT" in found["hint"]
