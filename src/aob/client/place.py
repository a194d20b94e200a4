"""The address and key of a home's server: two files that `aob up` writes. Reads nothing else."""

import os
from pathlib import Path
from typing import Final

import msgspec

from aob.core.errors import Unauthorized, Unavailable

SERVER_FILE: Final = "server.json"
KEY_FILE: Final = "key"
HOME_FILE: Final = "home.json"


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
        hint = f"start it: aob up --home {home}"
        if _in_database(home):
            hint = (
                "a cluster is asked through its APIs: --server http://HOST:PORT (AOB_SERVER), AOB_KEY=...; else " + hint
            )
        raise Unavailable(f"no server runs on {home}", code="no_server", hint=hint) from error
    return msgspec.structs.replace(said, key=find_key(home))


def _in_database(home: Path) -> bool:
    """Whether it is of a home in a database, of which other processes may take requests."""
    try:
        return bool(msgspec.json.decode((home / HOME_FILE).read_bytes(), type=_Home).store)
    except (OSError, msgspec.MsgspecError):
        return bool(os.environ.get("AOB_STORE"))


class _Home(msgspec.Struct):
    store: str = ""


def find_key(home: Path) -> str:
    """The key of a home. Raises Unauthorized when this user may not read it."""
    try:
        return (home / KEY_FILE).read_text().strip()
    except OSError as error:
        why = f"the key of {home} cannot be read: {error.strerror}"
        raise Unauthorized(why, hint="use the account that started it, or give a key: AOB_KEY=...") from error
