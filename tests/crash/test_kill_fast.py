"""kill -9 while steps of `fast` runs are ahead of the disk: what was answered is there, what was not may be asked for
with other inputs under the same key, and no output is of inputs that were never started with."""

import asyncio
import signal
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

import aob
from aob.core.errors import Conflict
from aob.runs.starts import keyed_id
from tests.crash.points import Trap, set_traps
from tests.runs.home import chain, finished
from tests.servers.forks import FORKS

KEYS: Final = 12
LIFE_S: Final = 60


def handlers() -> SimpleNamespace:
    @aob.node(effect="none")
    async def think(value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "n": value["n"] + 1}

    @aob.node(effect="none")
    def ponder(value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "n": value["n"] + 1, "x": "x" * 70_000}

    return SimpleNamespace(think=think, ponder=ponder)


async def live(home: Path, trap: Trap, life: int, asked: dict[int, str], tell: Connection) -> None:
    set_traps(trap)
    async with aob.open(home, app=handlers()) as app:
        await app.push(chain("one", "think", "think", "ponder", "think", "think"))

        async def one(key: int) -> None:
            mark = asked.get(key, f"{key} in life {life}")
            try:
                run_id = (await app.start("one", {"mark": mark, "n": 0}, key=f"k{key}", mode="fast")).id
            except Conflict as conflict:  # it was durable, and nobody was told so
                if conflict.code != "start_exists" or key in asked:
                    raise
                run_id = keyed_id("default", "one", f"k{key}")
                mark = (await app.run(run_id))["inputs"]["mark"]
            tell.send((key, mark))
            told = await finished(app, run_id)
            found = (told["inputs"]["mark"], told["output"]["mark"], told["output"]["n"])
            assert (told["status"], *found) == ("COMPLETED", mark, mark, 5)

        for key in range(0, KEYS, 3):
            await asyncio.gather(*(one(each) for each in range(key, key + 3)))


def main(home: str, point: str, count: int, life: int, asked: dict[int, str], tell: Connection) -> None:
    asyncio.run(live(Path(home), Trap(point, count), life, asked, tell))


def lived(home: Path, point: str, count: int, life: int, asked: dict[int, str]) -> int | None:
    """One life; its exit code. `asked` gets what was answered in it."""
    mine, yours = FORKS.Pipe(duplex=False)
    child = FORKS.Process(target=main, args=(str(home), point, count, life, dict(asked), yours))
    child.start()
    yours.close()
    with closing(mine):
        while mine.poll(LIFE_S):
            try:
                key, mark = mine.recv()
            except EOFError:
                break
            assert asked.setdefault(key, mark) == mark
    child.join(LIFE_S)
    return child.exitcode


@pytest.mark.parametrize(
    "point", ["commit.begin", "commit.before", "commit.at_the_disk", "commit.after", "release.before"]
)
def test_what_was_answered_is_there_and_nothing_is_made_of_what_never_was(tmp_path: Path, point: str) -> None:
    asked: dict[int, str] = {}
    for life, count in enumerate((3, 4, 5)):
        assert lived(tmp_path / "home", point, count, life, asked) in (0, -signal.SIGKILL)
    assert lived(tmp_path / "home", "", 1, 9, asked) == 0
    assert asked.keys() == set(range(KEYS))
