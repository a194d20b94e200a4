"""A real server over an engine in memory, and commands that speak to it in this process."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from aob.cli.parser import parse
from aob.cli.screen import Screen
from aob.cli.session import perform
from aob.compose.status import viewpoint
from aob.server import create_app, serving
from tests.server.fake import SECRET, FakeEngine
from tests.server.fake_metrics import FakeMetrics


@dataclass
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    @property
    def rows(self) -> list[Any]:
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


@dataclass
class Terminal:
    """Runs commands as a person types them."""

    env: dict[str, str]
    colour: bool = False
    screens: list[Screen] = field(default_factory=list)

    async def __call__(self, *words: str) -> Done:
        args = parse(words)
        out, err = io.StringIO(), io.StringIO()
        with patch.object(viewpoint, "set_up_log"):  # the log of this process stays as it is
            code = await perform(args, Screen(out, err, json=args.json, colour=self.colour), self.env)
        return Done(code, out.getvalue(), err.getvalue())


Aob = Callable[..., Awaitable[Done]]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def metrics() -> FakeMetrics:
    return FakeMetrics()


@pytest.fixture
async def url(engine: FakeEngine, metrics: FakeMetrics) -> AsyncIterator[str]:
    async with serving(create_app(engine, metrics)) as address:
        yield address


@pytest.fixture
def aob(url: str, tmp_path: Path) -> Terminal:
    return Terminal({"AOB_SERVER": url, "AOB_KEY": SECRET, "AOB_HOME": str(tmp_path / "home")})


@pytest.fixture
async def run_id(aob: Terminal) -> str:
    return str((await aob("run", "start", "order", "--input", "order_id=o-1", "--json")).json["run_id"])
