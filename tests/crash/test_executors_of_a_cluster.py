"""`aob serve worker` at an api of a cluster: it makes the requests of every coordinator, with the secrets of the
cluster, and what it has under way outlives a coordinator."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from aob.client import AsyncClient
from aob.compose import read_settings
from aob.compose.secrets import secret_keeping
from tests.crash.cluster import Cluster, cluster
from tests.crash.live_load import moment
from tests.crash.test_coordinators import SHARDS
from tests.crash.test_coordinators import schema as schema
from tests.runs.home import flow
from tests.servers.fixtures import Schema
from tests.work.peers import Peer, peer

RUNS: Final = 12
VALUE: Final = "t0ken-of-the-shop-1234"

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def staffed(folder: Path, schema: Schema, shop: Peer) -> AsyncIterator[tuple[Cluster, AsyncClient]]:
    """Two coordinators that perform no built-in kind themselves, and an api; a third may join."""
    for name in ("one", "two", "three"):
        (folder / name).mkdir()
        (folder / name / "aob.toml").write_text(f'[egress]\nprivate = ["127.0.0.1:{shop.port}"]\n')
    async with cluster(folder, schema) as made:
        made.env = {"AOB_GRPC_PORT": "0", "AOB_KINDS_WITHOUT_WORKER": "wait"}
        one, other = await asyncio.gather(made.member("one", app=""), made.member("two", app=""))
        await made.spread(SHARDS)
        env = {**os.environ, "AOB_STORE": schema.url}
        (folder / "keeping").mkdir()
        async with secret_keeping(folder / "keeping", read_settings(folder / "keeping", env), env) as kept:
            await kept.set("SHOP", VALUE, ("127.0.0.1",))
        client = await made.api(*(int(each.peers.rpartition(":")[2]) for each in (one, other)))
        yield made, client


def pays(shop: Peer, **more: Any) -> dict[str, Any]:
    headers = {"Authorization": "Bearer {secret:SHOP}"}
    return {"kind": "http", "config": {"url": shop.url + "/pay", "method": "POST", "headers": headers}, **more}


async def completed(client: AsyncClient, ids: list[str]) -> None:
    for run_id in ids:
        run = await client.wait(run_id)
        assert (run["status"], run["output"]) == ("COMPLETED", 17), run["error"]


async def test_requests_under_way_outlive_their_coordinators_and_the_next_executor_follows_one_that_is_killed(
    tmp_path: Path, schema: Schema
) -> None:
    go = asyncio.Event()

    async def answers(writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n17")
        await writer.drain()

    async with peer() as shop:
        shop.answers["/pay"] = answers
        async with staffed(tmp_path, schema, shop) as (made, client):
            first = await made.executor(made.urls[0])
            await client.push(flow("g", {"a": pays(shop)}))
            ids = [(await client.start("g", {}))["run_id"] for _ in range(RUNS)]
            await shop.asked(RUNS)
            ended = (await made.main()).process
            ended.terminate()
            assert await ended.wait() == 0
            await made.spread(SHARDS)
            await made.member("three", app="")
            await made.spread(SHARDS)
            killed = (await made.main()).process
            killed.kill()
            await killed.wait()
            await made.spread(SHARDS)
            go.set()
            await completed(client, ids)
            keys = Counter(asked.headers["idempotency-key"] for asked in shop.requests)
            assert len(keys) == RUNS
            assert set(keys.values()) == {1}, "each was asked once"
            assert {asked.headers["authorization"] for asked in shop.requests} == {f"Bearer {VALUE}"}

            first.kill()
            await first.wait()
            while any(each["state"] == "attached" for each in await client.workers()):
                await moment()  # what it is given until that is known waits for its lease
            ids = [(await client.start("g", {}))["run_id"] for _ in range(RUNS)]
            await made.executor(made.urls[0])
            await completed(client, ids)
