"""An upgrade with two releases side by side: real processes of an older release (what this repository was when members
came, see `releases`) and of the present one on one database, under load. Shards go to and fro between them, either is
killed; what was acknowledged is noted outside."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import psycopg
import pytest

from aob.backends.postgres.address import read_address
from aob.backends.postgres.schema import upgrade
from aob.client import AsyncClient
from aob.core.errors import Conflict, Invalid
from aob.core.rules import RULES
from tests.crash.releases import VERSION, Release, older, ran, schema_of, stand_in
from tests.crash.test_coordinators import SHARDS
from tests.crash.test_kill_on_postgres import FLOW
from tests.crash.upgrading import pushed_when, upgraded
from tests.runs.home import flow, fn
from tests.servers.fixtures import PASSWORD, SERVICE, Schema, dropped, made_schema

pytestmark = pytest.mark.timeout(600)

PINNED: Final = flow("pinned", {"a": fn("noted", input={"n": "1"})}, handlers="pinned")
"""A document that the older release does not know how to run."""
SHARED: Final = {"limits": {"rate_limit_rpm": 1_000_000, "tenant_rate_limit_rpm": 1_000_000}}
"""A push of settings; it hinders nobody."""


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
            assert (await upgrade(schema.owner_url)).steps in ((2, 4, 5, 6, 7), ()), "the stand-in knows all steps"
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
            # What the older release would not follow, should it come back.
            for ask in (partial(client.pause_handler, "noted"), partial(client.push_settings, settings=SHARED)):
                with pytest.raises(Conflict, match="older release") as caught:
                    await ask()
                assert caught.value.code == "members_differ"
            assert (await upgrade(schema.owner_url, finish=True)).finished
            assert "release" in await up.refused("one", older=True)
            await pushed_when(client, PINNED)
            assert (await client.push_settings(settings=SHARED))["version"] == 1
            assert (await client.pause_handler("noted"))["paused"]
            assert (await client.resume_handler("noted"))["changed"]
            await up.work.load.until(5)
        await up.work.holds(client, up.made.ledger)
        assert await rules_of(client, "pinned") == [RULES]
        assert (await new.state())["shards"] == list(range(SHARDS))


async def test_a_process_that_does_not_know_the_rules_of_the_cluster_is_refused_with_the_line_that_helps(
    tmp_path: Path, postgres_schema: Schema
) -> None:
    earlier = stand_in(tmp_path / "earlier")  # what stands in for the older release where there is no history
    assert earlier.rules == RULES - 1
    words = ("serve", "coordinator", "--home", str(tmp_path / "one"), "--peers", "127.0.0.1:0", "--port", "0")
    ended = await ran(*words, env={"AOB_STORE": postgres_schema.url}, release=earlier)
    assert ended.code != 0
    assert f"may use rules {RULES}, and this release knows up to {RULES - 1}" in ended.error
    assert "start release tests or a later one" in ended.error
    assert "Traceback" not in ended.error


async def test_apis_and_workers_of_either_release_serve_members_of_both(
    tmp_path: Path, schema: Schema, old: Release
) -> None:
    async with upgraded(tmp_path, schema, old) as up:
        await upgrade(schema.owner_url)
        up.env = {"AOB_GRPC_PORT": "0"}
        first, _, client = await asyncio.gather(
            up.starts("one", older=True, app=""), up.starts("two", older=False, app=""), up.api(older=False)
        )
        (gateway,) = up.made.urls
        earlier = await up.api(older=True)
        await up.made.spread(SHARDS)
        up.of(older=True)
        told: Any = await client.health()
        worker = await up.made.worker(f"grpc://{told['workers']}")  # that release asks for the address without its key
        await pushed_when(client, FLOW)
        async with up.busy(earlier):
            await up.work.load.until(10)
            up.of(older=False)
            await up.made.worker(gateway)
            worker.terminate()  # it gives back what it has: that of one that is killed waits for half a minute
            assert await worker.wait() == 0
            await up.work.load.until(10)
        await up.work.holds(client, up.made.ledger)
        pids = {line.partition(" ")[0] for line in up.made.ledger.read_text().splitlines()}
        assert len(pids) == 2, "both workers did jobs, whoever had the run"
        first.process.terminate()
        assert await first.process.wait() == 0
        await earlier.start("w", {"n": 0}, key="last")
