"""An upgrade with two releases side by side: real processes of an older release (what this repository was when members
came, see `releases`) and of the present one on one database, under load. Shards go to and fro between them, either is
killed; what was acknowledged is noted outside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx
import psycopg
import pytest

from aob.backends.postgres.address import read_address
from aob.backends.postgres.schema import upgrade
from aob.client import AsyncClient
from aob.core.errors import Conflict, Invalid, Unavailable
from aob.core.rules import RULES
from tests.crash.cluster import APP, LOOK_S, Cluster, Member, cluster
from tests.crash.live_load import free_port
from tests.crash.releases import VERSION, Release, older, ran, schema_of
from tests.crash.test_coordinators import SHARDS
from tests.crash.test_kill_on_postgres import FLOW, Load
from tests.metrics.till import SHOP
from tests.runs.home import flow, fn
from tests.servers.fixtures import PASSWORD, SERVICE, Schema, dropped, made_schema

pytestmark = pytest.mark.timeout(600)

PINNED: Final = flow("pinned", {"a": fn("noted", input={"n": "1"})}, handlers="pinned")
"""A document that the older release does not know how to run."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return older(tmp_path_factory.mktemp("older") / "aob")


@pytest.fixture(scope="module")
def sql(old: Release) -> str:
    return schema_of(old, "t_older", SERVICE, SHARDS)


@pytest.fixture
def schema(postgres_url: str, sql: str) -> Iterator[Schema]:
    """One that the older release made."""
    dropped(made_schema(postgres_url))  # the service's role has a password
    name = f"t_{token_hex(6)}"
    owner = f"{postgres_url}?schema={name}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.replace("t_older", name).encode())
    made = Schema(read_address(owner).with_user(SERVICE, PASSWORD), owner, name)
    yield made
    dropped(made)


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

    def of(self, older: bool) -> None:
        """Processes are of this release from now on."""
        self.made.env = self.old.env if older else {}

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


async def rules_of(client: AsyncClient, name: str) -> list[int]:
    """Under which rules the versions of a workflow were accepted."""
    return [
        each["rules"] for told in await client.workflows() if told["workflow"] == name for each in told["artifacts"]
    ]


async def test_shards_go_to_and_fro_between_two_releases(tmp_path: Path, schema: Schema, old: Release) -> None:
    async with upgraded(tmp_path, schema, old) as up:
        first, client = await asyncio.gather(up.starts("one", older=True), up.api(older=False))
        async with up.busy(client):
            await up.work.load.until(5)
            assert (await upgrade(schema.owner_url)).steps in ((2,), ()), "the stand-in knows all steps"
            new = await up.starts("two", older=False)
            await up.goes_on()
            first.process.terminate()  # all shards go to the new one
            assert await first.process.wait() == 0
            await up.goes_on()
            assert await up.made.main() is new
            with pytest.raises(Invalid, match="handlers"):
                await client.push(PINNED)
            back = await up.starts("one", older=True)  # some go back
            await up.goes_on()
            new.process.kill()  # all of them go back
            await up.goes_on()
            assert await up.made.main() is back
            with pytest.raises(Invalid, match="handlers"):
                await client.push(PINNED)
        await up.work.holds(client, up.made.ledger)
        assert await rules_of(client, "w") == [old.rules]
        pids = {line.partition(" ")[0] for line in up.made.ledger.read_text().splitlines()}
        assert pids == {str(each.pid) for each in up.made.members}


async def test_an_upgrade_is_finished_when_the_older_release_is_gone(
    tmp_path: Path, schema: Schema, old: Release
) -> None:
    async with upgraded(tmp_path, schema, old) as up:
        await upgrade(schema.owner_url)
        first, new, client = await asyncio.gather(
            up.starts("one", older=True), up.starts("two", older=False), up.api(older=False)
        )
        async with up.busy(client):
            await up.goes_on()
            with pytest.raises(Conflict, match=rf"\({VERSION}\)") as caught:
                await upgrade(schema.owner_url, finish=True)
            assert caught.value.code == "members_differ"
            first.process.kill()
            await up.goes_on()
            with pytest.raises(Invalid, match="handlers"):
                await client.push(PINNED)
            assert (await upgrade(schema.owner_url, finish=True)).finished
            assert "release" in await up.refused("one", older=True)
            await pushed_when(client, PINNED)
            await up.work.load.until(5)
        await up.work.holds(client, up.made.ledger)
        assert await rules_of(client, "pinned") == [RULES]
        assert (await new.state())["shards"] == list(range(SHARDS))
