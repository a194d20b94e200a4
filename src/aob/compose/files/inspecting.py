"""What `aob doctor` checks in the files of a home: each database, the files against each other, and blobs; with `deep`
all blobs, and heads and timers against the events. Reads only; the home may run."""

import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from aob.backends.sqlite.file import unavailable
from aob.backends.sqlite.store import SqliteStore
from aob.compose.files.checking import names, troubles
from aob.compose.files.comparing import Trouble
from aob.compose.files.link_secret import link_secret
from aob.core.errors import AobError, Unavailable
from aob.core.value import ROW_MAX, Ref, decode, ref_in
from aob.ports.blobs import Blobs
from aob.ports.store import FILE_CORRUPT, Store, every_timer
from aob.ports.topics import every_end

BLOBS_SAMPLED: Final = 200
SHOWN: Final = 5
Opens = Callable[[], Awaitable[Store]]


class Seen(NamedTuple):
    """One checked item: whether it is well, what was found, and how to mend it."""

    what: str
    well: bool
    says: str
    mend: str = ""


def inspected(home: Path, *, deep: bool = False) -> Iterator[Seen]:
    """All findings about the files that need no server."""
    found: list[Trouble] = []
    try:
        found = troubles(home)
    except AobError as error:
        yield Seen("files", False, error.detail, error.hint)
    for trouble in found:
        yield Seen(trouble.file, False, trouble.says, trouble.hint)
    if not found and names(home):
        yield Seen("files", True, f"{len(names(home))} files know one another")
    if closed := sorted(path.name for path in home.iterdir() if path.is_file() and not _open_to_us(path)):
        mend = "use the account that owns the home, or chmod 600"
        yield Seen("closed files", False, f"this user may not read and write {', '.join(closed)}", mend)
    for name in names(home):
        yield _database(home / name, deep)
    if (home / "blobs").is_dir():
        yield _blobs(home / "blobs", deep)
    if (home / "link.secret").exists():
        yield from _link_secret(home)


