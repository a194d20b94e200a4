"""Fixtures of real servers: one Postgres for a run, a schema of one's own for a test."""

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.servers.postgres import NoServerError, Server, server, shared

SERVICE = "aob_service"
PASSWORD = "of-the-tests"
MASTER_KEY = "b2YtdGhlLXRlc3RzLW9mLXRoZS10ZXN0cy1vZi1hb2I="
"""What every home on Postgres needs."""


class Schema(NamedTuple):
    """A schema as `aob db init` makes it: the URL of the service, that of the owner, and its name."""

    url: str
    owner_url: str
    name: str


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The URL of a superuser on the one server of this run."""
    os.environ.setdefault("AOB_MASTER_KEY", MASTER_KEY)
    try:
        return shared()
    except NoServerError as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server of one test file's own: it may be stopped, set up otherwise, or end the sessions of everybody."""
    os.environ.setdefault("AOB_MASTER_KEY", MASTER_KEY)
    try:
        with server() as one:
            yield one
    except NoServerError as why:
        pytest.skip(str(why))


SPARE: Final[dict[str, list[str]]] = {}
"""Schemas of each server that tests have given back, emptied: to make one costs ten times as much."""
EMPTYING: Final = Path(__file__).with_name("emptying.sql").read_text()


def made_schema(url: str, shards: int = 16, store: int = 1, cluster: bytes = b"") -> Schema:
    """A fresh schema on a server, as `aob db init` makes it; `url` is the owner's. `store` and `cluster`: a further
    database of a cluster."""
    psycopg = pytest.importorskip("psycopg")
    from aob.backends.postgres.address import read_address
    from aob.backends.postgres.steps import Making, first_rows, new_schema

    spare = SPARE.get(url)
    name, day = spare.pop() if spare else "", int(time.time()) // 86_400
    with psycopg.connect(url) as owner:
        verifier = owner.pgconn.encrypt_password(PASSWORD.encode(), SERVICE.encode(), b"scram-sha-256").decode()
        made = Making(
            name or f"t_{secrets.token_hex(6)}", SERVICE, verifier, cluster or secrets.token_bytes(16), shards, 64,
            "tests", day, 0, store,
        )  # fmt: skip
        owner.execute("\n".join(first_rows(made) if name else new_schema(made)).encode())
    address = read_address(f"{url}?schema={made.schema}")
    return Schema(address.with_user(SERVICE, PASSWORD), f"{url}?schema={made.schema}", made.schema)


def further_store(url: str, first: Schema, store: int = 2, shards: int = 16) -> Schema:
    """A further database of the cluster of a schema, here a schema beside it or on another server."""
    import psycopg

    with psycopg.connect(first.owner_url.partition("?")[0]) as owner:
        ((id,),) = owner.execute(f'select id from "{first.name}".cluster'.encode()).fetchall()
    return made_schema(url, shards, store, id)


def dropped(schema: Schema) -> None:
    """The schema is gone with everything in it; or it is emptied for the next test, when nothing but rows changed."""
    import psycopg

    from aob.backends.postgres.steps import STEPS

    url, steps = schema.owner_url.partition("?")[0], ", ".join(str(each.number) for each in STEPS)
    try:
        with psycopg.connect(url) as owner:
            emptying = EMPTYING.replace("{schema}", schema.name).replace("{steps}", steps)
            done = owner.execute(emptying.encode())
            done.nextset()
            whole = done.fetchone() == (True,)
    except psycopg.Error:
        whole = False
    if whole:
        SPARE.setdefault(url, []).append(schema.name)
        return
    with psycopg.connect(url) as owner:
        owner.execute(f'drop schema "{schema.name}" cascade'.encode())


@pytest.fixture
def postgres_schema(postgres_url: str) -> Iterator[Schema]:
    """A fresh schema with 16 shards, given back afterwards."""
    made = made_schema(postgres_url)
    yield made
    dropped(made)
