"""One bit of a home is turned, anywhere in any of its files: it opens and tells the truth, or says which file it is.

What is told must be what was told before the damage, an error with a code, or the absence of one run that is named.
"""

import random
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

import aob
from aob.core.errors import AobError
from tests.metrics.till import SHOP, sold
from tests.runs.home import Deed, chain, crashed, finished, flow, until

FILES: Final = ("shard-0.db", "shard-0.db-wal", "gate.db", "gate.db-wal", "metrics.db", "webhooks.db", "marks",
                "home.json", "link.secret")  # fmt: skip
FLIPS: Final = 4
WAIT: Final = flow("wait", {"w": {"kind": "wait", "config": {"message": "m"}}})


async def told(app: aob.App, runs: list[str]) -> list[Any]:
    """What the home says of everything; an error by its code."""
    found: list[Any] = []
    for run_id in runs:
        try:
            run = await app.run(run_id)
            found.append((run["status"], run["output"]))
        except AobError:
            found.append("error")
    try:
        found.append((await app.metric("sales", window="all"))["value"])
    except AobError:
        found.append("error")
    return found


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[Any]]:
    """A home as a crash left it after two lives, the runs in it, and what it told."""
    import asyncio

    folder = tmp_path_factory.mktemp("left")

    async def lives() -> tuple[Path, list[str], list[Any]]:
        runs = []
        for life in range(2):
            deed = Deed()
            async with aob.open(folder / "home", app=deed.handlers()) as app:
                if not life:
                    await app.push_contracts({"shop.yaml": SHOP})
                    await app.push(chain("one", "echo", "echo"))
                    await app.push(WAIT)
                for number in range(3):
                    runs.append((await app.start("one", {"n": number})).id)
                    await finished(app, runs[-1])
                runs.append((await app.start("wait")).id)
                await until(app, runs[-1], "wait_opened")
                await app.ingest([sold(10 * life + number) for number in range(5)])
                said = await told(app, runs)
                if life:
                    return crashed(app, folder / "left"), runs, said
        raise AssertionError

    return asyncio.run(lives())


@pytest.mark.parametrize("name", FILES)
async def test_a_flipped_bit_is_never_a_lie_and_never_a_trace(
    name: str, left: tuple[Path, list[str], list[Any]], tmp_path: Path
) -> None:
    folder, runs, before = left
    size = (folder / name).stat().st_size if (folder / name).exists() else 0
    dice = random.Random(name)
    for number in range(FLIPS if size else 0):
        home = tmp_path / str(number)
        shutil.copytree(folder, home)
        at, bit = dice.randrange(size), 1 << dice.randrange(8)
        data = bytearray((home / name).read_bytes())
        data[at] ^= bit
        (home / name).write_bytes(bytes(data))
        where = f"{name}: bit {bit} of byte {at}"
        try:
            async with aob.open(home, app=Deed().handlers()) as app:
                said = await told(app, runs)
        except AobError:
            continue
        lies = [(is_, was) for is_, was in zip(said, before, strict=True) if is_ not in (was, "error")]
        assert not lies, f"{where}: {lies}"
