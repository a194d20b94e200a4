"""`aob key`: make, list, revoke."""

from argparse import ArgumentParser, Namespace
from typing import Final

from aob.cli.picture import clock
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, asks, command, group
from aob.core.answers import KeyCreated, KeyRow

ROLES: Final = ("view", "run", "deploy", "approve", "patch", "work", "admin")
"""As in `core.policy` (held by a test): importing it here would double the start time of every command."""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob key`."""
    mine = group(commands, common, "key", "make, list and revoke keys")
    one = command(mine, common, "create", "make a key and print its secret, once", asks("create_key", _secret))
    one.add_argument("name", metavar="NAME")
    one.add_argument(
        "--role", dest="roles", metavar="ROLE", action="append", required=True,
        help=f"{' '.join(ROLES)}, or a role of your own (letters); may be repeated",
    )  # fmt: skip
    one.add_argument("--tenant", help="the tenant (the one of the key that makes it)")
    command(mine, common, "list", "list keys, without their secrets", asks("list_keys", _keys))
    one = command(mine, common, "revoke", "revoke a key", revoke)
    one.add_argument("key", metavar="KEY", help="id of a key")


def _secret(made: KeyCreated, args: Namespace, screen: Screen) -> None:
    screen.line(made["secret"])
    screen.note(f"{made['id']}: this secret is shown only now; use it as AOB_KEY or X-API-Key")


def _keys(found: list[KeyRow], args: Namespace, screen: Screen) -> None:
    screen.table(("key", "name", "roles", "state", "made"), map(_row, found))
    for row in found:
        if row.get("note"):
            screen.note(f"{row['id']}: {row['note']}")


def _row(row: KeyRow) -> tuple[str, ...]:
    state = "active" if row.get("active", True) else "revoked"
    return row["id"], row.get("name", ""), " ".join(row.get("roles", ())), state, clock(row.get("at"))


async def revoke(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Revoke a key."""
    await aob.revoke_key(args.key)
    screen.value({"id": args.key, "active": False}) if screen.json else screen.line(f"{args.key} is revoked")
