"""Lists the running attempts in a file that is never synced: the next start knows what a crash or a stop cut off. Each
worker writes its job into a slot. The next process reads the list, and whether the stop was orderly. It may lag or be
lost: then attempts are dispatched in their recorded state. Never blocks a worker."""

import contextlib
import errno
import hashlib
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

SLOT: Final = 512
SLOTS: Final = 1_024
HEAD: Final = 512
HOLDER: Final = 32
_STOPPED: Final = b"S"
_RUNS: Final = b"R"
_END: Final = 10  # a line break ends what a slot holds; one that begins with it holds nothing


class Running:
    """The list of one owner process. `before` are the marks of the process before it; `crashed` says how that ended."""

    def __init__(self, path: Path, places: int = SLOTS) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = HEAD + SLOT * places
            if os.fstat(handle).st_size != size:
                os.ftruncate(handle, 0)
                # Written, not only made longer: a hole of a mapped file is a signal 7 when the disk is full.
                if os.pwrite(handle, bytes(size), 0) < size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            self._file = mmap.mmap(handle, size)
        finally:
            os.close(handle)
        data = self._file[:]
        self.crashed = data[:1] != _STOPPED
        slots = (data[at : at + SLOT] for at in range(HEAD, len(data), SLOT))
        self.before = frozenset(slot[: slot.index(_END)] for slot in slots if slot[0] not in (0, _END) and _END in slot)
        self.holders = dict(_lent(data))
        """Of marks that were lent: to whom."""
        self._free = list(range(HEAD, len(data), SLOT))
        self._map: mmap.mmap | bytearray = self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._map = bytearray(len(self._map))  # a late worker writes nowhere
        with contextlib.suppress(BufferError):
            self._file.close()

    @classmethod
    def carry(cls, source: Path, target: Path) -> None:
        """Add the source's running jobs to another process's list: those whose run it lacks do not matter. Neither list
        is in use. Idempotent."""
        if not source.exists():
            return
        with cls(source) as here, cls(target) as there:
            lacking = sorted(here.before - there.before)
            if lacking:
                there._file[:1] = _RUNS if here.crashed or (there.crashed and there.before) else _STOPPED
            places = [at for at in there._free if there._file[at] in (0, _END)]
            for at, each in zip(places, lacking, strict=False):
                there._file[at : at + len(each) + 1] = each + b"\n"

    def anew(self) -> None:
        """This process begins to work; until then a crash leaves the earlier list."""
        self._map[:] = bytes(len(self._map))
        self._map[:1] = _RUNS

    def take(self) -> int:
        """A slot for a worker; 0 when all are taken."""
        return self._free.pop() if self._free else 0

    def give(self, slot: int) -> None:
        """Free the slot of a worker that has ended."""
        self.clear(slot)
        if slot:
            self._free.append(slot)

    def begin(self, slot: int, key: str, attempt: int) -> None:
        """The worker of this slot, which is not 0, begins an attempt of a visit, and has finished the one before."""
        data = f"{key} {attempt}\n".encode()  # as `mark`, written out: every job takes this path
        if len(data) >= SLOT - HOLDER - 1:
            data = b"%b\n" % mark(key, attempt)
        self._map[slot : slot + len(data)] = data

    def lend(self, slot: int, key: str, attempt: int, holder: bytes) -> None:
        """An attempt of a visit is given to a holder, named by HOLDER bytes of hexadecimal digits. No slot: nothing."""
        if slot:
            data = b"%b\n%b\n" % (mark(key, attempt), holder)
            self._map[slot : slot + len(data)] = data

    def clear(self, slot: int) -> None:
        """The worker of this slot is idle."""
        if slot:
            self._map[slot] = _END

    def stop(self, cut_off: Iterable[tuple[str, int]]) -> None:
        """The process stops in order, and only these attempts were cut off."""
        self._map[HEAD:] = bytes(len(self._map) - HEAD)
        for at, (key, attempt) in zip(range(HEAD, len(self._map), SLOT), cut_off, strict=False):
            self.begin(at, key, attempt)
        self._map[:1] = _STOPPED
        self._map = bytearray(len(self._map))


def mark(key: str, attempt: int) -> bytes:
    """The entry of an attempt, by the key of its visit; a hash where it is too long for a slot."""
    text = f"{key} {attempt}".encode()
    return text if len(text) < SLOT - HOLDER - 2 else b"#%b" % hashlib.sha256(text).hexdigest().encode()


def _lent(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for at in range(HEAD, len(data), SLOT):
        lines = data[at : at + SLOT].split(b"\n", 2)
        if data[at] not in (0, _END) and len(lines) > 2 and len(lines[1]) == HOLDER:
            yield lines[0], lines[1]
