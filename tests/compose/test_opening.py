"""The port while a home opens: 503 with progress until it is ready, a process that lives, and a stop in the middle."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import aob
from aob.backends.sqlite.store import SqliteStore
from aob.client import AsyncClient, find_place
from aob.compose.lock import owning
from aob.compose.serving import serve_home
from aob.compose.settings import read_settings
from aob.core.errors import Unavailable
from aob.core.opening import Opening
from tests.compose.shard_home import WAIT
from tests.runs.home import Deed, flow, fn

pytestmark = pytest.mark.timeout(40)
RUNS = 30
SLOW_OWNER = """
import os, sys
if sys.argv[0].endswith("shards/__main__.py") and os.environ.get("AOB_TEST_GATE"):
    open(os.environ["AOB_TEST_GATE"]).read()
"""


class Held:
    """A method of the store that waits at a gate."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self.gate, self.reached = asyncio.Event(), asyncio.Event()
        real = getattr(SqliteStore, method)

        async def held(store: SqliteStore, *args: Any, **named: Any) -> Any:
            self.reached.set()
            await self.gate.wait()
            return await real(store, *args, **named)

        monkeypatch.setattr(SqliteStore, method, held)


@asynccontextmanager
async def serving(home: Path, *app: str, shards: int = 0) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Event]]:
    """`aob up` in this process; the event is set once it is ready. Stopped by a signal, as a person would."""
    ready = asyncio.Event()
    settings = read_settings(home, {}, port=0, **({"shards": shards} if shards else {}))
    task = asyncio.create_task(serve_home(home, settings, app, lambda *_: ready.set(), lambda opening: None))
    try:
        yield task, ready
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await task


async def address(home: Path, task: asyncio.Task[None]) -> str:
    """Where it listens, said in the home before it is ready."""
    async with asyncio.timeout(20):
        while not (home / "server.json").exists():
            assert not task.done(), task
            await asyncio.sleep(0)
    return find_place(home).url


async def used(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A home that was up before, with runs that were cut off: its journal has rows after the last cut."""
    async with serving(home) as (_, ready):
        await ready.wait()
        async with AsyncClient.of_home(home) as client:
            await client.push(WAIT)
            return [(await client.start("wait"))["run_id"] for _ in range(RUNS)]


async def test_it_says_503_with_progress_until_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = await used(tmp_path, monkeypatch)
    held = Held(monkeypatch, "journal")
    async with serving(tmp_path) as (task, ready):
        url = await address(tmp_path, task)
        await held.reached.wait()
        async with httpx.AsyncClient(base_url=url) as plain:
            for method, path in (("GET", "/v1/health"), ("GET", "/health/ready"), ("POST", "/v1/runs"), ("GET", "/x")):
                answer = await plain.request(method, path)
                told = answer.json()
                assert (answer.status_code, told["code"]) == (503, "starting")
                assert answer.headers["content-type"] == "application/problem+json"
                assert int(answer.headers["retry-after"]) >= 1
                assert (told["phase"], told["done"]) == ("journal", 0)
            live = (await plain.get("/health/live")).json()
            assert (live["status"], live["opening"]["phase"]) == ("alive", "journal")
            assert not ready.is_set()

            async with AsyncClient.of_home(tmp_path) as client:
                waits = asyncio.Event()
                client.on_starting = lambda error: waits.set()
                asked = asyncio.create_task(client.run(runs[0]))
                await waits.wait()
                held.gate.set()
                await ready.wait()
                assert (await asked)["run_id"] == runs[0]
            # The connection that was refused belongs to the application now.
            assert (await plain.get("/v1/health")).json()["status"] == "ok"


async def test_a_client_gives_up_in_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await used(tmp_path, monkeypatch)
    held = Held(monkeypatch, "journal")
    async with serving(tmp_path) as (task, _):
        place = find_place(tmp_path) if await address(tmp_path, task) else None
        assert place is not None
        async with AsyncClient(place.url, place.key, timeout_s=0.01) as client:
            client._http.timeout = 20
            with pytest.raises(Unavailable) as error:
                await client.runs()
            assert error.value.code == "starting"
            assert error.value.fields["phase"]
        held.gate.set()


@pytest.mark.parametrize("method", ["take", "live", "journal", "timers", "tickets"])
async def test_a_stop_in_the_middle_ends_it_and_the_next_start_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    runs = await used(tmp_path, monkeypatch)
    with monkeypatch.context() as patch:
        held = Held(patch, method)
        async with serving(tmp_path) as (task, ready):
            url = await address(tmp_path, task)
            await held.reached.wait()
        assert not ready.is_set()
        assert not (tmp_path / "server.json").exists()
        async with httpx.AsyncClient() as plain:
            with pytest.raises(httpx.ConnectError):
                await plain.get(url)
        with owning(tmp_path):
            pass
    async with serving(tmp_path) as (_, ready):
        await ready.wait()
        async with AsyncClient.of_home(tmp_path) as client:
            assert {row["run_id"] for row in (await client.runs(limit=100))["runs"]} == set(runs)


async def test_a_home_of_several_shards_waits_for_its_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, gate, app = tmp_path / "home", tmp_path / "gate", tmp_path / "slow_owner.py"
    app.write_text(SLOW_OWNER)
    async with serving(home, shards=2) as (_, ready):
        await ready.wait()
    os.mkfifo(gate)
    monkeypatch.setenv("AOB_TEST_GATE", str(gate))
    for opens in (False, True):
        async with serving(home, str(app)) as (task, ready):
            url = await address(home, task)
            async with httpx.AsyncClient(base_url=url) as plain:
                told = (await plain.get("/v1/health")).json()
                assert (told["code"], type(told["phase"])) == ("starting", str)
                assert not ready.is_set()
                if opens:
                    await asyncio.to_thread(lambda: gate.open("w").close())
                    await ready.wait()
                    assert (await plain.get("/v1/health")).json()["status"] == "ok"
        assert ready.is_set() is opens


async def test_the_tail_of_the_journal_is_counted_and_holds_the_loop_in_short_stretches(
    tmp_path: Path, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aob.journal.recovery.AT_A_STRETCH", 10)
    seen: list[tuple[str, int, int]] = []

    class Watched(Opening):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            seen.append((self.phase, self.done, self.of))

    monkeypatch.setattr("aob.journal.journal.Opening", Watched)
    monkeypatch.setattr("aob.compose.app.Opening", Watched)
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("w", {"a": fn("gated")}))
        for n in range(RUNS):
            await app.start("w", n)
        app.views.core.journal._cutter.begin = lambda *_: None  # type: ignore[method-assign]
        deed.release()
    seen.clear()
    async with aob.open(tmp_path, app=deed.handlers()):
        pass
    rows = [(done, of) for phase, done, of in seen if phase == "journal"]
    assert rows[-1] == (rows[-1][1], rows[-1][1])
    assert all(done <= of for done, of in rows)
