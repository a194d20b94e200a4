"""A home whose truth is in Postgres: which folder belongs to which database, what its commands do, what health says."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

import aob
from aob.backends.postgres.address import read_address
from aob.compose.home import database_of, generation_of
from aob.core.errors import AobError
from aob.testing.proxy import Proxy
from tests.cli.conftest import Terminal
from tests.metrics.till import SHOP, sold
from tests.runs.home import Deed, chain
from tests.servers.fixtures import Schema, dropped, made_schema


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[Schema]:
    made = made_schema(postgres_url, 2)
    yield made
    dropped(made)


@pytest.fixture
def store(schema: Schema, monkeypatch: pytest.MonkeyPatch) -> Schema:
    monkeypatch.setenv("AOB_STORE", schema.url)
    return schema


async def refused(home: Path, **settings: Any) -> AobError:
    """The error of opening a home."""
    with pytest.raises(AobError) as told:
        async with aob.open(home, **settings):
            pass
    return told.value


async def test_nothing_that_must_last_is_in_the_folder(tmp_path: Path, store: Schema) -> None:
    home, deed = tmp_path / "home", Deed()
    async with aob.open(home, app=deed.handlers(), egress={"private": ["127.0.0.1:9"]}) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        await app.push(chain("w", "echo", "plain"))
        told = await app.ingest([sold(1, 5.0), sold(2, 7.0)])
        assert told["accepted"] == 2
        run = await (await app.start("w", 5, key="one")).done()
        assert run["status"] == "COMPLETED"
        key = await app.views.create_key(app.who, name="bob", roles=["view"])
        hook = await app.metrics.create_webhook(app.who, url="http://127.0.0.1:9/x", events=["sold"])
    assert not list(home.glob("*.db")) + list(home.glob("*.pages"))
    shutil.move(home / "home.json", tmp_path)
    shutil.rmtree(home)
    home.mkdir()
    shutil.move(tmp_path / "home.json", home)
    async with aob.open(home, app=deed.handlers()) as app:
        again = await app.start("w", 5, key="one")
        assert (again.id, again.created) == (run["run_id"], False)
        assert (await app.metric("sales", window="all"))["value"] == 2
        assert (await app.ingest(sold(2, 7.0)))["duplicate"] == 1
        assert key["id"] in str(await app.views.list_keys(app.who))
        assert hook["id"] in {each["id"] for each in await app.metrics.webhooks(app.who)}


async def test_no_view_shows_what_a_key_or_a_webhook_is_proved_by(tmp_path: Path, store: Schema) -> None:
    async with aob.open(tmp_path, egress={"private": ["127.0.0.1:9"]}) as app:
        key = await app.views.create_key(app.who, name="bob", roles=["view"])
        hook = await app.metrics.create_webhook(app.who, url="http://127.0.0.1:9/x", runs=["*"])
    shown = views_of(store)
    assert key["id"] in shown, "the log says that there is a key"
    assert hook["id"] in shown
    proofs = [key["secret"], hook["secret"]]
    assert [text for text in proofs + [sha256(text.encode()).hexdigest() for text in proofs] if text in shown] == []


def views_of(schema: Schema) -> str:
    """The text of all rows of all views."""
    import psycopg

    with psycopg.connect(schema.url.partition("?")[0]) as service:
        names = service.execute("select viewname from pg_views where schemaname = %s", (schema.name,)).fetchall()
        assert len(names) >= 4
        return "".join(
            str(row) for (name,) in names
            for row in service.execute(f'select * from "{schema.name}"."{name}"'.encode()).fetchall()
        )  # fmt: skip


async def test_health_says_how_the_database_is(tmp_path: Path, store: Schema) -> None:
    async with aob.open(tmp_path) as app:
        told = (await app.views.health())["store"]
        assert (told["status"], told["kind"]) == ("ok", "postgresql")
        assert told["version"].partition(".")[0].isdecimal()
        assert told["latency_ms"] > 0
        assert "127.0.0.1" not in str(told), "everybody may read health"


async def test_a_folder_belongs_to_one_truth(
    tmp_path: Path, store: Schema, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, files = made_schema(postgres_url, 1), tmp_path / "files"
    async with aob.open(tmp_path / "home"):
        pass
    assert (await refused(tmp_path / "home", store=other.url)).code == "other_cluster"
    dropped(other)
    monkeypatch.delenv("AOB_STORE")
    without = await refused(tmp_path / "home")
    assert without.code == "other_store"
    assert store.name in without.hint
    assert not list((tmp_path / "home").glob("*.db")), "it begins no second truth"
    async with aob.open(files):
        pass
    assert (await refused(files, store=store.url)).code == "other_store"
    assert (files / "shard-0.db").exists()


async def test_a_copy_of_the_folder_of_a_process_that_lives_is_refused_and_takes_nothing(
    tmp_path: Path, store: Schema
) -> None:
    home, copy, short = tmp_path / "home", tmp_path / "copy", {"lease_s": 1.0}
    async with aob.open(home, app=Deed().handlers(), **short) as app:
        await app.push(chain("w", "echo"))
        shutil.copytree(home, copy)
        leases = cast(Any, app.shared.storage).leases()
        before = await leases.standing()
        told = await refused(copy, **short)
        assert (told.code, str(copy) in told.detail) == ("home_in_use", True)
        after = await leases.standing()
        assert [(each.owner, each.term) for each in after.leases] == [(each.owner, each.term) for each in before.leases]
        assert (await (await app.start("w", 5)).done())["status"] == "COMPLETED"
    async with aob.open(copy, **short):
        pass  # it has ended


async def test_other_numbers_are_refused(tmp_path: Path, store: Schema) -> None:
    assert (await refused(tmp_path, shards=3)).code == "other_shards"
    assert (await refused(tmp_path, partitions=128)).code == "other_partitions"
    async with aob.open(tmp_path, shards=2, partitions=64):
        pass


async def test_commands_of_files_say_what_to_do_instead(tmp_path: Path, store: Schema) -> None:
    home, aob_ = tmp_path / "home", Terminal({"AOB_HOME": str(tmp_path / "home"), "AOB_STORE": store.url})
    async with aob.open(home):
        pass
    for words, code, hint in (
        (("backup", str(tmp_path / "copy")), "in_database", "pg_dump"),
        (("shards", "set", "3"), "in_database", "start one more"),
        (("restore", "--accept-loss", "gate.db"), "bad_file", "--accept-loss store"),
    ):
        done = await aob_(*words)
        assert done.code, words
        assert hint in done.err, done.err
        assert code in (await aob_(*words, "--json")).err + (await aob_(*words, "--json")).out
        assert "Traceback" not in done.err
    told = (await aob_("shards", "--json")).json
    assert [each["partitions"] for each in told["shards"]] == [32, 32]
    told = home / "home.json"
    told.write_text(told.read_text().replace("127.0.0.1", "127.9.9.9"))  # where it was before the restore
    accepted = await aob_("restore", "--accept-loss", "store")
    assert (accepted.code, "127.0.0.1" in accepted.out, "127.9.9.9" in accepted.out) == (0, True, False)
    async with aob.open(home) as app:
        assert app.shared.storage.generation == 2
    assert (await aob_("doctor", "--deep")).code in (0, 1)
    assert generation_of(home) == 1


async def test_doctor_looks_into_the_database(tmp_path: Path, store: Schema) -> None:
    async with aob.open(tmp_path, app=Deed().handlers()) as app:
        await app.push(chain("w", "echo"))
        await (await app.start("w", 5)).done()
    found = {each["what"]: each for each in (await Terminal({"AOB_HOME": str(tmp_path), "AOB_STORE": store.url})(
        "doctor", "--deep", "--json")).json}  # fmt: skip
    assert found["store"]["how"] == "ok"
    assert "PostgreSQL" in found["store"]["seen"]
    assert "2 shards" in found["store"]["seen"]
    assert found["shard 0 heads"]["how"] == found["shard 1 heads"]["how"] == "ok"
    away = store.url.replace(f":{store.url.split(':')[3].partition('/')[0]}/", ":1/")
    found = {each["what"]: each for each in (await Terminal({"AOB_HOME": str(tmp_path), "AOB_STORE": away})(
        "doctor", "--json")).json}  # fmt: skip
    assert found["store"]["how"] == "problem"
    password = store.url.split(":")[2].partition("@")[0]
    assert password not in str(found)


async def test_each_process_of_a_home_has_a_name_of_its_own(tmp_path: Path, store: Schema) -> None:
    names = set()
    for _ in range(2):
        async with aob.open(tmp_path):
            told = database_of(tmp_path)
            assert told is not None
            names.add(told.member)
            assert "aob_service" in told.where
            assert "of-the-tests" not in (tmp_path / "home.json").read_text()
    assert len(names) == 2


async def test_a_database_that_says_nothing_is_told_while_it_does(tmp_path: Path, store: Schema) -> None:
    address = read_address(store.url)
    async with Proxy(address.host, address.port) as line:
        through = store.url.replace(f":{address.port}/", f":{line.port}/")
        async with aob.open(tmp_path, app=Deed().handlers(), store=through) as app:
            await app.push(chain("w", "echo"))
            line.hold("down")
            try:
                while (told := await app.views.health())["status"] == "ok":
                    pass
                assert told["store"]["status"] == "store_away"
                starting = asyncio.create_task(app.start("w", 5, key="held"))
            finally:
                line.release()
            with suppress(AobError):  # whether it was begun is unknown: the key says
                await starting
            while (await app.views.health())["status"] != "ok":
                pass
            run = await (await app.start("w", 5, key="held")).done()
            assert run["status"] == "COMPLETED"
