"""The secret with which a home in files signs links: a file of it."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from aob.core.errors import Unavailable

SECRET_BYTES: Final = 32


def link_secret(home: Path) -> bytes:
    """The secret that signs links of this home, made once; links survive a restart."""
    path = home / "link.secret"
    if not path.exists():
        beside = home / f".link.secret.{os.getpid()}"
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process of the home made it first
            os.link(beside, path)
        beside.unlink()
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:  # a link signed with a shorter secret could be guessed
        raise Unavailable(f"{path} has {len(secret)} bytes, not {SECRET_BYTES}", code="bad_secret_file",
                          hint="restore it, or remove it: links that were sent before open nothing then")  # fmt: skip
    return secret
