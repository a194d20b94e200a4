"""`make cluster`, whole but small: real processes that are ready, die, come back, end, and go on with the same data."""

import asyncio
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from aob.client import AsyncClient
from tests.servers.postgres import NoServerError, account, binaries, birth
from tests.worker.polling import until
from tools.cluster import Cluster, Wishes
from tools.cluster.folder import Folder, InUseError
from tools.cluster.process import Process, Spec

pytestmark = pytest.mark.timeout(180)
SMALL = Wishes(1, 1, 1, metrics=False, fanouts=0, shards=2, lease_s=2)
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
            for name in ("worker-1", "api-1", "postgres"):
                process = cluster[name]
                starts = process.starts
                process.send(signal.SIGKILL)
                await back(process, starts)
                await priced(client)
        assert [name for name, _ in said] == ["worker-1", "api-1", "postgres"]
        if cluster.authority:
            await reached(cluster)
        first = (cluster.url, cluster.key)
    assert not [pid for pid in pids if birth(pid)], "everything has ended"
    async with Cluster(folder, SMALL) as cluster, AsyncClient(cluster.plan.api_url(1), cluster.key) as client:
        assert (cluster.url, cluster.key) == first
        await priced(client)


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
