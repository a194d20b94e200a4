"""Every backend of the port `Pages` does what the port says, and the same as memory on random scripts."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.backends.memory.pages import MemoryPages
from aob.backends.postgres import pages as postgres_pages
from aob.backends.postgres.database import Database
from aob.backends.postgres.pages import PostgresPages
from aob.backends.sqlite.pages import SqlitePages
from aob.core.errors import Unavailable
from aob.ports.pages import Owner, Pages
from aob.testing.conformance.pages import PagesSuite
from tests.servers.fixtures import Schema, dropped, made_schema


class TestMemory(PagesSuite):
    async def make(self) -> Pages:
        return MemoryPages()


class TestSqlite(PagesSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "metrics.db"

    async def make(self) -> Pages:
        return SqlitePages(self.path)

    async def reopen(self, pages: Pages) -> Pages:
        await pages.close()
        return SqlitePages(self.path)

    async def test_a_file_that_is_not_readable_is_set_aside(self) -> None:
        self.path.write_bytes(b"this is not a database, and never was one" * 100)
        pages = SqlitePages(self.path)
        assert await pages.marks() == {}
        await pages.save(await pages.take(0), {"events": 1}, {})
        assert self.path.with_name("metrics.db.broken").exists()
        await pages.close()


numbers = count()


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[Schema]:
    """One for all tests here: consumers share nothing."""
    made = made_schema(postgres_url, 1)
    yield made
    dropped(made)


class TestPostgres(PagesSuite):
    @pytest.fixture(autouse=True)
    async def database(self, schema: Schema) -> AsyncIterator[None]:
        self.database, self.consumer = await Database.open(schema.url), f"test-{next(numbers)}"
        yield
        await self.database.close()

    async def make(self) -> Pages:
        return PostgresPages(self.database, self.consumer)

    async def reopen(self, pages: Pages) -> Pages:
        return await self.make()

    async def test_consumers_share_nothing(self, pages: Pages) -> None:
        other = PostgresPages(self.database, f"{self.consumer}-other")
        mine = await other.take(0)
        assert mine == Owner(0, 1)
        assert await other.save(mine, {"events": 5}, {("acme", "a"): b"theirs"}) is None
        assert await other.keep(mine, 3, ("a",), 1) is None
        await pages.save(Owner(0, 1), {"events": 7}, {("acme", "a"): b"ours"})
        await pages.take(0)
        assert await other.save(mine, {}, {("acme", "b"): b"still mine"}) is None
        assert await pages.load("acme") == {"a": b"ours"}
        await pages.clear(Owner(0, 2))
        assert (await other.marks(), await other.kept()) == ({"events": 5}, {3: {"events": 5}})

    async def test_names_are_any_text(self, pages: Pages) -> None:
        names = ["", "\x00", "\udfff", "ä/ö", "~\x00", "%", "_", "\\", "'"]
        await pages.save(Owner(0, 1), {}, {("acme", name): name.encode("utf-8", "replace") for name in names})
        assert sorted(await pages.load("acme")) == sorted(name for name in names if not name.startswith("~"))
        assert await pages.page("acme", "~\x00") == b"~\x00"
        await pages.save(Owner(0, 1), {}, {}, [("acme", "%"), ("acme", "\x00")])
        assert "_" in await pages.load("acme")
        assert "%" not in await pages.load("acme")

    async def test_a_large_save_is_one_transaction_in_parts(
        self, pages: Pages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres_pages, "SAVED_BYTES", 100)
        await pages.save(Owner(0, 1), {"events": 1}, {("acme", "old/1"): b"1"})
        new = {("acme", f"new/{number}"): bytes([number]) * 60 for number in range(9)}
        await pages.save(Owner(0, 1), {"events": 2}, {**new, ("acme", "old/2"): b"2"}, [("acme", "old/")])
        assert await pages.load("acme") == {name: data for (_, name), data in new.items()} | {"old/2": b"2"}
        assert await pages.marks() == {"events": 2}

    async def test_a_page_that_differs_from_what_was_written_is_refused(self, pages: Pages, schema: Schema) -> None:
        await pages.save(Owner(0, 1), {}, {("acme", "a"): b"1"})
        owner = await Database.open(schema.owner_url)
        await owner.run(f"update {schema.name}.page set data = '\\x32' where consumer = %s", (self.consumer,))
        await owner.close()
        with pytest.raises(Unavailable) as told:
            await pages.load("acme")
        assert told.value.code == "page_corrupt"


NAME = st.sampled_from(["a", "own/a", "own/b", "~far", ""])
TENANT = st.sampled_from(["acme", "Acme", "umbra"])
PAGE = st.tuples(TENANT, NAME)
SAVE = st.tuples(
    st.just("save"), st.dictionaries(st.sampled_from(["events", "runs/1"]), st.integers(0, 2**62), max_size=2),
    st.dictionaries(PAGE, st.none() | st.binary(max_size=5), max_size=4), st.lists(PAGE, max_size=2),
)  # fmt: skip
KEEP = st.tuples(st.just("keep"), st.integers(0, 3), st.lists(NAME, max_size=2), st.integers(1, 3))
CLEAR, TAKE = st.tuples(st.just("clear")), st.tuples(st.just("take"))
STEP = st.tuples(st.integers(0, 1), st.integers(0, 1), SAVE | KEEP | CLEAR | TAKE)  # a shard, a step back, what


async def played(pages: Pages, script: list[tuple[int, int, Any]]) -> list[object]:
    """What pages answer to a script: each answer, and all that can be read after it."""
    owners = {shard: await pages.take(shard) for shard in (0, 1)}
    await pages.save(owners[0], {"journal": 1}, {})  # a label without marks is one on SQLite only
    told: list[object] = []
    for shard, back, (verb, *args) in script:
        owner = Owner(shard, owners[shard].epoch - back)
        if verb == "take":
            owners[shard] = await pages.take(shard)
            told.append(owners[shard])
        elif verb != "clear":
            told.append(await getattr(pages, verb)(owner, *args))
        elif not back:
            told.append(await pages.clear(owner))
            await pages.save(owners[0], {"journal": 1}, {})
        kept = await pages.kept()
        told.append([
            await pages.marks(), await pages.tenants(), kept, await pages.page("acme", "~far"),
            [await pages.load(tenant) for tenant in ("acme", "Acme", "umbra")],
            [await pages.load_kept(label, "acme") for label in sorted(kept)],
        ])  # fmt: skip
    return told


def test_every_backend_answers_as_memory_does(schema: Schema) -> None:
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        database = runner.run(Database.open(schema.url))

        @given(st.lists(STEP, max_size=12))
        @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        def agree(script: list[tuple[int, int, Any]]) -> None:
            async def play() -> None:
                number = next(numbers)
                files = SqlitePages(Path(folder) / f"{number}.db")
                expected = await played(MemoryPages(), script)
                assert await played(PostgresPages(database, f"c{number}"), script) == expected
                assert await played(files, script) == expected
                await files.close()

            runner.run(play())

        agree()
        runner.run(database.close())
