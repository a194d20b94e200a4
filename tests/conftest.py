"""What holds for all tests: a property has no deadline, for a shared machine may pause at any time. Servers are one for
a run."""

import pytest
from hypothesis import settings

from tests.servers.fixtures import postgres_schema, postgres_url
from tests.servers.postgres import name_run
from tests.suites import begin, pytest_collection_modifyitems, pytest_terminal_summary

__all__ = ["postgres_schema", "postgres_url", "pytest_collection_modifyitems", "pytest_terminal_summary"]

settings.register_profile("aob", deadline=None)
settings.load_profile("aob")


def pytest_configure(config: pytest.Config) -> None:
    """Before any process of the run starts: they all use the servers of this name."""
    name_run()
    begin(config)
