"""`aob secret`: set, list and remove secrets of the home: its files, or the store of its cluster. No server is
involved."""

import getpass
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from aob.cli.screen import Screen
from aob.cli.words import Commands, command, group, home_of

if TYPE_CHECKING:
    from aob.compose.secrets import SecretKeeping

EXAMPLES = """examples:
  aob secret set SHOP_KEY --host api.shop.example     the value is asked for, or read from standard input
  headers: {Authorization: "Bearer {secret:SHOP_KEY}"}   what an http node says
"""
REKEY = """AOB_MASTER_KEY is the new key, AOB_MASTER_KEY_OLD the one before. First every process of the cluster is
restarted with both; then this; then the old one may go.
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob secret`."""
    mine = group(commands, common, "secret", "keep, list and remove secrets of the home")
    one = command(
        mine, common, "set", "keep a secret; its value comes from standard input", keep, reach="alone", epilog=EXAMPLES
    )
    one.add_argument("name", metavar="NAME")
    one.add_argument("--host", action="append", default=[], help="a host it may go to, such as *.example.com; may be "
                     "repeated (without one it may go to any)")  # fmt: skip
    command(mine, common, "list", "list secrets by name, never their values", list_all, reach="alone")
    one = command(mine, common, "rm", "remove a secret", remove, reach="alone")
    one.add_argument("name", metavar="NAME")
    command(mine, common, "key", "print a new master key for a cluster", key, reach="alone")
    command(mine, common, "rekey", "encrypt the secrets of a cluster with a new master key", rekey, reach="alone",
            epilog=REKEY)  # fmt: skip


def _keeping(args: Namespace, env: Mapping[str, str]) -> "AbstractAsyncContextManager[SecretKeeping]":
    from aob.compose import read_settings
    from aob.compose.secrets import secret_keeping

    home = home_of(args, env)
    return secret_keeping(home, read_settings(home, env), env)


async def keep(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Set a secret."""
    value = getpass.getpass(f"value of {args.name}: ") if sys.stdin.isatty() else sys.stdin.read()
    async with _keeping(args, env) as secrets:
        await secrets.set(args.name, value.rstrip("\r\n"), tuple(args.host))
    where = f"goes to {', '.join(args.host)}" if args.host else "goes wherever a document of this home says"
    if not screen.told({"name": args.name, "hosts": args.host}):
        screen.line(f"{{secret:{args.name}}} {where}")


async def list_all(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """All secrets."""
    async with _keeping(args, env) as secrets:
        found = secrets.names()
    if not screen.told([{"name": name, "from": source, "hosts": hosts} for name, source, hosts in found]):
        rows = [(name, source, ", ".join(hosts) or "any") for name, source, hosts in found]
        screen.table(("secret", "from", "hosts"), rows, none="the home keeps no secrets")


async def remove(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Remove a secret."""
    async with _keeping(args, env) as secrets:
        await secrets.remove(args.name)
    screen.value({"name": args.name, "removed": True}) if screen.json else screen.line(f"{args.name} is removed")


async def key(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Print a new master key."""
    from aob.compose.secrets import new_master_key

    made = new_master_key()
    if not screen.told({"master_key": made}):
        screen.line(made)


async def rekey(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Go over to another master key."""
    async with _keeping(args, env) as secrets:
        count = await secrets.rekey()
    if not screen.told({"encrypted": count}):
        screen.line(f"{count} secrets were encrypted anew: AOB_MASTER_KEY is the key of the cluster")
