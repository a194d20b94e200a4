"""What cannot be read of a home in a database is named with the database, not with a file that is not there."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import aob
from aob.core.errors import Unavailable
from tests.runs.home import Deed, chain
from tests.servers.fixtures import Schema, dropped, made_schema


@pytest.fixture
def schema(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schema]:
    made = made_schema(postgres_url, 1)
    monkeypatch.setenv("AOB_STORE", made.url)
    yield made
    dropped(made)


@pytest.mark.parametrize("damage", ["crc = crc + 1", "data = set_byte(data, 40, get_byte(data, 40) # 1)"])
async def test_a_corrupt_row_names_the_database_and_the_shard(tmp_path: Path, schema: Schema, damage: str) -> None:
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        await app.push(chain("w", "echo"))
    with psycopg.connect(schema.owner_url.partition("?")[0]) as owner:
        owner.execute(f'update "{schema.name}".journal set {damage} where shard = 0'.encode())
        owner.execute(f'update "{schema.name}".shard set cut = 0 where id = 0'.encode())
    with pytest.raises(Unavailable) as refused:
        async with aob.open(tmp_path / "home", app=Deed().handlers()):
            pass
    error = refused.value
    assert error.code == "row_corrupt"
    assert "postgresql://" in error.detail
    assert "shard 0" in error.detail
    assert "of-the-tests" not in error.detail, "no password"
    assert ".db" not in f"{error.detail} {error.hint}"
    assert "restore the database" in error.hint
