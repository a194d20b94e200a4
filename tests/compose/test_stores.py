"""A cluster over several databases: shards go from one to another, whole, also when that is cut off at any step; a
database that is away takes its shards with it, and no others."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

import aob
from aob.backends.postgres import steps
from aob.backends.postgres.database import Database
from aob.backends.postgres.servers import STEPS, move_shard
from aob.backends.postgres.store import PostgresStore
from aob.compose import read_settings
from aob.compose.database import move_shards
from aob.compose.layout import Layout
from aob.core.errors import AobError, Conflict, Invalid, Unavailable
from aob.ports.store import Batch, StaleEpoch
from aob.testing.proxy import Proxy
from tests.cli.conftest import Terminal
from tests.runs.home import Deed, chain, flow, fn
from tests.servers.fixtures import Schema, dropped, further_store, made_schema

SHARDS = 4
NUMBERS = [step.number for step in steps.STEPS]


class Cluster:
    """Two databases of one cluster, and the environment of its processes and of its owner."""

    def __init__(self, url: str) -> None:
        self.first = made_schema(url, SHARDS)
        self.second = further_store(url, self.first, shards=SHARDS)
        self.env = {
            "AOB_STORE": self.first.url, "AOB_STORE_2": self.second.url, "AOB_STORE_OWNER": self.first.owner_url,
            "AOB_STORE_2_OWNER": self.second.owner_url,
        }  # fmt: skip

    def rows(self, of: Schema, shard: int) -> dict[str, list[Any]]:
        """All rows of a shard in a database, by table."""
        found = {}
        with psycopg.connect(self.first.owner_url.partition("?")[0]) as owner:
            tables = owner.execute(f"""
                select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'shard'
                where c.relnamespace = '{of.name}'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                  and c.relname not in ('lease', 'page_owner', 'moved_shard') order by 1
            """.encode()).fetchall()  # fmt: skip
            for (name,) in tables:
                text = f'select t::text from "{of.name}"."{name}" t where shard = {shard} order by 1'
                found[name] = owner.execute(text.encode()).fetchall()
        return {name: rows for name, rows in found.items() if rows}


@pytest.fixture
def cluster(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    made = Cluster(postgres_url)
    for name, url in made.env.items():
        monkeypatch.setenv(name, url)
    yield made
    dropped(made.second)
    dropped(made.first)


async def worked(home: Path, deed: Deed) -> dict[str, Any]:
    """What a home answers of its runs after some more of them."""
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push(chain("w", "echo", "plain"))
        before = await listed(app)
        for number in range(12):
            await (await app.start("w", number, key=f"k{len(before) + number}")).done()
        return await listed(app)


async def listed(app: Any) -> dict[str, Any]:
    """Every run, whole."""
    page = await app.views.runs(app.who, limit=500)
    runs = {row["run_id"]: await app.run(row["run_id"]) for row in page["runs"]}
    return {id: {name: run[name] for name in ("status", "inputs", "output", "nodes")} for id, run in runs.items()}


async def test_a_shard_moves_whole_and_back(tmp_path: Path, cluster: Cluster) -> None:
    home, deed, aob_ = tmp_path / "home", Deed(), Terminal({"AOB_HOME": str(tmp_path / "home"), **cluster.env})
    before = await worked(home, deed)
    rows = {shard: cluster.rows(cluster.first, shard) for shard in range(SHARDS)}
    assert all("journal" in tables and "head" in tables for tables in rows.values())
    done = await aob_("shards", "move", "1", "3", "--to", "2", "--json")
    assert [(each["shard"], each["source"], each["target"]) for each in done.json["moved"]] == [(1, 1, 2), (3, 1, 2)]
    for shard in (1, 3):
        assert cluster.rows(cluster.first, shard) == {}
        assert cluster.rows(cluster.second, shard) == rows[shard]
    assert [each["store"] for each in (await aob_("shards", "--json")).json["shards"]] == [1, 2, 1, 2]
    assert "store 2" in (await aob_("shards")).out
    elsewhere = await aob_("--home", str(tmp_path / "none"), "shards", "--json")  # as an operator asks, of no process
    assert [each["store"] for each in elsewhere.json["shards"]] == [1, 2, 1, 2]
    assert not (tmp_path / "none").exists()
    after = await worked(home, deed)
    assert {id: run for id, run in after.items() if id in before} == before
    assert len(after) == len(before) + 12
    assert {"journal", "head"} <= cluster.rows(cluster.second, 3).keys(), "its new runs are there too"
    assert cluster.rows(cluster.first, 3) == {}
    assert "already" in (await aob_("shards", "move", "3", "--to", "2")).out
    assert (await aob_("shards", "move", "3", "--to", "1")).code == 0
    last = await worked(home, deed)
    assert {id: run for id, run in last.items() if id in after} == after
    assert (await aob_("db", "check")).code == (await aob_("db", "check", "--store", "2")).code == 0


@pytest.mark.parametrize("step", ["landed", "switched"])
async def test_what_is_cut_off_loses_nothing(tmp_path: Path, cluster: Cluster, step: str) -> None:
    home, deed = tmp_path / "home", Deed()
    before = await worked(home, deed)

    def cut(shard: int, what: str) -> None:
        if what == step:
            raise KeyboardInterrupt

    settings = read_settings(home, os.environ)
    with pytest.raises(KeyboardInterrupt):
        await move_shards(settings, os.environ, [2], 2, cut)
    between = await worked(home, deed)
    assert {id: run for id, run in between.items() if id in before} == before
    await move_shards(settings, os.environ, [2], 2)
    assert cluster.rows(cluster.first, 2) == {}
    after = await worked(home, deed)
    assert {id: run for id, run in after.items() if id in between} == between


POINTS = (
    ("fenced", 1), ("_copy", 2), ("copied", 1), ("landed", 1), ("switched", 1), ("_removal", 2), ("emptied", 1),
)  # fmt: skip
"""Where a move is killed: at a step, or before the so-many-th call of a function: in the midst of the copy, and of what
is removed where it was."""
MOVES = """
import asyncio, itertools, os, pathlib, signal, sys
from aob.backends.postgres.servers import moving
from aob.compose import read_settings
from aob.compose.database import move_shards

