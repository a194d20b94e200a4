"""An open home on SQLite and the handlers in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import aob
from aob.compose import App
from tests.runs.home import Deed


@pytest.fixture
def deed() -> Deed:
    return Deed()


@pytest.fixture
async def app(tmp_path: Path, deed: Deed) -> AsyncIterator[App]:
    async with aob.open(tmp_path / "home", app=deed.handlers()) as opened:
        yield opened
        deed.release()
