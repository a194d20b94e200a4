"""How many shards a home has, which of them a run is in, and ids that lie in one of them.

`HOME/home.json` remembers the number for ever: it decides where every run is looked for.
"""

import os
import time
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.marks_page import read_marks
from aob.backends.sqlite.identity import look
from aob.core.errors import AobError, Conflict, Invalid, Problem, Unavailable
from aob.core.event import PARTITIONS, partition_of
from aob.ports.marks import FORMAT
from aob.runs import Ambient, RunIds

HOME_FILE: Final = "home.json"


class _First(msgspec.Struct):
    """As the first release wrote it."""

    shards: int


class _Count(msgspec.Struct):
    count: int


class _Home(msgspec.Struct):
    """As this release writes it. The first release finds no number in `shards` and refuses it."""

    format: int
    id: str
    shards: _Count
    generation: int = 1


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
        _remember(home, _made(home, known))
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


def forwarded(home: Path) -> None:
    """Bring `home.json` to the format of this release: the first release refuses the home from then on. Call it with
    the home's lock; twice is fine."""
    known = _read(home)
    if isinstance(known, _Home):
        return
    count = known.shards if known is not None else _known(home)
    if count is not None:
        _remember(home, _made(home, count))


def home_id(home: Path) -> bytes:
    """The id of a home; empty for one that has none yet."""
    known = _read(home)
    return bytes.fromhex(known.id) if isinstance(known, _Home) else b""


def home_made(home: Path) -> int:
    """The format of a home; 0 for one that is not made yet."""
    known = _read(home)
    return 0 if known is None else known.format if isinstance(known, _Home) else 1


def generation_of(home: Path) -> int:
    """How many lives a home has had: one more with each loss that was accepted, and with each restore."""
    known = _read(home)
    return known.generation if isinstance(known, _Home) else 1


def new_generation(home: Path) -> None:
    """A loss was accepted, or a copy put back: positions of before are not those of now."""
    known = _read(home)
    if isinstance(known, _Home):
        known.generation += 1
        _remember(home, known)


def _known(home: Path) -> int | None:
    known = _read(home)
    if known is not None:
        return known.shards.count if isinstance(known, _Home) else known.shards
    there = [number for number, _ in _shards(home)]
    count = max(there) + 1 if there else None
    if count is not None:
        _remember(home, _made(home, count))  # it was lost: from now on it is there, whatever else is lost
    return count


def _shards(home: Path) -> list[tuple[int, Path]]:
    every = ((number, home / f"shard-{number}.db") for number in range(PARTITIONS))
    return [(number, path) for number, path in every if path.exists()]


def _made(home: Path, shards: int) -> _Home:
    """A home that is new; or one whose `home.json` is lost: it is who its files say it is. How many generations it has
    had is not known any more then, so this is one that it has never had."""
    id = _id_in_files(home)
    return _Home(FORMAT, (id or os.urandom(16)).hex(), _Count(shards), int(time.time()) if id else 1)


def _id_in_files(home: Path) -> bytes:
    for _, path in _shards(home):
        try:
            found = look(path, "journal")
        except AobError:
            continue  # damaged: whoever opens it says so
        if found is not None and found.home:
            return found.home
    return read_marks(home / "marks")[0]


def _read(home: Path) -> _Home | _First | None:
    path = home / HOME_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}", code="home_unusable",
                          hint=f"may this user read {home}?") from error  # fmt: skip
    try:
        told = msgspec.json.decode(data)
        if not isinstance(told, dict) or "format" not in told:
            return msgspec.convert(told, _First)
        if isinstance(told["format"], int) and told["format"] > FORMAT:
            raise Conflict(f"{path} has format {told['format']}, and this release reads up to {FORMAT}",
                           code="newer_format", hint="use the release that wrote it, or a later one")  # fmt: skip
        found = msgspec.convert(told, _Home)
        bytes.fromhex(found.id)
        return found
    except (msgspec.MsgspecError, ValueError) as error:
        problem = Problem(HOME_FILE, str(error), "bad_home")
        raise Invalid(f"{path} cannot be read: {error}", [problem],
                      hint="restore it, or remove it: it is made again from the other files") from error  # fmt: skip


def _remember(home: Path, told: _Home) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = home / f".{HOME_FILE}"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(told) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(home / HOME_FILE)
