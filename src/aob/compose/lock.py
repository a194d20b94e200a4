"""One owner process a home: a file lock that the kernel lets go of when the process ends, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from aob.core.errors import Conflict


@contextmanager
def owning(home: Path, name: str = "lock") -> Iterator[None]:
    """Holds the lock of a home. Raises Conflict `home_in_use` with the address of whoever holds it."""
    try:
        import fcntl
    except ImportError:  # Windows: the store's own lock has to do
        yield
        return
    home.mkdir(parents=True, exist_ok=True)
    handle = os.open(home / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _taken(home) from error
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def _taken(home: Path) -> Conflict:
    address, pid = "", ""
    try:
        said = msgspec.json.decode((home / "server.json").read_bytes())
        address, pid = said.get("url", ""), str(said.get("pid", ""))
    except (OSError, msgspec.MsgspecError, AttributeError):
        pass  # it has no server, or is about to have one
    where = f" at {address}" if address else ""
    by = f" by process {pid}" if pid else " by another process"
    hint = f"talk to it over HTTP: aob --server {address} run list" if address else "use another --home, or end it"
    return Conflict(f"the home {home} is in use{by}{where}", code="home_in_use", url=address, hint=hint)
