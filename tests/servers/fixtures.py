"""Fixtures of real servers: one Postgres for a run, a schema of one's own for a test."""

import secrets
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.servers.postgres import NoServerError, shared

SERVICE = "aob_service"
PASSWORD = "of-the-tests"


class Schema(NamedTuple):
    """A schema as `aob db init` makes it: the URL of the service, that of the owner, and its name."""

    url: str
    owner_url: str
    name: str


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The URL of a superuser on the one server of this run."""
    try:
        return shared()
    except NoServerError as why:
        pytest.skip(str(why))


def made_schema(url: str, shards: int = 16) -> Schema:
    """A fresh schema on a server, as `aob db init` makes it; `url` is the owner's."""
    psycopg = pytest.importorskip("psycopg")
    from aob.backends.postgres.address import read_address
    from aob.backends.postgres.steps import Making, new_schema

    name, day = f"t_{secrets.token_hex(6)}", int(time.time()) // 86_400
    with psycopg.connect(url) as owner:
        verifier = owner.pgconn.encrypt_password(PASSWORD.encode(), SERVICE.encode(), b"scram-sha-256").decode()
        made = Making(name, SERVICE, verifier, secrets.token_bytes(16), shards, 64, "tests", day, 0)
        owner.execute("\n".join(new_schema(made)).encode())
    address = read_address(f"{url}?schema={name}")
    return Schema(address.with_user(SERVICE, PASSWORD), f"{url}?schema={name}", name)


def dropped(schema: Schema) -> None:
    """The schema is gone with everything in it."""
    import psycopg

    with psycopg.connect(schema.owner_url.partition("?")[0]) as owner:
        owner.execute(f'drop schema "{schema.name}" cascade'.encode())


@pytest.fixture
def postgres_schema(postgres_url: str) -> Iterator[Schema]:
    """A fresh schema with 16 shards, dropped afterwards."""
    made = made_schema(postgres_url)
    yield made
    dropped(made)
