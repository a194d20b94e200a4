"""`HOME/marks`: one page that all processes of a home share, with the last durable row of each of its files. Writing a
mark costs no system call except the check that the page still exists: if its file was removed, the home was removed,
and nothing more is acknowledged there."""

import errno
import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aob.core.errors import Unavailable
from aob.ports.marks import Unmarked

PAGE: Final = 4_096
MAGIC: Final = b"AOBMARK2"
SLOT: Final = 32
FIRST_SHARD: Final = 4
NAMES: Final = ("gate.db", "events.db", "webhooks.db")
_slot: Final = struct.Struct("<16sqQ")
_row: Final = struct.Struct("<qQ")
_ODD: Final = 0x9E37_79B9_7F4A_7C15
_PRIME: Final = (1 << 61) - 1
_WORD: Final = (1 << 64) - 1
NOBODY: Final = bytes(16)


class MarksPage:
    """The page of a home. `of(name)` is the mark of one file."""

    def __init__(self, path: Path, home: bytes, shards: int) -> None:
        self.path, self.home = path, home
        self.hold(shards)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(self._handle).st_size != PAGE:
                os.ftruncate(self._handle, 0)
                if os.pwrite(self._handle, bytes(PAGE), 0) < PAGE:  # a hole would be a signal 7 on a full disk
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            self.page = mmap.mmap(self._handle, PAGE)
        except BaseException:
            os.close(self._handle)
            raise
        self.inode: int = os.fstat(self._handle).st_ino
        self.page[: len(MAGIC) + len(home)] = MAGIC + home

    def hold(self, shards: int) -> None:
        """The home has so many shards from now on."""
        self.used = SLOT * (FIRST_SHARD + shards)

    def of(self, name: str) -> "PageMark":
        """The mark of a file of the home."""
        return PageMark(self, slot_of(name))

    def beside(self) -> "Beside":
        """A mark for a file that can be rebuilt: it reads the others' marks and writes none."""
        return Beside(self)

    def gone(self) -> bool:
        """Whether the file of the page was removed, or its folder with it."""
        return os.fstat(self._handle).st_nlink == 0

    def close(self) -> None:
        """Close the page. Idempotent."""
        if not self.page.closed:
            self.page.close()
            os.close(self._handle)


class PageMark:
    """The port `Mark` of one file in the page."""

    def __init__(self, page: MarksPage, slot: int) -> None:
        self._page, self.home = page, page.home
        self._at, self._row_at = slot * SLOT, slot * SLOT + 16
        self._fd = page._handle
        self._id = NOBODY

    def begin(self, file_id: bytes, row: int) -> None:
        self._id = file_id
        _slot.pack_into(self._page.page, self._at, file_id, row, check_of(file_id, row))

    def note(self, row: int) -> None:
        if os.fstat(self._fd).st_nlink == 0:
            raise home_gone(self._page.path.parent)
        _row.pack_into(self._page.page, self._row_at, row, check_of(self._id, row))

    def peers(self) -> bytes:
        page, at = self._page, self._at
        return page.page[SLOT:at] + NOBODY + NOBODY + page.page[at + SLOT : page.used]


class Beside(Unmarked):
    """The mark of a file without an entry in the page."""

    def __init__(self, page: MarksPage) -> None:
        self._page, self.home = page, page.home

    def peers(self) -> bytes:
        return self._page.page[SLOT : self._page.used]


def home_gone(home: Path, file: str = "") -> Unavailable:
    """The error of acknowledging something in a home, or a file of it, that no longer exists."""
    what = f"{file} of the home {home}" if file else f"the home {home}"
    hint = "nothing was acknowledged since; stop this process and start it on a home that is there"
    return Unavailable(f"{what} was removed or replaced while it ran", code="home_gone", hint=hint)


def slot_of(name: str) -> int:
    """The offset of a file's mark."""
    if name in NAMES:
        return NAMES.index(name) + 1
    return FIRST_SHARD + int(name.removeprefix("shard-").removesuffix(".db"))


def name_of(slot: int) -> str:
    """The file whose mark is at an offset."""
    return NAMES[slot - 1] if slot < FIRST_SHARD else f"shard-{slot - FIRST_SHARD}.db"


def known_in(places: bytes) -> dict[str, tuple[bytes, int]]:
    """Files with their ids and rows, from places as returned by `peers`. A damaged place is skipped."""
    found: dict[str, tuple[bytes, int]] = {}
    for at in range(0, len(places) - SLOT + 1, SLOT):
        file_id, row, check = _slot.unpack_from(places, at)
        if file_id != NOBODY and check == check_of(file_id, row):
            found[name_of(at // SLOT + 1)] = file_id, row
    return found


def check_of(file_id: bytes, row: int) -> int:
    """The check word of a place: detects every change of a single bit."""
    return (int.from_bytes(file_id, "little") % _PRIME ^ row * _ODD) & _WORD


def places_of(known: Mapping[str, tuple[bytes, int]], size: int) -> bytes:
    """The inverse of `known_in`: places of this size."""
    places = bytearray(size)
    for name, (file_id, row) in known.items():
        at = (slot_of(name) - 1) * SLOT if name != "metrics.db" else size  # which has no place
        if at + SLOT <= size:
            _slot.pack_into(places, at, file_id, row, check_of(file_id, row))
    return bytes(places)


def read_marks(path: Path) -> tuple[bytes, dict[str, tuple[bytes, int]]]:
    """The id of the home and the page's records of its files; empty for a page that is missing or not ours."""
    try:
        data = path.read_bytes()
    except OSError:
        return b"", {}
    if len(data) != PAGE or data[:8] != MAGIC:
        return b"", {}
    return data[8:24], known_in(data[SLOT:])
