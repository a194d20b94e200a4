"""How a command finds its server: HOME/server.json while one runs, HOME/key as its key."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.core.policy import LOCAL

SERVER_FILE: Final = "server.json"
KEY_FILE: Final = "key"


@contextmanager
def announced(home: Path, url: str, workers: str = "") -> Iterator[None]:
    """Writes where the server is into the home while this is entered: `{"url", "pid"}`, and where workers come to."""
    path = home / SERVER_FILE
    said = msgspec.json.encode({"url": url, "pid": os.getpid()} | ({"workers": workers} if workers else {}))
    _write(path, said)
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_bytes() == said:
                path.unlink()


async def loopback_key(home: Path, verbs: Any) -> str:
    """The secret of the home's own key, which has every role: created at the first start, in a file of mode 0600."""
    path = home / KEY_FILE
    with suppress(OSError):
        kept = path.read_text().strip()
        if kept and verbs.authenticate(kept) is not None:
            return kept
    secret: str = (await verbs.create_key(LOCAL, LOCAL.name, tuple(sorted(LOCAL.roles)), LOCAL.tenant))["secret"]
    _write(path, secret.encode() + b"\n")
    return secret


def _write(path: Path, data: bytes) -> None:
    """Writes atomically, never readable by others, not even for a moment."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.unlink()
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
