"""A home that lives several lives, each ended by a kill -9 or in peace, and what lies on its disk between them."""

import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.crash.life import main
from tests.servers.forks import FORKS

LIFE_S = 60
COMPLETED_TAG = 3


class Entry(NamedTuple):
    """One committed event, as the view `event_log` shows it."""

    row: int
    stream: str
    seq: int
    event: list[Any]


class Deed(NamedTuple):
    """One performance that a handler noted."""

    run: str
    visit: str
    attempt: int
    pid: int


class House:
    """A home in a folder. `acknowledged` are the starts that some life answered, by key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: dict[str, str] = {}
        self.told: dict[str, Any] = {}

    def live(self, point: str = "", count: int = 1, decide: str = "") -> bool:
        """One life; whether it was killed. Any other end than a kill or peace is an error."""
        mine, yours = FORKS.Pipe(duplex=False)
        home = str(self.folder / "home")
        child = FORKS.Process(target=main, args=(home, point, count, yours, decide))
        child.start()
        yours.close()
        self.told = {}
        with closing(mine):
            while mine.poll(LIFE_S):
                try:
                    what, *told = mine.recv()
                except EOFError:
                    break
                if what == "started":
                    name, run_id = told
                    assert self.acknowledged.setdefault(name, run_id) == run_id, f"the start of {name} was forgotten"
                else:
                    self.told = told[0]
        child.join(LIFE_S)
        code = child.exitcode
        if code is None:
            child.kill()
            child.join()
        child.close()
        assert code in (0, -signal.SIGKILL), f"the life ended with {code}"
        return code != 0

    def copied(self, folder: Path) -> "House":
        """The same home in another folder, as this one left it."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        other = House(folder)
        other.acknowledged = dict(self.acknowledged)
        return other

    def log(self) -> list[Entry]:
        """Every committed event, read from a copy: the files stay as the dead process left them."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in (self.folder / "home").glob("shard-0.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, copy)
        with closing(sqlite3.connect(copy / "shard-0.db")) as db:
            if not db.execute("select 1 from sqlite_master where name = 'event_log'").fetchone():
                return []
            rows = db.execute("select row, stream, seq, event from event_log").fetchall()
        return [Entry(row, stream, seq, msgspec.json.decode(event)) for row, stream, seq, event in rows]

    def deeds(self) -> list[Deed]:
        """Every performance so far, in order."""
        file = self.folder / "deeds"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Deed(run, visit, int(attempt), int(pid)) for run, visit, attempt, pid in map(str.split, lines)]


def completed(log: list[Entry]) -> list[tuple[str, str]]:
    """Every committed completion, as (run, visit)."""
    return [(e.stream, e.event[1]) for e in log if e.stream.startswith("run_") and e.event[0] == COMPLETED_TAG]
