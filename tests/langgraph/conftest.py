"""Savers on every store; each test of them runs sync and async."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aob.langgraph import AobSaver
from tests.langgraph.both import Both
from tests.servers.fixtures import dropped, made_schema

STORES = ("memory", "sqlite", "postgres")


@pytest.fixture(scope="session", params=STORES)
def opened(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AobSaver]:
    """A saver with a store of its own, that tests share: each has its own threads."""
    if request.param == "postgres":
        schema = made_schema(request.getfixturevalue("postgres_url"), 2)
        with AobSaver.open(schema.url) as saver:
            yield saver
        dropped(schema)
        return
    where = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path_factory.mktemp('savers')}/threads.db"}
    with AobSaver.open(where[request.param]) as saver:
        yield saver


@pytest.fixture(params=["sync", "async"])
def saver(request: Any, opened: AobSaver) -> Both:
    """The same, called by one kind of methods."""
    return Both(opened, sync=request.param == "sync")


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """The URL of a file that is not there yet."""
    return f"sqlite:///{tmp_path}/threads.db"
