"""`HOME/home.json`: a home's id, format and generation, and a hint of its numbers of shards and partitions."""

import os
import time
import uuid
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from aob.backends.marks_page import read_marks
from aob.backends.sqlite.identity import look
from aob.core.errors import AobError, Conflict, Invalid, Problem, Unavailable
from aob.core.event import PARTITIONS
from aob.ports.marks import FORMAT

HOME_FILE: Final = "home.json"
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux says which start of which machine this is."""


class _First(msgspec.Struct):
    """The format of the first release."""

    shards: int


class _Count(msgspec.Struct):
    count: int


class _Home(msgspec.Struct):
    """The format of this release. The first release finds no number in `shards` and refuses the file."""

    format: int
    id: str
    shards: _Count
    generation: int = 1
    partitions: int = PARTITIONS
    store: str = ""
    """Where the database is that has the truth of this home; then `shards` counts none, and earlier releases refuse."""
    member: str = ""
    """The name of the last process of this home among those of that database."""
    place: str = ""
    """Where that process had the folder: a copy of it is elsewhere."""


class Hint(NamedTuple):
    """The shards and partitions of a home according to `home.json`. The files of the shards take precedence."""

    shards: int
    partitions: int


def hint_of(home: Path) -> Hint | None:
    """The hint in `home.json`; None for a home without one."""
    known = _read(home)
    if known is None:
        return None
    return Hint(known.shards.count, known.partitions) if isinstance(known, _Home) else Hint(known.shards, PARTITIONS)


def remember(home: Path, hint: Hint) -> None:
    """Write the actual numbers when `home.json` says otherwise or nothing."""
    known = _read(home)
    if isinstance(known, _Home):
        known.shards, known.partitions = _Count(hint.shards), hint.partitions
        _remember(home, known)
    elif known is None:
        _remember(home, _made(home, hint))


class Membership(NamedTuple):
    """What `home.json` says of a home whose truth is in a database: the cluster's id, where it was, the name that the
    last process of this home had there, and whether that process had this very folder, so that the lock of the folder
    proves its end. A copy of it proves nothing, nor does the folder on another machine, or after a restart of this."""

    id: bytes
    where: str
    member: str
    here: bool = True


def database_of(home: Path) -> Membership | None:
    """The database of a home; None for one in files, or for none. Raises Conflict `other_store` for one in files that
    has runs."""
    known = _read(home)
    if isinstance(known, _Home) and known.store:
        return Membership(bytes.fromhex(known.id), known.store, known.member, known.place == _place(home))
    if known is None and not shard_files(home):
        return None
    raise Conflict(f"the runs of {home} are in its own files, and the setting `store` names a database",
                   code="other_store", hint="name another folder by --home, or leave the setting out")  # fmt: skip


def remember_database(home: Path, id: bytes, where: str, partitions: int) -> Membership:
    """Write that this folder belongs to a cluster, and a new name for this process. The caller has compared the ids and
    holds the home's lock. Returns what is written."""
    member = os.urandom(8).hex()
    _remember(home, _Home(FORMAT, id.hex(), _Count(0), 1, partitions, where, member, _place(home)))
    return Membership(id, where, member)


def _place(home: Path) -> str:
    """Which folder this is on which machine, as long as that runs."""
    found = home.stat()
    boot = BOOT.read_text().strip() if BOOT.exists() else f"{uuid.getnode():x}"
    return f"{boot}/{found.st_dev}/{found.st_ino}"


def in_files(home: Path) -> None:
    """Raises Conflict `other_store` for a home whose truth is in a database."""
    known = _read(home)
    if isinstance(known, _Home) and known.store:
        raise Conflict(f"the runs of {home} are in a database, and the setting `store` does not name it",
                       code="other_store", hint=f"set AOB_STORE to {known.store}, with user and password")  # fmt: skip


def kept_in_database(home: Path) -> bool:
    """Whether the truth of a home is in a database."""
    known = _read(home)
    return isinstance(known, _Home) and bool(known.store)


def files_only(home: Path, hint: str) -> None:
    """Raises Conflict `in_database`, with what to do instead, for a home that has no files with runs to work on."""
    known = _read(home)
    if isinstance(known, _Home) and known.store:
        raise Conflict(f"the runs of {home} are in {known.store}, not in its files", code="in_database", hint=hint)


def shard_files(home: Path) -> dict[int, Path]:
    """The existing files of shards, by number."""
    every = ((path.name[6:-3], path) for path in home.glob("shard-*.db"))
    return dict(sorted((int(number), path) for number, path in every if number.isdecimal()))


def forwarded(home: Path) -> None:
    """Upgrade `home.json` to the format of this release, which the first release refuses. The caller holds the home's
    lock. Idempotent."""
    known = _read(home)
    if isinstance(known, _First):
        _remember(home, _made(home, Hint(known.shards, PARTITIONS)))


def home_id(home: Path) -> bytes:
    """The id of a home; empty if it has none yet."""
    known = _read(home)
    return bytes.fromhex(known.id) if isinstance(known, _Home) else b""


def home_made(home: Path) -> int:
    """The format of a home; 0 if it is not made yet."""
    known = _read(home)
    return 0 if known is None else known.format if isinstance(known, _Home) else 1


def generation_of(home: Path) -> int:
    """The generation of a home: grows by one with each accepted loss and each restore."""
    known = _read(home)
    return known.generation if isinstance(known, _Home) else 1


def new_generation(home: Path) -> None:
    """Start a new generation after an accepted loss or a restore: earlier positions are no longer valid."""
    known = _read(home)
    if isinstance(known, _Home):
        known.generation += 1
        _remember(home, known)


def _made(home: Path, hint: Hint) -> _Home:
    """A new home; or one whose `home.json` is lost: its files give its id. Its number of generations is unknown then,
    so it gets one that it cannot have had."""
    id = _id_in_files(home)
    life = int(time.time()) if id else 1
    return _Home(FORMAT, (id or os.urandom(16)).hex(), _Count(hint.shards), life, hint.partitions)


def _id_in_files(home: Path) -> bytes:
    for path in shard_files(home).values():
        try:
            found = look(path, "journal")
        except AobError:
            continue  # damaged: opening it reports that
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
