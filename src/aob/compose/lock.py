"""One owner process per home: a file lock that the kernel releases however the process ends."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from aob.compose.forking import given_back, never_in_a_child
from aob.core.errors import Conflict, Unavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def owning(home: Path, name: str = "lock") -> Iterator[None]:
    """Holds the lock of a home. Raises Conflict `home_in_use` with the address of its holder."""
    try:
        import fcntl
    except ImportError:  # Windows: the store's own lock has to suffice
        yield
        return
    with usable(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(home / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _taken(home, name) from error
        with usable(home):
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        never_in_a_child(handle)
        yield
    finally:
        given_back(handle)
        os.close(handle)


@contextmanager
def usable(home: Path) -> Iterator[None]:
    """Raises errors of the file system as Unavailable that says why."""
    try:
        yield
    except OSError as error:
        where = error.filename or home
        if error.errno in _FULL:
            raise Unavailable(f"the disk of {home} is full", code="disk_full", hint="free some space and start again",
                              ) from error  # fmt: skip
        raise Unavailable(f"{where}: {error.strerror or error}", code="home_unusable",
                          hint=f"may this user write to {home}?") from error  # fmt: skip


def _taken(home: Path, name: str) -> Conflict:
    address = pid = ""
    try:
        pid = (home / name).read_text()
        said = msgspec.json.decode((home / "server.json").read_bytes())
        if str(said["pid"]) == pid:  # else a killed server left it
            address = str(said["url"])
    except (OSError, ValueError, LookupError, TypeError):
        pass  # it has no server, or is starting one
    where = f" at {address}" if address else ""
    by = f" by process {pid}" if pid.isdigit() else " by another process"
    hint = f"talk to it over HTTP: aob --server {address} run list" if address else "use another --home, or end it"
    return Conflict(f"the home {home} is in use{by}{where}", code="home_in_use", url=address, hint=hint)
