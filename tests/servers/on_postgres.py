"""A suite on Postgres: each of its tests has a schema and a pool of its own."""

from collections.abc import AsyncIterator

import pytest

from aob.backends.postgres.database import Database
from tests.servers.fixtures import Schema


class OnPostgres:
    """Give a suite `self.db`, the pool of the service, and `self.schema`."""

    db: Database
    schema: Schema

    @pytest.fixture(autouse=True)
    async def database(self, postgres_schema: Schema) -> AsyncIterator[None]:
        """A new schema."""
        self.schema = postgres_schema
        self.db = await Database.open(postgres_schema.url, size=4)
        yield
        await self.db.close()
