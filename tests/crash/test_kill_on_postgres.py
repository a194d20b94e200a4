"""`aob up` on Postgres: killed under load, its server restarted, away at the start, in the middle, for long. Starts are
noted outside as they are answered, and so is what handlers did."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import psycopg
import pytest

from aob.client import AsyncClient
from aob.client.place import find_place
from aob.core.errors import AobError, Unavailable
from tests.crash.live_load import moment, paced
from tests.runs.home import flow, fn
from tests.servers.fixtures import SERVICE, Schema, dropped, made_schema
from tests.servers.forks import Fork, begun
from tests.servers.ports import free_port
from tests.servers.postgres import Server

pytestmark = pytest.mark.timeout(120)
APP: Final = str(Path(__file__).with_name("ledger_app.py"))
ONCE: Final = {"attempts": 1}
"""No retry: one failed attempt would be the end of a run."""
FLOW: Final = flow(
    "w", {
        "a": fn("noted", input={"n": "inputs.n"}, retry=ONCE), "nap": {"kind": "timer", "config": {"for": "20ms"}},
        "b": fn("noted", input={"n": "inputs.n"}, retry=ONCE),
    }, "a>nap", "nap>b",
)  # fmt: skip


@asynccontextmanager
async def upped(home: Path, port: int, schema: Schema, *, waits: bool = True) -> AsyncIterator[Fork]:
    """`aob up` with the handlers, once it takes requests."""
    words = ["up", "--json", "--home", str(home), "--port", str(port), "--app", APP]
    env = {**os.environ, "AOB_STORE": schema.url, "AOB_TEST_LEDGER": str(home.parent / "ledger")}
    process = await begun(words, env)
    try:
        assert process.stdout is not None
        if waits:
            said = await process.stdout.readline()
            assert b"url" in said, said
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Load:
    """Starts runs under keys; `answered` is what the platform said yes to."""

    def __init__(self) -> None:
        self.answered: dict[int, str] = {}
        self.asked = 0
        self.told: dict[str, list[int]] = {}
        """The numbers of the events of each run that was looked at."""
        self._enough: tuple[int, asyncio.Event] | None = None

    async def until(self, more: int) -> None:
        """So many more are answered."""
        self._enough = (len(self.answered) + more, asyncio.Event())
        await self._enough[1].wait()

    async def lane(self, client: AsyncClient, *, goes_on: bool) -> None:
        """Starts until the home is gone; one that `goes_on` asks again while its store is away."""
        while True:
            self.asked += 1
            number = self.asked
            while True:
                try:
                    await self.start(client, number)
                    await paced()
                    break
                except (Unavailable, httpx.HTTPError):
                    if not goes_on:
                        return

    async def start(self, client: AsyncClient, number: int) -> None:
        run_id = (await client.start("w", {"n": number}, key=f"k{number}"))["run_id"]
        assert self.answered.setdefault(number, run_id) == run_id, "a start was forgotten"
        if self._enough is not None and len(self.answered) >= self._enough[0]:
            self._enough[1].set()

    async def settled(self, client: AsyncClient, ledger: Path) -> None:
        """Everything that was answered ends well, each visit succeeds once, and its handler did work."""
        for number in range(1, self.asked + 1):
            await self.start(client, number)
        await self.ended_well(client, self.answered.values())
        done = {line.partition(" ")[2] for line in (await asyncio.to_thread(ledger.read_text)).splitlines()}
        assert {f"{run} {visit}" for run in self.answered.values() for visit in ("a", "b")} <= done

    async def ended_well(self, client: AsyncClient, run_ids: Iterable[str]) -> None:
        """These runs are completed, each visit by one success."""
        for run_id in run_ids:
            run = await client.wait(run_id)
            assert run["status"] == "COMPLETED", run["error"]
            told = [each async for each in client.timeline(run_id)]
            successes = Counter(each["visit"] for each in told if each["type"] == "node_completed")
            assert successes == dict.fromkeys(("a", "nap", "b"), 1), told
            self.told[run_id] = [each["seq"] for each in told]


@pytest.fixture
def schema(postgres_url: str) -> Iterator[Schema]:
    made = made_schema(postgres_url, 2)
    yield made
    dropped(made)


@asynccontextmanager
async def loaded(home: Path, port: int, schema: Schema, load: Load, *, goes_on: bool) -> AsyncIterator[Any]:
    """A home with six lanes of starts: the process, and a client."""
    async with upped(home, port, schema) as process:
        key = find_place(home).key
        client = await AsyncClient(f"http://127.0.0.1:{port}", key=key).__aenter__()
        await client.push(FLOW)
        lanes = [asyncio.create_task(load.lane(client, goes_on=goes_on)) for _ in range(6)]
        try:
            yield process, client, lanes
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            await client.__aexit__(None, None, None)


async def test_a_restart_of_the_server_makes_work_wait(tmp_path: Path, own_server: Server) -> None:
    home, port, load, schema = tmp_path / "home", free_port(), Load(), made_schema(own_server.url, 2)
    async with loaded(home, port, schema, load, goes_on=True) as (_, client, _):
        await load.until(20)
        for how in (signal.SIGINT, signal.SIGQUIT):
            await asyncio.to_thread(own_server.stop, how)
            await degraded(client)
            assert await status(port, "/health/live") == 200, "liveness never asks the database"
            while await status(port, "/health/ready") != 503:  # a shard that wrote nothing since looks each half second
                await moment()
            await asyncio.to_thread(own_server.start)
            await load.until(20)
            assert await status(port, "/health/ready") == 200
    async with upped(home, port, schema), AsyncClient.of_home(home) as client:
        await load.settled(client, tmp_path / "ledger")


async def test_while_others_have_all_connections_of_the_server_work_waits(tmp_path: Path, own_server: Server) -> None:
    home, port, load, schema = tmp_path / "home", free_port(), Load(), made_schema(own_server.url, 2)
    with psycopg.connect(own_server.url, autocommit=True) as owner:
        async with loaded(home, port, schema, load, goes_on=True) as (_, client, lanes):
            await load.until(10)
            owner.execute(f"alter role {SERVICE} connection limit 0")  # the same answer as with no place left at all
            try:
                owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (SERVICE,))
                await degraded(client)
            finally:
                owner.execute(f"alter role {SERVICE} connection limit -1")
            await load.until(10)
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            await load.settled(client, tmp_path / "ledger")


async def test_a_home_whose_server_is_away_at_the_start_waits_for_it(tmp_path: Path, own_server: Server) -> None:
    home, port, schema = tmp_path / "home", free_port(), made_schema(own_server.url, 1)
    await asyncio.to_thread(own_server.stop)
    async with upped(home, port, schema, waits=False) as process:
        while await status(port, "/health/live") != 200:
            assert process.returncode is None
            await moment()
        answer = await asked(port, "/v1/health")
        assert answer is not None
        assert answer.status_code == 503
        assert "waiting for the database" in answer.text
        await asyncio.to_thread(own_server.start)
        assert process.stdout is not None
        assert msgspec.json.decode(await process.stdout.readline())["url"]
        assert await status(port, "/health/ready") == 200


async def degraded(client: AsyncClient) -> None:
    """Wait until health says that the store is away. A shard or the numbers may say so first: what the store itself
    says is as it was half a second ago."""
    while True:
        with suppress(AobError):
            told: Any = await client.health()
            if told["store"]["status"] == "store_away":
                assert told["status"] != "ok", told
                return
        await moment()


async def asked(port: int, path: str) -> httpx.Response | None:
    """An answer without a key; None while nobody listens."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        with suppress(httpx.HTTPError):
            return await http.get(f"http://127.0.0.1:{port}{path}")
    return None


async def status(port: int, path: str) -> int:
    """The status of a probe; 0 while nobody listens."""
    answer = await asked(port, path)
    return 0 if answer is None else answer.status_code


async def test_a_second_process_is_told_who_has_the_shards(tmp_path: Path, schema: Schema) -> None:
    async with upped(tmp_path / "one", free_port(), schema) as first:
        address = find_place(tmp_path / "one").url
        second = await ended(tmp_path / "two", schema)
        assert b"is in use by the process at " + address.encode() in second, second
        assert b"Traceback" not in second
        assert b"of-the-tests" not in second
        assert await status(int(address.rpartition(":")[2]), "/health/ready") == 200
        first.send_signal(signal.SIGTERM)
        assert await first.wait() == 0
    async with upped(tmp_path / "two", free_port(), schema):
        pass  # nothing to wait for: the first one gave all back


async def ended(home: Path, schema: Schema) -> bytes:
    """What a start says that fails."""
    words = [sys.executable, "-m", "aob.cli", "up", "--home", str(home), "--port", "0"]
    process = await asyncio.create_subprocess_exec(*words, stderr=PIPE, env={**os.environ, "AOB_STORE": schema.url})
    _, said = await process.communicate()
    assert process.returncode not in (0, None)
    return said