def _open_to_us(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _link_secret(home: Path) -> Iterator[Seen]:
    try:
        link_secret(home)
    except AobError as error:
        yield Seen("link.secret", False, error.detail, error.hint)
    except OSError as error:
        yield Seen("link.secret", False, f"it cannot be read: {error.strerror}", "restore it, or remove it")


def _database(path: Path, deep: bool) -> Seen:
    check = "integrity_check" if deep else "quick_check"
    mend = f"restore it, or aob restore --accept-loss {path.name}"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as file:
            said = [str(row[0]) for row in file.execute(f"pragma {check}({SHOWN})")]
    except sqlite3.Error as error:
        known = unavailable(path, error)
        said = [str(error)]
        if known.code == "store_failed":
            mend = "see to the disk: nothing says that the file is damaged"
        elif known.code != FILE_CORRUPT:
            mend = f"{known.hint}; nothing says that the file is damaged"
    well = said == ["ok"]
    if not well and not _open_to_us(path):
        mend = f"may this user read and write {path}? Nothing is lost: use the account that owns the home, or chmod 600"
    return Seen(path.name, well, f"{check}: {'; '.join(said)}", "" if well else mend)


def _blobs(folder: Path, deep: bool) -> Seen:
    every = (path for path in folder.glob("*/??/*") if not path.name.startswith("."))
    bad, count = list[str](), 0
    for path in every if deep else islice(every, BLOBS_SAMPLED):
        count += 1
        name = path.parent.name + path.name
        try:
            if sha256(path.read_bytes()).hexdigest() != name:
                bad.append(name)
        except OSError as error:
            bad.append(f"{name} ({error.strerror})")
    how = f"{count} of them are what was put" if deep else f"{count} of a sample are what was put (--deep: all)"
    if not bad:
        return Seen("blobs", True, how)
    return Seen("blobs", False, f"{len(bad)} of {count} are damaged: {', '.join(bad[:SHOWN])}",
                "restore them from a copy; aob run release lets their runs go on")  # fmt: skip


def shard_stores(home: Path) -> Iterator[tuple[str, Opens]]:
    """The shards of a home in files, by name."""
    for name in names(home):
        if name.startswith("shard-"):
            yield name, partial(SqliteStore.open, home / name)


async def compared(stores: Iterable[tuple[str, Opens]], read_back: Callable[[Any], Any], blobs: Blobs) -> list[Seen]:
    """Compare heads and timers of each shard with the events of its live streams, and check that the blobs of live runs
    exist, and that records of topics are what was written. The home must not run."""
    found: list[Seen] = []
    lacking: list[str] = []
    for name, opens in stores:
        store = await opens()
        try:
            recovered = await read_back(store)
            wrong = [f"{each}: {why}" for each, why in recovered.unreadable.items()]
            rows: dict[str, dict[str, int]] = {}
            async for timer in every_timer(store):
                rows.setdefault(timer.stream, {})[timer.id] = timer.due_ms
            for stream in recovered.streams.values():
                head = await store.head(stream.name)
                wrong += _wrong(stream, head, rows.pop(stream.name, {}))
                if not stream.ended:
                    named = {ref.digest for ref in _refs(stream.state) if ref.size > ROW_MAX}
                    gone = [digest.hex() for digest in named if not await blobs.has(stream.tenant, digest)]
                    lacking += [f"{digest} of {stream.name}" for digest in sorted(gone)]
            found += await _records(name, store)
            wrong += [f"{each} has timers and does not live" for each in rows if each not in recovered.unreadable]
        except AobError as error:
            found.append(Seen(f"{name} heads", False, error.detail, error.hint))
            continue
        finally:
            await store.close()
        mend = "" if not wrong else "restore it from a backup"
        says = f"{len(wrong)} differ: {'; '.join(wrong[:SHOWN])}" if wrong else (
            f"heads and timers of {len(recovered.streams)} streams are what their events say")  # fmt: skip
        found.append(Seen(f"{name} heads", not wrong, says, mend))
    if lacking:
        found.append(Seen("blobs of live runs", False, f"{len(lacking)} are missing: {', '.join(lacking[:SHOWN])}",
                          "restore them from a copy; aob run release lets their runs go on"))  # fmt: skip
    return found


async def _records(name: str, store: Store) -> list[Seen]:
    """Whether the records of topics are what was written; nothing for a shard without any."""
    damaged, count = list[str](), 0
    async for end in every_end(store):
        start = 0
        while rows := await store.records(end.tenant, end.topic, end.partition, start):
            for row in rows:
                try:
                    count += len(row.logged(name))
                except Unavailable:
                    damaged.append(f"{end.topic} of {end.tenant}, partition {end.partition} from {row.first} on")
            start = max(start + 1, rows[-1].end)
    if damaged:
        says = f"{len(damaged)} rows of records are damaged: {', '.join(damaged[:SHOWN])}"
        return [Seen(f"{name} records", False, says, "restore it from a backup")]
    return [Seen(f"{name} records", True, f"{count:,} records of topics are what was written")] if count else []


def _refs(state: object) -> Iterator[Ref]:
    """Blobs that a state refers to."""
    stack = [state]
    while stack:
        here = stack.pop()
        if isinstance(here, msgspec.Raw):
            ref = ref_in(decode(here))
            if ref is not None:
                yield ref
        elif isinstance(here, msgspec.Struct):
            stack.extend(getattr(here, name) for name in here.__struct_fields__)
        elif isinstance(here, Mapping):
            stack.extend(here.values())
        elif isinstance(here, list | tuple | set | frozenset):
            stack.extend(here)


def _wrong(stream: Any, head: Any, rows: Mapping[str, int]) -> list[str]:
    if stream.law.kind != "run":
        return []
    mine = stream.law.head(stream)
    found = []
    if head is None:
        return [] if stream.lazy else [f"{stream.name} has no head"]
    if not stream.lazy and (head.status, head.ended_ms, head.name) != (mine.status, mine.ended_ms, mine.name):
        found.append(f"{stream.name} is {mine.status}, and its head says {head.status}")
    timers = {} if stream.ended else {each.id: each.due_ms for each in stream.state.timers.values()}
    if timers != dict(rows):
        found.append(f"{stream.name}: its timers are not those of its events")
    return found
