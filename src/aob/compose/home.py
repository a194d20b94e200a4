"""How many shards a home has, which of them a run is in, and ids that lie in one of them.

`HOME/home.json` remembers the number for ever: it decides where every run is looked for.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from aob.core.errors import Conflict, Invalid, Problem
from aob.core.event import partition_of
from aob.core.event.ids import PARTITIONS
from aob.runs import Ambient, RunIds

HOME_FILE: Final = "home.json"
FIRST_FILE: Final = "shard-0.db"


class _Home(msgspec.Struct):
    shards: int


def shards_of(home: Path, wanted: int) -> int:
    """The number of shards of a home; of a new one as many as are wanted (0: one), from then on for ever.

    Raises Conflict `other_shards` when the home has another number, Invalid `bad_shards`.
    """
    if not 0 <= wanted <= PARTITIONS:
        limit = Problem("shards", f"{wanted} is not between 1 and {PARTITIONS}", "bad_shards")
        raise Invalid(f"a home has 1 to {PARTITIONS} shards", [limit])
    known = _known(home)
    if known is None:
        known = wanted or 1
        _remember(home, known)
    if wanted not in (0, known):
        raise Conflict(
            f"{home} was made with {known} shard{'s'[: known != 1]}, not with {wanted}",
            code="other_shards",
            hint=f"leave --shards out, or say --shards {known}: a home keeps the number it was made with",
            shards=known,
        )
    return known


def single(home: Path, wanted: int) -> None:
    """Holds that a home can run in one process. Raises Conflict `many_shards`, with what to do instead."""
    known = _known(home)
    count = known if known is not None else wanted
    if count > 1:
        raise Conflict(
            f"{home} has {count} shards, each with a process of its own",
            code="many_shards",
            hint=f"run it: aob up --home {home}, and talk to it with aob.Client.of_home",
        )
    shards_of(home, wanted)


def shard_of(run_id: str, shards: int) -> int:
    """The shard of a run."""
    return partition_of(run_id) % shards


class ShardIds(RunIds):
    """Run ids that lie in one shard: its owner makes them, and everybody finds it by them."""

    def __init__(self, ambient: Ambient, shard: int, shards: int) -> None:
        super().__init__(ambient)
        self._shard, self._shards = shard, shards

    def next(self) -> str:
        """A new id of this shard, greater than all before it."""
        while shard_of(made := super().next(), self._shards) != self._shard:
            pass
        return made


def _known(home: Path) -> int | None:
    path = home / HOME_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Home).shards
    except FileNotFoundError:
        return 1 if (home / FIRST_FILE).exists() else None
    except msgspec.MsgspecError as error:
        raise Invalid(f"{path} cannot be read: {error}", [Problem(HOME_FILE, str(error), "bad_home")]) from error


def _remember(home: Path, shards: int) -> None:
    home.mkdir(parents=True, exist_ok=True)
    beside = home / f".{HOME_FILE}"
    with beside.open("wb") as file:
        file.write(msgspec.json.encode(_Home(shards)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(home / HOME_FILE)
