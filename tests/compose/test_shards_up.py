"""`aob up --shards 2`: the main process and its owner as a command, over HTTP, and what is left when one is killed."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from aob.client import AsyncClient, Event
from aob.compose.lock import owning
from aob.core.errors import AobError, Conflict
from tests.compose.shard_home import COUNT, HANDLERS, WAIT, kill, shard_of
from tests.servers.forks import Fork, begun

pytestmark = pytest.mark.timeout(90)


@asynccontextmanager
async def upped(home: Path, *words: str) -> AsyncIterator[tuple[Fork, AsyncClient]]:
    """The command, once it takes requests, and a client of it."""
    process = await begun(["up", "--json", "--home", str(home), "--port", "0", "--app", HANDLERS, *words], os.environ)
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert line, "it ended before it took requests"
        async with AsyncClient.of_home(home) as client:
            assert client.url == msgspec.json.decode(line)["url"]
            yield process, client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


async def owner_of(client: AsyncClient) -> int:
    """The process of the second shard."""
    await client.push(COUNT | {"workflow": "where"} | {"nodes": {"n": {"kind": "function", "config": {
        "handler": "says"}}}, "edges": {}})  # fmt: skip
    while True:
        run_id = (await client.start("where"))["run_id"]
        if shard_of(run_id, 2) == 1:
            return int((await client.wait(run_id))["nodes"]["n"]["output"])


async def started(client: AsyncClient, shard: int) -> str:
    """A run of `wait` in this shard: the client makes a key for each start, and the key says where it lies."""
    while True:
        run_id = (await client.start("wait"))["run_id"]
        if shard_of(run_id, 2) == shard:
            return run_id


async def gone(home: Path) -> None:
    """Wait until the owner has let go of the second shard."""

    def take() -> None:
        while True:
            try:
                with owning(home, "shard-1.lock"):
                    return
            except Conflict:
                continue

    async with asyncio.timeout(20):
        await asyncio.to_thread(take)


async def test_it_serves_two_shards_and_remembers_how_many(tmp_path: Path) -> None:
    async with upped(tmp_path, "--shards", "2") as (_, client):
        await client.push(COUNT)
        items = [{"workflow": "count", "inputs": {"n": n}} for n in range(300)]
        verdicts = [verdict async for verdict in client.start_many(items)]
        assert {shard_of(verdict["run_id"], 2) for verdict in verdicts} == {0, 1}
        for at in (0, 299):
            assert (await client.wait(verdicts[at]["run_id"]))["nodes"]["n2"]["output"] == at + 3
        owner = await owner_of(client)
        assert len((await client.health())["shards"]) == 2  # type: ignore[typeddict-item]
    with pytest.raises(ProcessLookupError):
        os.kill(owner, 0)
    async with upped(tmp_path) as (_, client):
        assert (await client.run(verdicts[299]["run_id"]))["status"] == "COMPLETED"
    refused = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aob.cli", "up", "--home", str(tmp_path), "--port", "0", "--shards", "3", stderr=PIPE
    )
    _, said = await refused.communicate()
    assert refused.returncode
    assert b"2 shards" in said


async def test_when_the_main_process_is_killed_its_owners_end_and_nothing_is_lost(tmp_path: Path) -> None:
    async with upped(tmp_path, "--shards", "2") as (process, client):
        await client.push(COUNT)
        await owner_of(client)
        items = [{"workflow": "count", "inputs": {"n": n}} for n in range(400)]
        verdicts = [verdict async for verdict in client.start_many(items)]
        process.kill()
        await process.wait()
        await gone(tmp_path)
    async with upped(tmp_path) as (_, client):
        for verdict in verdicts[::37]:
            assert (await client.wait(verdict["run_id"]))["status"] == "COMPLETED"
        page = await client.runs(workflow="count", limit=500)
        assert {row["run_id"] for row in page["runs"]} == {verdict["run_id"] for verdict in verdicts}


async def test_readers_go_on_by_their_last_position_over_both_shards(tmp_path: Path) -> None:
    async with upped(tmp_path, "--shards", "2") as (_, client):
        await client.push(WAIT)
        begin = (await client.health())["position"]  # type: ignore[typeddict-item]
        runs = [await started(client, shard) for shard in (0, 1) * 3]
        owner = await owner_of(client)
        kill(owner)
        for run_id in runs:
            while True:
                answer = await client._http.post(f"/v1/runs/{run_id}/messages", json={"name": "go", "id": "m1"})
                if answer.status_code == 200:
                    break
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "1"
                await asyncio.sleep(0)
        whole = await read(client, begin, 6, runs)
        for at in range(0, len(whole) - 1, 3):
            rest = await read(client, whole[at].position, sum(e.name == "run_finished" for e in whole[at + 1 :]), runs)
            have = {(e.data["run"], e.data["seq"]) for e in whole[: at + 1]}
            told = [(e.data["run"], e.data["seq"]) for e in rest]
            assert len(told) == len(set(told))
            assert have.isdisjoint(told)
            assert have | set(told) == {(e.data["run"], e.data["seq"]) for e in whole}


async def read(client: AsyncClient, position: str, ends: int, runs: list[str]) -> list[Event]:
    """Events of `wait` runs after a position until so many have ended."""
    found: list[Event] = []
    feed = client.follow(position=position)
    async with asyncio.timeout(30):
        async for event in feed:
            if event.data["run"] in runs:
                found.append(event)
            if sum(each.name == "run_finished" for each in found) == ends:
                break
    await feed.aclose()  # type: ignore[attr-defined]
    return found


async def test_a_home_that_is_up_is_not_opened_again(tmp_path: Path) -> None:
    async with upped(tmp_path, "--shards", "2") as (_, client):
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "aob.cli", "up", "--home", str(tmp_path), "--port", "0", stderr=PIPE
        )
        _, said = await second.communicate()
        assert second.returncode
        assert client.url.encode() in said
        async with httpx.AsyncClient() as stranger:
            assert (await stranger.get(client.url + "/v1/runs")).status_code == 401


async def test_settings_that_are_pushed_count_in_the_owner_of_a_further_shard(tmp_path: Path) -> None:
    home = tmp_path / "home"
    patch = {"operations": [{"op": "add_node", "id": "x", "node": {"kind": "timer", "config": {"for": "1s"}}}]}
    async with upped(home, "--shards", "2") as (_, client):
        await client.push(WAIT)
        assert await refusal(client, await started(client, 1), patch) == ""
        await client.push_settings(settings={"patches": {"forbidden_kinds": ["timer"]}})
        async with asyncio.timeout(20):
            while (told := await refusal(client, await started(client, 1), patch)) != "invalid":
                assert told == ""
    async with upped(home, "--shards", "2") as (_, client):
        assert await refusal(client, await started(client, 1), patch) == "invalid"


async def refusal(client: AsyncClient, run_id: str, patch: dict[str, object]) -> str:
    """The code of what refuses a patch; empty when it is taken."""
    try:
        await client.propose(run_id, patch)
    except AobError as error:
        return error.code
    return ""
