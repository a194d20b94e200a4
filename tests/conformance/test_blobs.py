"""Every `Blobs` backend against the one suite, and the folder and Postgres against memory on random scripts."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.backends.folder_blobs import FolderBlobs
from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.postgres.blobs import PostgresBlobs
from aob.backends.postgres.database import Database
from aob.core.errors import AobError
from aob.core.value import digest_of
from aob.ports.blobs import Blobs
from aob.testing.conformance.blobs import BlobsSuite
from tests.servers.fixtures import Schema, dropped, made_schema


class TestMemory(BlobsSuite):
    async def make(self, folder: Path) -> Blobs:
        return MemoryBlobs()

    async def damage(self, blobs: Blobs, tenant: str, digest: bytes) -> None:
        assert isinstance(blobs, MemoryBlobs)
        blobs.kept[(tenant, digest)] = b"x" + blobs.kept[(tenant, digest)][1:]


class TestFolder(BlobsSuite):
    async def make(self, folder: Path) -> Blobs:
        return FolderBlobs(folder / "blobs")

    async def damage(self, blobs: Blobs, tenant: str, digest: bytes) -> None:
        assert isinstance(blobs, FolderBlobs)
        path = blobs.path(tenant, digest)
        path.write_bytes(b"x" + path.read_bytes()[1:])


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[Schema]:
    """One for all tests here, each of which finds no blobs."""
    made = made_schema(postgres_url, 1)
    yield made
    dropped(made)


class TestPostgres(BlobsSuite):
    """All of the suite's blobs in the table, those above the limit too."""

    HERE_BYTES = 4 * 1024 * 1024
    database: Database
    owner: Database
    schema: str

    @pytest.fixture(autouse=True)
    async def emptied(self, schema: Schema) -> AsyncIterator[None]:
        self.schema = schema.name
        self.owner, self.database = await Database.open(schema.owner_url, size=1), await Database.open(schema.url)
        await self.empty()
        yield
        await self.owner.close()
        await self.database.close()

    async def empty(self) -> None:
        await self.owner.run(f"delete from {self.schema}.blob")

    async def make(self, folder: Path) -> Blobs:
        self.larger = FolderBlobs(folder / "blobs")
        return PostgresBlobs(self.database, self.larger, here_bytes=self.HERE_BYTES)

    async def damage(self, blobs: Blobs, tenant: str, digest: bytes) -> None:
        await self.owner.run(
            f"update {self.schema}.blob set data = set_byte(data, 0, 120) "
            "where tenant = %s and digest = %s", (tenant, digest),
        )  # fmt: skip


class TestPostgresAndFolder(TestPostgres):
    """The suite's large blob in the folder."""

    HERE_BYTES = 1024

    async def damage(self, blobs: Blobs, tenant: str, digest: bytes) -> None:
        path = self.larger.path(tenant, digest)
        if path.exists():
            path.write_bytes(b"x" + path.read_bytes()[1:])
        else:
            await super().damage(blobs, tenant, digest)

    async def test_only_what_is_small_is_in_the_table(self, blobs: Blobs) -> None:
        small, large = await blobs.put("acme", bytes(1024)), await blobs.put("acme", bytes(1025))
        assert [await self.larger.has("acme", ref.digest) for ref in (small, large)] == [False, True]
        assert {digest async for digest in blobs.iterate("acme")} == {small.digest, large.digest}
        assert [await blobs.size("acme", ref.digest) for ref in (small, large)] == [1024, 1025]

    async def test_what_was_in_the_folder_before_is_still_read_and_goes(self, blobs: Blobs) -> None:
        ref = await self.larger.put("acme", b"from before")
        assert await blobs.get("acme", ref.digest) == b"from before"
        assert await blobs.get_range("acme", ref.digest, 5, 3) == b"bef"
        assert await blobs.delete("acme", ref.digest)
        assert not await blobs.has("acme", ref.digest)


DATA = st.sampled_from([b"", b"a", b"b", b"long" * 2_000])
TENANT = st.sampled_from(["acme", "Acme", "b/ö"])
MOVE = st.tuples(st.sampled_from(["put", "get", "has", "size", "delete", "iterate", "damage"]), TENANT, DATA)


async def answer(suite: BlobsSuite, blobs: Blobs, verb: str, tenant: str, data: bytes) -> object:
    """What a store answers to one move: a value, or the code of its error."""
    digest = digest_of(data)
    try:
        if verb == "put":
            return await blobs.put(tenant, data)
        if verb == "iterate":
            return sorted([d async for d in blobs.iterate(tenant)])
        if verb == "damage":
            if data and await blobs.has(tenant, digest):
                await suite.damage(blobs, tenant, digest)
            return None
        return await getattr(blobs, verb)(tenant, digest)
    except AobError as error:
        return error.code


@given(st.lists(MOVE, max_size=25))
@settings(max_examples=40, deadline=None)
def test_the_folder_answers_as_memory_does(script: list[tuple[str, str, bytes]]) -> None:
    async def play(folder: Path) -> None:
        memory, files = TestMemory(), TestFolder()
        one, other = await memory.make(folder), await files.make(folder)
        for move in script:
            assert await answer(memory, one, *move) == await answer(files, other, *move), move

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


def test_postgres_answers_as_memory_does(schema: Schema) -> None:
    rows = TestPostgresAndFolder()
    with asyncio.Runner() as runner:
        rows.owner, rows.schema = runner.run(Database.open(schema.owner_url, size=1)), schema.name
        rows.database = runner.run(Database.open(schema.url))

        @given(st.lists(MOVE, max_size=25))
        @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        def agree(script: list[tuple[str, str, bytes]]) -> None:
            async def play(folder: Path) -> None:
                await rows.empty()
                memory = TestMemory()
                one, other = await memory.make(folder), await rows.make(folder)
                for move in script:
                    assert await answer(memory, one, *move) == await answer(rows, other, *move), move

            with tempfile.TemporaryDirectory() as folder:
                runner.run(play(Path(folder)))

        agree()
        runner.run(rows.owner.close())
        runner.run(rows.database.close())
