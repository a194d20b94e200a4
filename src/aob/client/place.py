"""The address and key of a home's server: two files that `aob up` writes. Reads nothing else."""

from pathlib import Path
from typing import Final

import msgspec

from aob.core.errors import Unauthorized, Unavailable

SERVER_FILE: Final = "server.json"
KEY_FILE: Final = "key"


class Place(msgspec.Struct, frozen=True):
    """A server and its key; `pid` is its process, 0 if unknown."""

    url: str
    key: str = ""
    pid: int = 0


def find_place(home: Path) -> Place:
    """The running server of a home. Raises Unavailable `no_server` when none runs, Unauthorized without its key."""
    try:
        said = msgspec.json.decode((home / SERVER_FILE).read_bytes(), type=Place)
    except (OSError, msgspec.MsgspecError) as error:
        why = f"no server runs on {home}"
        raise Unavailable(why, code="no_server", hint=f"start it: aob up --home {home}") from error
    return msgspec.structs.replace(said, key=find_key(home))


def find_key(home: Path) -> str:
    """The key of a home. Raises Unauthorized when this user may not read it."""
    try:
        return (home / KEY_FILE).read_text().strip()
    except OSError as error:
        why = f"the key of {home} cannot be read: {error.strerror}"
        raise Unauthorized(why, hint="use the account that started it, or give a key: AOB_KEY=...") from error
