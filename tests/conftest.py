"""What holds for all tests: a property has no deadline, for a shared machine may pause at any time. Servers are one for
a run."""

import os
import sys

import pytest
from hypothesis import settings

from tests.authorities import share
from tests.servers.fixtures import own_server, postgres_schema, postgres_url
from tests.servers.postgres import name_run
from tests.servers.stores import MARK, parametrized, store_of_homes
from tests.suites import (
    EXAMPLES,
    FAST,
    begin,
    pytest_collection_modifyitems,
    pytest_ignore_collect,
    pytest_runtest_setup,
    pytest_terminal_summary,
)
from tests.unchanged import unchanged_process

__all__ = [
    "own_server", "postgres_schema", "postgres_url", "pytest_collection_modifyitems", "pytest_ignore_collect",
    "pytest_runtest_setup", "pytest_terminal_summary", "store_of_homes", "unchanged_process",
]  # fmt: skip

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process of a test compiles the whole product anew
sys.dont_write_bytecode = False
settings.register_profile("aob", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=EXAMPLES)
settings.load_profile("fast" if os.environ.get(FAST) else "aob")


def pytest_configure(config: pytest.Config) -> None:
    """Before any process of the run starts: they all use the servers of this name."""
    config.addinivalue_line("markers", f"{MARK}: runs on the files of a home and on Postgres")
    name_run()
    share()
    begin(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests on every store."""
    parametrized(metafunc)
