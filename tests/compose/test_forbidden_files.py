"""Files that this user may not read, with the rights of a user who is not root: a line that helps, never a traceback,
and never the advice to give up what is only closed."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import aob
from aob.cli.session import run as command
from aob.core.errors import AobError
from tests.metrics.till import SHOP, sold

NOBODY = 65_534
FILES = [
    "",
    "home.json",
    "shard-0.db",
    "gate.db",
    "metrics.db",
    "webhooks.db",
    "events.db",
    "marks",
    "lock",
    "aob.toml",
]


@contextmanager
def nobody() -> Iterator[None]:
    """With the rights of a user to whom nothing is allowed that is not said."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


async def _lived(home: Path) -> None:
    async with aob.open(home) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        await app.ingest([sold(1)])


async def _opened(home: Path) -> None:
    async with aob.open(home):
        pass


@pytest.fixture(scope="module")
def lived() -> Iterator[Path]:
    """A home that belongs to nobody, and all that opening it imports."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        asyncio.run(_lived(home))
        (home / "aob.toml").write_text("")
        command(["doctor", "--home", str(home)])
        Path(folder).chmod(0o755)
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        yield home


@pytest.mark.parametrize("name", FILES)
def test_what_is_closed_is_told_in_a_line_that_helps(lived: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = lived / name
    if not path.exists():
        pytest.skip(f"this home has no {name}")
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        with nobody():
            if os.access(path, os.R_OK, effective_ids=True):
                pytest.skip("this machine lets everybody read everything")
            with pytest.raises(AobError) as closed:
                asyncio.run(_opened(lived))
            assert "may this user" in closed.value.hint
            for words in (["run", "list"], ["doctor"], ["workflow", "list"]):
                assert command([*words, "--home", str(lived)])
    finally:
        path.chmod(mode)
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "accept-loss" not in said.out + said.err + closed.value.hint
    with nobody():
        asyncio.run(_opened(lived))
