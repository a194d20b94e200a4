"""A handler that ends the process of its shard's owner: the next owner knows nothing of what had begun there, so each
ready call counts before it begins again, and one that ends every owner fails in the end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.run import deciding
from aob.runs.dispatch import Dispatcher
from tests.runs.home import crashed, finished, flow, fn, kinds

LIVES = 3


class Lives:
    """Homes of which each is what a crash of the one before leaves, without the list of what was running there; `most`
    is how many may be at work. `begun` says which attempts began in the present one, `go` lets them end."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        self.folder, self.number, self.home = folder, 0, folder / "0"
        self.begun, self.go, self.began = Counter[str](), asyncio.Event(), asyncio.Event()
        begin = Dispatcher.begin

        async def cut_off(dispatch: Dispatcher, running: Any) -> None:
            dispatch.left_behind.most = most if self.number else 0
            await begin(dispatch, running)

        monkeypatch.setattr(Dispatcher, "begin", cut_off)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[App]:
        self.begun, self.go, self.began = Counter(), asyncio.Event(), asyncio.Event()
        begun, go, began = self.begun, self.go, self.began

        @aob.node(effect="none")
        async def ends(ctx: Any, value: object = None) -> object:
            begun[f"{value} {ctx.attempt}"] += 1
            began.set()
            await go.wait()
            return value

        async with aob.open(self.home, app=SimpleNamespace(ends=ends)) as app:
            yield app
            go.set()

    def dies(self, app: App) -> None:
        """The next life is that of another process."""
        self.number += 1
        self.home = crashed(app, self.folder / f"{self.number}")
        (self.home / "running-0").unlink()


async def test_a_visit_that_ends_every_owner_of_its_shard_fails_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "LOST_MAX", LIVES)
    lives = Lives(tmp_path, monkeypatch, 8)
    async with lives.opened() as app:
        await app.push(flow("w", {"a": fn("ends", input={"value": "'x'"})}))
        run = (await app.start("w")).id
        await lives.began.wait()
        lives.dies(app)
    for life in range(1, LIVES):
        async with lives.opened() as app:
            await lives.began.wait()
            assert lives.begun == {f"x {life + 1}": 1}, "it counts, and uses none of its retries"
            lives.dies(app)
    async with lives.opened() as app:
        ended = await finished(app, run)
        assert (ended["status"], ended["error"]["code"], lives.begun) == ("FAILED", "lost_too_often", {})


async def test_what_waited_for_its_turn_does_not_count_until_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = Lives(tmp_path, monkeypatch, 1)
    async with lives.opened() as app:
        await app.push(flow("w", {"a": fn("ends", input={"value": "inputs.n"})}, inputs={"n": "string"}))
        runs = [(await app.start("w", {"n": name})).id for name in "xyz"]
        await lives.began.wait()
        lives.dies(app)
    async with lives.opened() as app:
        await lives.began.wait()
        ((begun, count),) = lives.begun.items()
        assert (begun[2:], count) == ("2", 1), "one is counted and began; two wait"
        left = [app.views.core.journal.streams[run].state.tokens["a"] for run in runs]
        assert sorted(token.crashes for token in left) == [0, 0, 1]
        await app.views.cancel(app.who, runs[0])
        lives.go.set()
        ended = [await finished(app, run) for run in runs]
        assert Counter(run["status"] for run in ended)["COMPLETED"] >= 2
        assert all(count == 1 for count in lives.begun.values())
        again = await app.start("w", {"n": "new"})
        assert kinds(await app.views.timeline(app.who, (await again.done())["run_id"])).count("attempt_lost") == 0
        assert not app.views.core.dispatch.left_behind


async def test_what_is_given_up_in_order_counts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lives = Lives(tmp_path, monkeypatch, 0)
    async with lives.opened() as app:
        await app.push(flow("w", {"a": fn("ends")}))
        run = (await app.start("w")).id
        await lives.began.wait()
        lives.dies(app)
    async with lives.opened() as app:
        await lives.began.wait()
        assert lives.begun == {"{} 1": 1}
        lives.go.set()
        assert (await finished(app, run))["status"] == "COMPLETED"
