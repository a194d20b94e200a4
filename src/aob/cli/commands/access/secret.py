"""`aob secret`: set, list and remove secrets of the home. They are its files: no server is involved."""

import getpass
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from aob.cli.screen import Screen
from aob.cli.words import Commands, command, group, home_of

EXAMPLES = """examples:
  aob secret set SHOP_KEY --host api.shop.example     the value is asked for, or read from standard input
  headers: {Authorization: "Bearer {secret:SHOP_KEY}"}   what an http node says
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


async def keep(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Set a secret."""
    from aob.compose import secrets_of

    value = getpass.getpass(f"value of {args.name}: ") if sys.stdin.isatty() else sys.stdin.read()
    secrets_of(home_of(args, env), env).set(args.name, value.rstrip("\r\n"), tuple(args.host))
    where = f"goes to {', '.join(args.host)}" if args.host else "goes wherever a document of this home says"
    if not screen.told({"name": args.name, "hosts": args.host}):
        screen.line(f"{{secret:{args.name}}} {where}")


async def list_all(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """All secrets."""
    from aob.compose import secrets_of

    found = list(secrets_of(home_of(args, env), env).names())
    if not screen.told([{"name": name, "from": source, "hosts": hosts} for name, source, hosts in found]):
        rows = [(name, source, ", ".join(hosts) or "any") for name, source, hosts in found]
        screen.table(("secret", "from", "hosts"), rows, none="the home keeps no secrets")


async def remove(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Remove a secret."""
    from aob.compose import secrets_of

    secrets_of(home_of(args, env), env).remove(args.name)
    screen.value({"name": args.name, "removed": True}) if screen.json else screen.line(f"{args.name} is removed")
