"""A suite on Postgres: each of its tests has a schema and a pool of its own. And a schema on a server of one's own."""

import secrets
import time
from collections.abc import AsyncIterator

import psycopg
import pytest

from aob.backends.postgres.address import read_address
from aob.backends.postgres.database import Database
from aob.backends.postgres.steps import Making, new_schema
from tests.servers.fixtures import PASSWORD, SERVICE, Schema


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


def schema_on(owner_url: str) -> Schema:
    """A schema on any server, as `aob db init` makes it."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        verifier = owner.pgconn.encrypt_password(PASSWORD.encode(), SERVICE.encode(), b"scram-sha-256").decode()
        name, day = f"t_{secrets.token_hex(6)}", int(time.time()) // 86_400
        making = Making(name, SERVICE, verifier, secrets.token_bytes(16), 1, 64, "tests", day, 0)
        with owner.transaction():
            owner.execute("\n".join(new_schema(making)).encode())
    address = read_address(f"{owner_url}?schema={name}")
    return Schema(address.with_user(SERVICE, PASSWORD), f"{owner_url}?schema={name}", name)