home, what, at = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
calls = itertools.count(1)

def cut(shard, step):
    if what == step:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(*given):
    if next(calls) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(*given)

if what.startswith("_"):
    inner = getattr(moving, what)
    setattr(moving, what, counted)
asyncio.run(move_shards(read_settings(home, os.environ), os.environ, [1], 2, cut))
"""


async def test_killed_at_any_point_it_is_done_by_the_same_command_again(tmp_path: Path, cluster: Cluster) -> None:
    home, deed = tmp_path / "home", Deed()
    before = await worked(home, deed)
    waiting = flow("x", {"m": {"kind": "wait", "config": {"message": "go"}}, "e": fn("echo")}, "m>e")
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push(waiting)
        live = [(await app.start("x", number, key=f"live{number}")).id for number in range(12)]
    assert {*STEPS} <= {what for what, _ in POINTS}
    assert any(Layout.of(SHARDS).shards_of(id)[0] == 1 for id in live)
    rows = cluster.rows(cluster.first, 1)
    for what, at in POINTS:
        words = (sys.executable, "-c", MOVES, str(home), what, str(at))
        killed = await asyncio.create_subprocess_exec(*words)
        assert await killed.wait() == -signal.SIGKILL, (what, at)
        with psycopg.connect(cluster.first.owner_url.partition("?")[0], autocommit=True) as owner:
            owner.execute(f"update {cluster.first.name}.lease set until = '-infinity'".encode())  # its lease runs out
            owner.execute(f"delete from {cluster.first.name}.member".encode())
    assert (cluster.rows(cluster.first, 1), cluster.rows(cluster.second, 1)) == ({}, rows)
    async with aob.open(home, app=deed.handlers()) as app:
        assert {id: run for id, run in (await listed(app)).items() if id in before} == before
        for number, id in enumerate(live):
            assert (await app.start("x", number, key=f"live{number}")).id == id, "its start is still known"
            await app.views.message(app.who, id, "go")
            assert (await app.views.wait(app.who, id, 10_000))["status"] == "COMPLETED"


async def test_an_owner_of_before_writes_nothing_while_its_shard_moves(tmp_path: Path, cluster: Cluster) -> None:
    await worked(tmp_path / "home", Deed())
    owners = {at: await Database.open(each.owner_url) for at, each in ((1, cluster.first), (2, cluster.second))}
    service = await Database.open(cluster.first.url)
    store = PostgresStore(service, 1)
    epoch = await store.take()
    row = (await store.last())[0]
    told: list[Any] = []

    def during(what: str) -> None:
        told.append(what)

    await move_shard(owners[1], owners, 1, 2, during)
    assert tuple(told) == STEPS
    stale = await store.commit(Batch(epoch, row + 1, 1, 0, b"[]"))
    assert isinstance(stale, StaleEpoch)
    with pytest.raises(AobError, match="does not have shard 1"):
        await store.take()
    there = await Database.open(cluster.second.url)
    moved = PostgresStore(there, 1)
    assert await moved.take() > epoch
    for db in (*owners.values(), service, there):
        await db.close()


async def test_what_cannot_move_says_why(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    home, aob_ = tmp_path / "home", Terminal({"AOB_HOME": str(tmp_path / "home"), **cluster.env})
    async with aob.open(home):
        done = await aob_("shards", "move", "1", "--to", "2")
        assert (done.code != 0, "in use" in done.err) == (True, True), done.err
    for words, says in (
        (("shards", "move", "0", "--to", "2"), "shard 0 has the workflows"),
        (("shards", "move", "9", "--to", "2"), "there is no shard 9"),
        (("shards", "move", "1"), "where to"),
        (("shards", "move", "1", "--to", "3"), "AOB_STORE_3_OWNER"),
    ):
        done = await aob_(*words)
        assert done.code, words
        assert says in done.err, done.err
        assert "Traceback" not in done.err
    swapped = Terminal({"AOB_HOME": str(home), **cluster.env, "AOB_STORE_2_OWNER": cluster.first.owner_url})
    assert "is store 1 of its cluster" in (await swapped("shards", "move", "1", "--to", "2")).err


async def test_a_process_without_the_url_of_a_store_does_not_start(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    await move_shards(read_settings(tmp_path, os.environ), os.environ, [1, 2], 2)
    monkeypatch.delenv("AOB_STORE_2")
    with pytest.raises(Invalid, match="2 shards of this cluster are in its store 2") as told:
        async with aob.open(tmp_path / "home"):
            pass
    assert "AOB_STORE_2" in str(told.value.problems)
    other = made_schema(postgres_url, SHARDS)
    stranger = further_store(postgres_url, other, shards=SHARDS)
    for url in (stranger.url, cluster.first.url):
        monkeypatch.setenv("AOB_STORE_2", url)
        with pytest.raises(Conflict) as refused:
            async with aob.open(tmp_path / "home"):
                pass
        assert refused.value.code == "other_cluster"
    monkeypatch.setenv("AOB_STORE", cluster.second.url)
    with pytest.raises(Conflict) as refused:
        async with aob.open(tmp_path / "home"):
            pass
    assert refused.value.code == "other_cluster"
    dropped(stranger)
    dropped(other)


async def test_init_makes_a_further_store_of_the_cluster(cluster: Cluster, postgres_url: str, tmp_path: Path) -> None:
    name = f"{cluster.first.name}_3"
    env = {**cluster.env, "AOB_STORE_3": cluster.first.url.replace(cluster.first.name, name)}
    aob_ = Terminal({"AOB_HOME": str(tmp_path), **env, "AOB_STORE_3_OWNER": postgres_url})
    made = (await aob_("db", "init", "--store", "3", "--json")).json
    assert (made["store_number"], made["shards"], made["schema"], made["steps"]) == (3, SHARDS, name, NUMBERS)
    assert (await aob_("db", "init", "--store", "3", "--json")).json["steps"] == []
    printed = (await aob_("db", "init", "--store", "3", "--print-sql")).out
    assert f"'\\x{made['cluster']}', {SHARDS}, 64, 'aob_service', 3" in printed, "the same cluster, another number"
    assert f'create schema "{name}"' in printed
    assert (await aob_("db", "check", "--store", "3")).code == 0
    assert "is store 3" in (await aob_("db", "check", "--store", "2", env["AOB_STORE_3"])).err
    wrong = Terminal({"AOB_HOME": str(tmp_path), **env, "AOB_STORE_2_OWNER": f"{postgres_url}?schema={name}"})
    assert "is store 3 of the cluster" in (await wrong("db", "init", "--store", "2")).err
    assert "numbers of the first" in (await aob_("db", "init", "--store", "3", "--shards", "4")).err
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'drop schema "{name}" cascade'.encode())


async def test_an_upgrade_is_finished_in_the_first_store_first(cluster: Cluster, tmp_path: Path) -> None:
    aob_ = Terminal({"AOB_HOME": str(tmp_path), **cluster.env})
    early = await aob_("db", "upgrade", "--store", "2", "--finish")
    assert "is not finished in the first database" in early.err
    for words in ((), ("--store", "2")):
        done = await aob_("db", "upgrade", *words, "--finish")
        assert "the upgrade to release" in done.out, "the tests made it, under a release of their own"
        assert (await aob_("db", "upgrade", *words, "--finish")).out.startswith("nothing to do")


async def begun(asked: list[asyncio.Task[Any]]) -> Any:
    """The first of these starts that is taken."""
    for each in asyncio.as_completed(asked):
        with suppress(Unavailable):
            return await each
    raise AssertionError("none was taken")


async def test_a_store_that_is_away_takes_its_shards_with_it_and_no_others(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, deed = tmp_path / "home", Deed()
    before = await worked(home, deed)
    await move_shards(read_settings(home, os.environ), os.environ, [1, 2, 3], 2)
    port = int(cluster.second.url.split(":")[3].partition("/")[0])
    async with Proxy("127.0.0.1", port) as proxy:
        monkeypatch.setenv("AOB_STORE_2", cluster.second.url.replace(f":{port}/", f":{proxy.port}/"))
        there = {id: Layout.of(SHARDS).shards_of(id)[0] for id in before}
        proxy.refusing = True
        async with aob.open(home, app=deed.handlers()) as app:
            told = await app.views.health()
            assert [each["status"] for each in told["shards"]] == ["ok", *["store_away"] * 3]
            assert told["store"]["stores"] == {"2": "store_away"}
            for id, shard in there.items():
                if shard:
                    with pytest.raises(Unavailable, match=f"shard {shard} is not open") as away:
                        await app.run(id)
                    assert away.value.code == "store_away"
                else:
                    assert (await app.run(id))["status"] == "COMPLETED"
            assert (await (await app.start("w", 7)).done())["status"] == "COMPLETED"
            proxy.refusing = False
            while (await app.views.health())["status"] != "ok":
                pass
            runs = await listed(app)
            assert {id: run for id, run in runs.items() if id in before} == before
            proxy.refusing = True
            proxy.cut()
            asked = [asyncio.create_task(app.start("w", number, key=f"away{number}")) for number in range(16)]
            assert (await (await begun(asked)).done())["status"] == "COMPLETED"
            assert not all(each.done() and each.exception() is None for each in asked), (
                "the others wait, or are refused"
            )
            proxy.refusing = False
            for told in await asyncio.gather(*asked, return_exceptions=True):
                assert not isinstance(told, BaseException) or told.code in ("store_away", "store_failed"), told
            for number in range(16):
                assert (await (await app.start("w", number, key=f"away{number}")).done())["status"] == "COMPLETED"
            assert (await app.views.health())["store"]["stores"] == {"2": "ok"}
