"""What the SQLite backends share: how a file is opened, how statements are named, what a failure is called."""

import os
import sqlite3
from importlib import resources
from pathlib import Path

from aob.core.errors import Unavailable
from aob.ports.store import FILE_CORRUPT


def statements(file: str) -> dict[str, str]:
    """The named statements of a `.sql` file beside this module: `-- name`, `-- what it does`, then the statement."""
    text = resources.files("aob.backends.sqlite").joinpath(file).read_text()
    found: dict[str, str] = {}
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("-- "):
            found[lines[0][3:].strip()] = "\n".join(line for line in lines[1:] if not line.startswith("--"))
    return found


def connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A connection in WAL mode that syncs every commit and never checkpoints by itself."""
    if not path.exists():  # SQLite gives what it keeps beside a file the modes of the file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=timeout_s, cached_statements=64
    )
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma wal_autocheckpoint = 0")
    connection.execute("pragma temp_store = memory")
    connection.execute("pragma cache_size = -32000")
    return connection


def unavailable(path: Path, error: Exception) -> Unavailable:
    """The error for a file that does not do what it is asked."""
    text = str(error)
    if "full" in text:
        return Unavailable(f"{path.name}: the disk is full", code="disk_full",
                           hint="free some space; work goes on by itself")  # fmt: skip
    if "locked" in text:
        return Unavailable(f"{path.name} is locked by another process", code="store_locked",
                           hint="end the process that holds it; work goes on by itself")  # fmt: skip
    if "malformed" in text or "not a database" in text or "decode to UTF-8" in text:
        return Unavailable(
            f"{path.name} is damaged: {text}", code=FILE_CORRUPT,
            hint=f"restore it from a backup, or lose what it held: aob restore --accept-loss {path.name}",
        )  # fmt: skip
    if "unable to open" in text or "readonly" in text:
        return Unavailable(f"{path.name}: {text}", code="store_failed", hint=f"may this user read and write {path}?")
    return Unavailable(f"{path.name}: {text}", code="store_failed", hint="run `aob doctor`")
