"""Two `aob up` on one database: when one is killed or stopped under load, the other takes over after its lease. Nothing
acknowledged is lost, and one that was stopped for longer than its lease answers and begins nothing any more."""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from aob.client import AsyncClient
from aob.client.place import find_place
from tests.crash.test_kill_on_postgres import Load, loaded, upped
from tests.servers.fixtures import Schema, dropped, made_schema
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def schema(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schema]:
    monkeypatch.setenv("AOB_LEASE_S", "3")
    made = made_schema(postgres_url, 3)
    yield made
    dropped(made)


async def test_another_takes_over_from_one_that_is_killed(tmp_path: Path, schema: Schema) -> None:
    """The same home takes over once, then one of another folder."""
    one, two, dice, load = tmp_path / "one", tmp_path / "two", random.Random(7), Load()
    for _ in range(2):
        async with loaded(one, free_port(), schema, load, goes_on=False) as (process, _, lanes):
            await load.until(dice.randrange(20, 60))
            process.kill()
            await process.wait()
            await asyncio.gather(*lanes)
    async with upped(two, free_port(), schema), AsyncClient.of_home(two) as client:
        await load.settled(client, tmp_path / "ledger")
    assert not list(one.glob("*.db")), "nothing that must last is in the folder"


async def test_one_that_was_stopped_for_longer_than_its_lease_does_nothing_any_more(
    tmp_path: Path, schema: Schema
) -> None:
    """The other is a copy of its folder. The one that was stopped ends by itself."""
    one, two, ports, load = tmp_path / "one", tmp_path / "two", (free_port(), free_port()), Load()
    ledger = tmp_path / "ledger"
    async with loaded(one, ports[0], schema, load, goes_on=False) as (process, _, lanes):
        await load.until(40)
        run_id = next(iter(load.answered.values()))
        shutil.copytree(one, two, ignore=shutil.ignore_patterns("lock", "server.json", "*.lock"))
        os.kill(process.pid, signal.SIGSTOP)
        asking = [asyncio.create_task(read(ports[0], find_place(one).key, run_id)) for _ in range(4)]
        async with upped(two, ports[1], schema), AsyncClient.of_home(two) as now:
            for number in range(1, 11):
                await load.start(now, load.asked + number)
            load.asked += 10
            before = ledger.read_text().splitlines()
            os.kill(process.pid, signal.SIGCONT)
            assert await process.wait() != 0
            assert not {200} & set(await asyncio.gather(*asking)), "it answered a read"
            await asyncio.gather(*lanes)
            await load.settled(now, ledger)
        late = [line for line in ledger.read_text().splitlines()[len(before) :] if line.startswith(f"{process.pid} ")]
        assert len(late) <= 1, "at most the job that was at work when it was stopped"


async def read(port: int, key: str, run_id: str) -> int:
    """The status of a read; 0 without an answer."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        with suppress(httpx.HTTPError):
            answer = await http.get(f"http://127.0.0.1:{port}/v1/runs/{run_id}", headers={"x-api-key": key})
            return answer.status_code
    return 0
