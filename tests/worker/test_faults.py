"""Workers that die, sleep, lose their network or are stopped at work: every run ends, no visit succeeds twice, and the
ledger outside shows each effect `once`."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

pytest.importorskip("grpc")

import aob
from aob.compose import App, RunHandle
from aob.testing.proxy import WAYS, Proxy
from tests.runs.home import chain, kinds, ticket_of
from tests.worker.command import APP, Command
from tests.worker.polling import pause, until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need a Unix")

LEASE_MS = 1_500
RUNS = 16
ROUNDS = 2


class World:
    """A home in this process, and workers of it in others."""

    def __init__(self, app: App, folder: Path, key: str) -> None:
        self.app, self.folder, self.key = app, folder, key
        self.workers: list[Command] = []
        assert app.shared.gateway is not None
        self.address = app.shared.gateway.address

    async def worker(self, address: str = "") -> Command:
        words = str(APP), "--url", f"grpc://{address or self.address}", "--slots", "8"
        command = Command(self.folder, *words, key=self.key)
        self.workers.append(command)
        await asyncio.to_thread(command.until, "connected")
        return command

    async def under_way(self, count: int) -> None:
        """Waits until so many effects have happened."""
        await until(lambda: len(self.notes()) >= count)

    def notes(self) -> list[str]:
        ledger = self.folder / "ledger"
        return ledger.read_text().splitlines() if ledger.exists() else []

    def pid(self, command: Command) -> int:
        """The process that performs."""
        return int([each for each in command.seen if each["event"] == "loaded"][-1]["pid"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with aob.open(tmp_path / "home", grpc_port=0) as app:
        assert app.shared.gateway is not None
        app.shared.gateway.hub.lease_ms = LEASE_MS
        key = str((await app.views.create_key(app.who, "worker", ("work",), None))["secret"])
        made = World(app, tmp_path, key)
        try:
            yield made
        finally:
            for command in made.workers:
                if command.process.poll() is None:
                    command.process.kill()
                await asyncio.to_thread(command.ended)


async def held(world: World, runs: list[RunHandle]) -> None:
    """Every run ends: where a person is asked whether an effect has happened, the ledger answers."""
    app = world.app
    for run in runs:
        async with asyncio.timeout(60):
            while (told := await run.show())["status"] != "COMPLETED":
                assert told["status"] in ("RUNNING", "WAITING"), told["error"]
                if told["status"] == "WAITING":
                    ticket = await ticket_of(app, run.id, "uncertain")
                    happened = f"once {run.id}/c" in world.notes()
                    if happened:
                        await app.answer(ticket["ticket_id"], "done", values={"output": told["inputs"]})
                    else:
                        await app.answer(ticket["ticket_id"], "repeat")
                await pause(0.02)
        timeline = await app.views.timeline(app.who, run.id)
        assert kinds(timeline).count("node_completed") == 4, kinds(timeline)
    once = Counter(each for each in world.notes() if each.startswith("once"))
    assert once == {f"once {run.id}/c": 1 for run in runs}
    assert {each.split()[1] for each in world.notes() if each.startswith("keyed")} == {f"{run.id}/b" for run in runs}


async def through(world: World, fault: Callable[[Command], Awaitable[None]], address: str = "") -> None:
    """Runs under way while the fault happens, several times."""
    command = await world.worker(address)
    await world.app.push(chain("w", "computes", "keyed", "once", "computes"))
    runs: list[RunHandle] = []
    for _ in range(ROUNDS):
        before = len(world.notes())
        runs += [await world.app.start("w", number) for number in range(RUNS // ROUNDS)]
        await world.under_way(before + RUNS // ROUNDS)
        await fault(command)
    await held(world, runs)


async def test_killed_in_the_middle(world: World) -> None:
    async def kill(command: Command) -> None:
        pid = world.pid(command)
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(command.until, "connected", lambda facts: facts["pid"] != pid)

    await through(world, kill)


async def test_killed_with_its_keeper(world: World) -> None:
    async def kill(command: Command) -> None:
        world.workers[-1].process.kill()
        await world.worker()

    await through(world, kill)


async def test_stopped_for_longer_than_its_lease_and_continued(world: World) -> None:
    await world.worker()  # another, which takes over

    async def stop(command: Command) -> None:
        pid = world.pid(command)
        os.kill(pid, signal.SIGSTOP)
        await pause(1.5 * LEASE_MS / 1_000)
        os.kill(pid, signal.SIGCONT)
        await asyncio.to_thread(command.until, "connected")

    await through(world, stop)


@pytest.mark.parametrize("seed", [1, 2])
async def test_cut_off_by_the_network_at_any_byte(world: World, seed: int) -> None:
    dice = random.Random(seed)
    host, _, port = world.address.partition(":")
    async with Proxy(host, int(port)) as proxy:

        async def cut(command: Command) -> None:
            for _ in range(3):
                before = proxy.cuts
                proxy.cut_after(dice.choice(WAYS), dice.randint(1, 1_500))
                await until(lambda before=before: proxy.cuts > before)

        await through(world, cut, f"127.0.0.1:{proxy.port}")


async def test_half_open_for_longer_than_a_lease(world: World) -> None:
    host, _, port = world.address.partition(":")
    async with Proxy(host, int(port)) as proxy:

        async def hold(command: Command) -> None:
            proxy.hold("down")
            await pause(1.5 * LEASE_MS / 1_000)
            proxy.release()

        await through(world, hold, f"127.0.0.1:{proxy.port}")


async def test_stopped_in_order_while_another_begins(world: World) -> None:
    async def replace(command: Command) -> None:
        before = world.workers[-1]
        await world.worker()
        assert await asyncio.to_thread(before.end) == 0
        assert before.until("counted")["lost"] == 0

    await through(world, replace)
    assert "ticket_opened" not in str([await world.app.views.tickets(world.app.who)])
