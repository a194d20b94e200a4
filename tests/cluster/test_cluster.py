"""`make cluster`, whole but small: real processes that are ready, die, come back, end, and go on with the same data."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aob.client import AsyncClient
from tests.servers.postgres import NoServerError, account, binaries, birth
from tests.worker.polling import until
from tools.cluster import Cluster, Wishes
from tools.cluster.folder import Folder, InUseError
from tools.cluster.process import Process, Spec

pytestmark = pytest.mark.timeout(180)
AGENTS = Path(__file__).parent / "agents_app.py"
SMALL = Wishes(1, 1, 1, metrics=False, fanouts=0, shards=2, lease_s=2, agents=1, agents_app=AGENTS)
FLOW = {
    "workflow": "price",
    "nodes": {"rate": {"kind": "function", "config": {"handler": "rate"}, "input": {"country": "'DE'"}}}, "edges": {},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    try:
        binaries()
    except NoServerError as why:
        pytest.skip(str(why))
    yield tmp_path / "cluster"
    one = Folder(tmp_path / "cluster")
    one.remove()
    assert not one.database(account()).exists()


async def back(process: Process, starts: int) -> None:
    """Wait until a process that has ended is there again."""
    await until(lambda: process.starts > starts)
    await process.ready()


async def priced(client: AsyncClient) -> None:
    run = await client.wait((await client.start("price"))["run_id"])
    assert run["status"] == "COMPLETED", run


async def counted(client: AsyncClient, number: int) -> None:
    """The next record is handled by an agent, once, and so were all before it."""
    record = {"type": "order", "data": number, "subject": "ann", "id": f"order-{number}"}
    await client.produce("orders", [record])
    told: Any = {"records": []}
    async with asyncio.timeout(60):
        while len(told["records"]) < number:
            told = await client.consume("counts", from_offset=0, wait_ms=1_000)
    assert [each["data"] for each in told["records"]] == [[n, n] for n in range(1, number + 1)]


async def test_it_runs_what_dies_comes_back_and_the_next_one_goes_on(folder: Path) -> None:
    said: list[tuple[str, str]] = []
    async with Cluster(folder, SMALL, lambda name, what: said.append((name, what))) as cluster:
        pids = [each.pid for each in cluster.processes.values()]
        assert all(pids)
        with pytest.raises(InUseError):
            async with Cluster(folder, SMALL):
                pass
        async with AsyncClient(cluster.plan.api_url(1), cluster.key) as client:
            await client.push(FLOW)
            await priced(client)
            for topic in ("orders", "counts"):
                await client.create_topic(topic)
            await counted(client, 1)
            for name in ("worker-1", "agents-1", "api-1", "postgres"):
                process = cluster[name]
                starts = process.starts
                process.send(signal.SIGKILL)
                if name == "agents-1":
                    await counted(client, 2)
                await back(process, starts)
                await priced(client)
        assert [name for name, _ in said] == ["worker-1", "agents-1", "api-1", "postgres"]
        if cluster.authority:
            await reached(cluster)
        first = (cluster.url, cluster.key)
    assert not [pid for pid in pids if birth(pid)], "everything has ended"
    async with Cluster(folder, SMALL) as cluster, AsyncClient(cluster.plan.api_url(1), cluster.key) as client:
        assert (cluster.url, cluster.key) == first
        await priced(client)
        await counted(client, 3)


async def reached(cluster: Cluster) -> None:
    """The edge answers whoever trusts the authority of the cluster."""
    import httpx

    trust = ssl.create_default_context(cafile=str(cluster.authority))
    async with httpx.AsyncClient(verify=trust, trust_env=False) as http, asyncio.timeout(30):
        while (await http.get(f"{cluster.url}/health/ready")).status_code != 200:
            pass


async def test_one_that_keeps_dying_is_started_later_and_later(tmp_path: Path) -> None:
    said: list[str] = []
    process = Process(Spec("bad", "none", ("false",), {}, "word"), tmp_path / "log", lambda _, what: said.append(what))
    process.keep()
    await until(lambda: len(said) == 3)
    await process.stop()
    assert said == [f"ended (exit code 1); started again in {pause} s" for pause in ("0.25", "0.5", "1")]


def test_what_a_supervisor_left_when_it_was_killed_is_ended_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    left, other = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    try:
        os.kill(left.pid, signal.SIGSTOP)
        Folder(tmp_path).note({left.pid: birth(left.pid), other.pid: "another that had this number before"})
        with Folder(tmp_path).taken():
            assert left.wait() in (-signal.SIGTERM, -signal.SIGKILL)
            assert other.poll() is None
    finally:
        for each in (left, other):
            each.kill()
            each.wait()


def test_a_port_stays_the_same_while_it_is_free(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.taken():
        ports = {name: folder.port(name) for name in ("a", "b", "c")}
        assert len(set(ports.values())) == 3
        folder.save()
    assert (tmp_path / "cluster.json").stat().st_mode & 0o077 == 0, "passwords are for their owner"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports["b"]))
        taken.listen()
        again = Folder(tmp_path)
        with again.taken():
            now = {name: again.port(name) for name in ("a", "b", "c")}
            assert {name for name in ports if now[name] != ports[name]} == {"b"}
            assert now == {name: again.port(name) for name in now}, "asked once more it is the same"
