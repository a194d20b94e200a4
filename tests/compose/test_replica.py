"""Lists are read from a real streaming replica: they say how far it has come, and never more; one that is away, or is
none, is told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

import aob
from aob.backends.postgres.servers import replica as module
from aob.core.errors import Conflict, Unavailable
from aob.testing.proxy import Proxy
from tests.runs.home import Deed, chain
from tests.servers.fixtures import MASTER_KEY, Schema, made_schema
from tests.servers.postgres import NoServerError, Server, server
from tests.servers.replica import STREAMS, Standby, standby


@contextmanager
def paused(replica: Standby) -> Iterator[None]:
    """The replica stays where it is inside, and has caught up after it."""
    replica.run("select pg_wal_replay_pause()")
    try:
        while replica.run("select pg_get_wal_replay_pause_state()") != "paused":
            pass
        yield
    finally:
        replica.run("select pg_wal_replay_resume()")
    replica.caught_up()


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Standby]]:
    """A server and its replica."""
    try:
        with server(STREAMS) as primary, standby(primary) as replica:
            yield primary, replica
    except NoServerError as why:
        pytest.skip(str(why))


@pytest.fixture
def schema(pair: tuple[Server, Standby], monkeypatch: pytest.MonkeyPatch) -> Schema:
    made = made_schema(pair[0].url, 2)
    monkeypatch.setenv("AOB_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("AOB_STORE", made.url)
    monkeypatch.setenv("AOB_STORE_READ", there(made, pair[1].port, pair[0].port))
    pair[1].caught_up()
    return made


def there(schema: Schema, port: int, instead: int) -> str:
    return schema.url.replace(f":{instead}/", f":{port}/")


async def done(app: Any, count: int) -> set[str]:
    """So many runs, done."""
    runs = [await app.start("w", number) for number in range(count)]
    await asyncio.gather(*(run.done() for run in runs))
    return {run.id for run in runs}


async def listed(app: Any) -> tuple[set[str], dict[str, Any], str]:
    page = await app.views.runs(app.who, limit=100)
    return {row["run_id"] for row in page["runs"]}, page["read"], page["as_of"]


async def test_a_list_is_of_the_replica_and_says_how_far_that_is(
    tmp_path: Path, pair: tuple[Server, Standby], schema: Schema
) -> None:
    _, replica = pair
    async with aob.open(tmp_path, app=Deed().handlers()) as app:
        await app.push(chain("w", "echo"))
        first = await done(app, 4)
        replica.caught_up()
        runs, read, at = await listed(app)
        assert (runs, read["source"]) == (first, "replica")
        assert read["replayed_at"] > 1_600_000_000_000
        with paused(replica):
            runs, _, at = await listed(app)
            second = await done(app, 4)
            later, read, still = await listed(app)
            assert (later, still, read["source"]) == (runs, at, "replica"), "it lags and says so"
            assert (await app.run(next(iter(second))))["status"] == "COMPLETED", "one run is read from its owner"
        runs, read, after = await listed(app)
        assert (runs, read["source"]) == (first | second, "replica")
        assert after != at


async def test_dead_letters_are_listed_from_the_replica_which_says_how_far_it_has_come(
    tmp_path: Path, pair: tuple[Server, Standby], schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica = pair
    async with Proxy("127.0.0.1", replica.port) as proxy:
        monkeypatch.setenv("AOB_STORE_READ", there(schema, proxy.port, primary.port))
        async with aob.open(tmp_path) as app:
            await app.ingest([{"type": "none", "id": "1", "source": "s", "data": {}}])
            replica.caught_up()
            before = await app.metrics.deadletters(app.who)
            assert ([each["id"] for each in before["deadletters"]], before["read"]["source"]) == (["1"], "replica")
            with paused(replica):
                await app.ingest([{"type": "none", "id": "2", "source": "s", "data": {}}])
                lags = await app.metrics.deadletters(app.who)
                assert (lags["deadletters"], lags["as_of"]) == (before["deadletters"], before["as_of"])
            after = await app.metrics.deadletters(app.who)
            assert [each["id"] for each in after["deadletters"]] == ["2", "1"]
            assert after["as_of"] != before["as_of"]
            proxy.refusing = True
            proxy.cut()
            store = await app.metrics.deadletters(app.who)
            assert store == {**after, "read": {"source": "store", "why": "replica_away"}}


async def test_a_replica_that_is_away_is_told_and_the_store_is_read(
    tmp_path: Path, pair: tuple[Server, Standby], schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica = pair
    async with Proxy("127.0.0.1", replica.port) as proxy:
        monkeypatch.setenv("AOB_STORE_READ", there(schema, proxy.port, primary.port))
        proxy.refusing = True
        async with aob.open(tmp_path, app=Deed().handlers()) as app:
            await app.push(chain("w", "echo"))
            first = await done(app, 2)
            assert (await listed(app))[:2] == (first, {"source": "store", "why": "replica_away"})
            proxy.refusing = False
            replica.caught_up()
            while (await listed(app))[1]["source"] == "store":
                pass
            assert (await listed(app))[0] == first
            proxy.refusing = True
            proxy.cut()
            second = await done(app, 1)
            assert (await listed(app))[:2] == (first | second, {"source": "store", "why": "replica_away"})


async def test_what_is_no_replica_of_this_store_is_refused(
    tmp_path: Path, pair: tuple[Server, Standby], schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica = pair
    other = made_schema(primary.url, 2)
    replica.caught_up()
    for url, code in (
        (schema.url, "not_a_replica"),
        (there(other, replica.port, primary.port), "other_cluster"),
    ):
        monkeypatch.setenv("AOB_STORE_READ", url)
        with pytest.raises(Conflict) as refused:
            async with aob.open(tmp_path / "home"):
                pass
        assert refused.value.code == code
        assert "AOB_STORE_READ" in refused.value.detail
        assert "of-the-tests" not in str(refused.value)


async def test_a_replica_that_is_promoted_is_read_no_more(
    tmp_path: Path, pair: tuple[Server, Standby], schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, _ = pair
    with standby(primary) as second:
        monkeypatch.setenv("AOB_STORE_READ", there(schema, second.port, primary.port))
        second.caught_up()
        async with aob.open(tmp_path, app=Deed().handlers()) as app:
            await app.push(chain("w", "echo"))
            first = await done(app, 1)
            second.caught_up()
            assert (await listed(app))[1]["source"] == "replica"
            second.run("select pg_promote()")
            more = await done(app, 1)
            assert (await listed(app))[:2] == (first | more, {"source": "store", "why": "not_a_replica"})
            with psycopg.connect(second.url) as owner:
                assert owner.execute("select pg_is_in_recovery()").fetchone() == (False,)


async def test_one_that_is_away_is_tried_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now, tries = [0.0], list[float]()

    async def away() -> Any:
        tries.append(now[0])
        raise Unavailable("it is away", code="store_away")

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    nothing: Any = None
    replica = module.Replica("", "AOB_STORE_READ", nothing, b"", 1)
    monkeypatch.setattr(replica, "_reached", away)
    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.1, 2.5):
        assert (await replica.lists(0)).why == "replica_away"
    assert tries == [0.0, 1.0, 2.5], "not at each list"
