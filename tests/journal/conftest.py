"""Journals are quiet: what they log of faults that are meant is of no use."""

from collections.abc import Iterator, MutableMapping
from typing import Any, NoReturn

import pytest
import structlog


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    def silent(logger: object, name: str, event: MutableMapping[str, Any]) -> NoReturn:
        raise structlog.DropEvent

    kept = structlog.get_config()
    structlog.configure(processors=[silent])
    yield
    structlog.configure(**kept)
