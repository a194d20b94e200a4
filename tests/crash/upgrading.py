"""A cluster that is brought from an older release to the present one, and the work that goes on meanwhile: acknowledged
starts and events are noted here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from aob.client import AsyncClient
from aob.core.errors import Invalid, Unavailable
from tests.crash.cluster import APP, LOOK_S, Cluster, Member, cluster
from tests.crash.live_load import paced
from tests.crash.releases import Release, ran
from tests.crash.test_coordinators import SHARDS
from tests.crash.test_kill_on_postgres import FLOW, Load
from tests.metrics.till import SHOP
from tests.servers.fixtures import Schema
from tests.servers.ports import free_port


class Work:
    """Runs that are started and events that are sent, each again until the platform says yes."""

    def __init__(self) -> None:
        self.load = Load()
        self.taken: set[int] = set()

    async def lane(self, client: AsyncClient) -> None:
        """A run, then an event, for ever."""
        while True:
            self.load.asked += 1
            number = self.load.asked
            await answered(partial(self.load.start, client, number))
            data = {"order_id": str(number), "amount": 1, "region": "north", "customer": "c"}
            event = {"type": "sold", "source": "test", "id": f"s{number}", "data": data}
            await answered(partial(client.ingest, [event]))
            self.taken.add(number)
            await paced()

    async def holds(self, client: AsyncClient, ledger: Path) -> None:
        """Nothing acknowledged is lost, at most one success a visit, and the numbers are a recount."""
        asked = set(range(1, self.load.asked + 1))
        await self.load.settled(client, ledger)
        while True:
            sales, runs = [(await client.metric(name, window="all"))["value"] for name in ("sales", "runs_finished")]
            if runs == len(asked) and len(self.taken) <= (sales or 0) <= len(asked):
                return
            await asyncio.sleep(LOOK_S)


async def answered(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask until there is an answer."""
    while True:
        with suppress(Unavailable, httpx.HTTPError):
            await ask()
            return


class Upgrade:
    """A cluster of an older release, and what brings it to the present one."""

    def __init__(self, made: Cluster, schema: Schema, old: Release) -> None:
        self.made, self.schema, self.old = made, schema, old
        self.ports = free_port(), free_port()
        self.work = Work()
        self.env: dict[str, str] = {}

    def of(self, older: bool) -> None:
        """Processes are of this release from now on."""
        self.made.env = {**self.env, **(self.old.env if older else {})}

    async def starts(self, name: str, *, older: bool, app: str = APP) -> Member:
        """A coordinator; `one` and `two` have ports that apis know."""
        self.of(older)
        return await self.made.member(name, port=self.ports[name == "two"], app=app)

    async def api(self, *, older: bool) -> AsyncClient:
        self.of(older)
        return await self.made.api(*self.ports)

    async def goes_on(self) -> None:
        """The shards are spread over all members, and runs go on."""
        await self.made.spread(SHARDS)
        await self.work.load.until(10)

    async def refused(self, name: str, *, older: bool) -> str:
        """What a coordinator says that does not start."""
        words = (
            "serve",
            "coordinator",
            "--home",
            str(self.made.folder / name),
            "--peers",
            "127.0.0.1:0",
            "--port",
            "0",
        )
        ended = await ran(*words, env={"AOB_STORE": self.schema.url}, release=self.old if older else None)
        assert ended.code != 0
        assert "Traceback" not in ended.error
        return ended.error

    @asynccontextmanager
    async def busy(self, client: AsyncClient) -> AsyncIterator[None]:
        """Work goes on whatever happens."""
        await client.push(FLOW)
        await client.push_contracts({"shop.yaml": SHOP})
        lanes = [asyncio.create_task(self.work.lane(client)) for _ in range(3)]
        try:
            yield
        finally:
            for lane in lanes:
                lane.cancel()
            ends = await asyncio.gather(*lanes, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in ends), ends


@asynccontextmanager
async def upgraded(folder: Path, schema: Schema, old: Release) -> AsyncIterator[Upgrade]:
    """A cluster that the older release made, and no process of it."""
    async with cluster(folder, schema) as made:
        yield Upgrade(made, schema, old)


async def pushed_when(client: AsyncClient, document: Any) -> Any:
    """As soon as it is accepted."""
    while True:
        try:
            return await client.push(document)
        except (Invalid, Unavailable):
            await asyncio.sleep(LOOK_S)
