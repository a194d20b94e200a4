"""Tests on every store: those marked `every_store` run once on the files of a home and once on Postgres."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.fixtures import dropped, made_schema

MARK = "every_store"
STORES = ("files", "postgres")


def parametrized(metafunc: pytest.Metafunc) -> None:
    """What `pytest_generate_tests` does for the mark."""
    if metafunc.definition.get_closest_marker(MARK) is not None:
        metafunc.fixturenames.insert(0, "store_of_homes")  # before any home is opened
        metafunc.parametrize("store_of_homes", STORES, indirect=True)


@pytest.fixture
def store_of_homes(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Homes that this test opens, and the commands that it starts, have their truth there."""
    if request.param == "files":
        yield request.param
        return
    schema = made_schema(request.getfixturevalue("postgres_url"), 1)
    monkeypatch.setenv("AOB_STORE", schema.url)
    yield request.param
    dropped(schema)
