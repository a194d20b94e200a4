"""Finds the server and key of a command: options, then the environment, then the home's own files."""

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aob.cli.words import home_of
from aob.core.errors import Invalid

if TYPE_CHECKING:
    from aob.client import AsyncClient

LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))


def connect(args: Namespace, env: Mapping[str, str]) -> "AsyncClient":
    """The client of the chosen server: `--server`, AOB_SERVER, or the one that runs on the home."""
    from aob.client import AsyncClient, find_key, find_place

    home, url, key = home_of(args, env), args.server or env.get("AOB_SERVER"), env.get("AOB_KEY")
    if not url:
        place = find_place(home)
        return AsyncClient(place.url, key or place.key)
    if urlsplit(url).scheme not in ("http", "https"):
        raise Invalid(f"{url!r} is not the address of a server", hint="--server http://127.0.0.1:8080")
    # The home's own key is for this machine: it is not sent to any other.
    if not key and urlsplit(url).hostname in LOOPBACK and (home / "key").exists():
        key = find_key(home)
    return AsyncClient(url, key or "")
