"""Every `Leases` backend against the one suite."""

from collections.abc import AsyncIterator, Iterator

import pytest

from aob.backends.memory.leases import MemoryLeases
from aob.backends.postgres.database import Database
from aob.backends.postgres.members import PostgresLeases
from aob.ports.cluster import Leases
from aob.testing.conformance.leases import LEASE_MS, SHARDS, LeasesSuite
from tests.servers.fixtures import Schema, dropped, made_schema


class TestMemory(LeasesSuite):
    now_ms = 1_000

    async def make(self) -> Leases:
        return MemoryLeases(SHARDS, LEASE_MS, lambda: self.now_ms)

    async def advance(self, ms: int) -> None:
        self.now_ms += ms


@pytest.fixture(scope="module")
def schema(postgres_url: str) -> Iterator[Schema]:
    """One for all tests here, with so many shards."""
    made = made_schema(postgres_url, SHARDS)
    yield made
    dropped(made)


class TestPostgres(LeasesSuite):
    """Time passes by moving what is written back: a lease is long enough that none ends by itself."""

    lease_ms = 600_000

    @pytest.fixture(autouse=True)
    async def databases(self, schema: Schema) -> AsyncIterator[None]:
        self.database, self.other = await Database.open(schema.url), await Database.open(schema.url)
        self.owner = await Database.open(schema.owner_url)
        self.name = f'"{schema.name}"'
        await self.owner.run(f"truncate {self.name}.lease")
        await self.owner.run(f"delete from {self.name}.member")
        yield
        for database in (self.database, self.other, self.owner):
            await database.close()

    async def make(self) -> Leases:
        return PostgresLeases(self.database, self.lease_ms)

    async def another(self, leases: Leases) -> Leases:
        return PostgresLeases(self.other, self.lease_ms)

    async def advance(self, ms: int) -> None:
        back = f"interval '{ms} milliseconds'"
        await self.owner.run(f"update {self.name}.lease set until = until - {back}, taken = taken - {back}")
        await self.owner.run(f"update {self.name}.member set until = until - {back}")

    async def test_a_renewal_does_not_wait_for_a_commit(self, leases: Leases) -> None:
        await leases.take(0, "one")
        async with self.owner.transaction() as commit:
            await commit.execute(f"update {self.name}.shard set row = row where id = 0".encode())
            assert (await leases.renew("one")).terms == {0: 1}
            assert (await leases.take(0, "one")).term == 2

    async def test_the_service_writes_leases_by_the_functions_alone(self, leases: Leases) -> None:
        with pytest.raises(Exception, match=r"store_rights|permission") as refused:
            await self.database.run(f"update {self.name}.lease set owner = 'me'")
        assert getattr(refused.value, "code", "") == "store_rights"
