"""`HOME/marks`: one page that all processes of a home share, with the last durable row of each of its files.

Writing a mark costs no system call but the look whether the page is still where it was: a page whose file was removed
belongs to a home that was removed, and nothing more is acknowledged there.
"""

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
        self.used = SLOT * (FIRST_SHARD + shards)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(self._handle).st_size != PAGE:
                os.ftruncate(self._handle, PAGE)
            self.page = mmap.mmap(self._handle, PAGE)
        except BaseException:
            os.close(self._handle)
            raise
        self.inode: int = os.fstat(self._handle).st_ino
        self.page[: len(MAGIC) + len(home)] = MAGIC + home

    def of(self, name: str) -> "PageMark":
        """The mark of a file of the home."""
        return PageMark(self, slot_of(name))

    def beside(self) -> "Beside":
        """For a file that can be made again: it knows the others, and nobody need know it."""
        return Beside(self)

    def gone(self) -> bool:
        """Whether the file of the page was removed, or its folder with it."""
        return os.fstat(self._handle).st_nlink == 0

    def close(self) -> None:
        """Let go of the page. Twice is fine."""
        if not self.page.closed:
            self.page.close()
            os.close(self._handle)


class PageMark:
    """The place of one file."""

    def __init__(self, page: MarksPage, slot: int) -> None:
        self._page, self.home = page, page.home
        self._at, self._row_at = slot * SLOT, slot * SLOT + 16
        self._fd = page._handle
        self._id = NOBODY

    def begin(self, file_id: bytes, row: int) -> None:
        """Who the file is, and its last durable row."""
        self._id = file_id
        _slot.pack_into(self._page.page, self._at, file_id, row, check_of(file_id, row))

    def note(self, row: int) -> None:
        """This row is durable."""
        if os.fstat(self._fd).st_nlink == 0:
            raise home_gone(self._page.path.parent)
        _row.pack_into(self._page.page, self._row_at, row, check_of(self._id, row))

    def peers(self) -> bytes:
        """The places of all others."""
        page, at = self._page, self._at
        return page.page[SLOT:at] + NOBODY + NOBODY + page.page[at + SLOT : page.used]


class Beside(Unmarked):
    """The mark of a file that has no place in the page."""

    def __init__(self, page: MarksPage) -> None:
        self._page, self.home = page, page.home

    def peers(self) -> bytes:
        """The places of all."""
        return self._page.page[SLOT : self._page.used]


def home_gone(home: Path, file: str = "") -> Unavailable:
    """The error of whoever wanted to acknowledge something in a home, or a file of it, that is not there any more."""
    what = f"{file} of the home {home}" if file else f"the home {home}"
    return Unavailable(f"{what} was removed or replaced while it ran", code="home_gone",
                       hint="nothing was acknowledged since; stop this process and start it on a home that is there",
                       )  # fmt: skip


def slot_of(name: str) -> int:
    """Where the mark of a file lies."""
    if name in NAMES:
        return NAMES.index(name) + 1
    return FIRST_SHARD + int(name.removeprefix("shard-").removesuffix(".db"))


def name_of(slot: int) -> str:
    """The file whose mark lies there."""
    return NAMES[slot - 1] if slot < FIRST_SHARD else f"shard-{slot - FIRST_SHARD}.db"


def known_in(places: bytes) -> dict[str, tuple[bytes, int]]:
    """Files with their ids and rows, from places as `peers` gives them. A place that is not what was written says
    nothing."""
    found: dict[str, tuple[bytes, int]] = {}
    for at in range(0, len(places) - SLOT + 1, SLOT):
        file_id, row, check = _slot.unpack_from(places, at)
        if file_id != NOBODY and check == check_of(file_id, row):
            found[name_of(at // SLOT + 1)] = file_id, row
    return found


def check_of(file_id: bytes, row: int) -> int:
    """The check word of a place: no bit of it changes alone."""
    return (int.from_bytes(file_id, "little") % _PRIME ^ row * _ODD) & _WORD


def places_of(known: Mapping[str, tuple[bytes, int]], size: int) -> bytes:
    """The opposite of `known_in`: so many bytes of places."""
    places = bytearray(size)
    for name, (file_id, row) in known.items():
        at = (slot_of(name) - 1) * SLOT if name != "metrics.db" else size  # which has no place
        if at + SLOT <= size:
            _slot.pack_into(places, at, file_id, row, check_of(file_id, row))
    return bytes(places)


def read_marks(path: Path) -> tuple[bytes, dict[str, tuple[bytes, int]]]:
    """The id of the home and what the page says of its files; nothing of a page that is not there or not ours."""
    try:
        data = path.read_bytes()
    except OSError:
        return b"", {}
    if len(data) != PAGE or data[:8] != MAGIC:
        return b"", {}
    return data[8:24], known_in(data[SLOT:])
