"""`aob key`: make, list, revoke."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Final

from aob.cli.picture import clock
from aob.cli.screen import Screen
from aob.cli.words import Commands, command, group

if TYPE_CHECKING:
    from aob.client import AsyncClient

ROLES: Final = ("view", "run", "deploy", "approve", "patch", "admin")
"""As in `core.policy` (held by a test): importing it here would double the start time of every command."""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob key`."""
    mine = group(commands, common, "key", "make, list and revoke keys")
    one = command(mine, common, "create", "make a key and print its secret, once", create)
    one.add_argument("name", metavar="NAME")
    one.add_argument(
        "--role", metavar="ROLE", action="append", required=True,
        help=f"{' '.join(ROLES)}, or a role of your own (letters); may be repeated",
    )  # fmt: skip
    one.add_argument("--tenant", help="the tenant (the one of the key that makes it)")
    command(mine, common, "list", "list keys, without their secrets", list_all)
    one = command(mine, common, "revoke", "revoke a key", revoke)
    one.add_argument("key", metavar="KEY", help="id of a key")


async def create(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Make a key."""
    made = await aob.create_key(args.name, args.role, tenant=args.tenant)
    if screen.told(made):
        return
    screen.line(made["secret"])
    screen.note(f"{made['id']}: this secret is shown only now; use it as AOB_KEY or X-API-Key")


async def list_all(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """All keys."""
    found = await aob.list_keys()
    if screen.told(found):
        return
    rows = [
        (
            row["id"],
            row.get("name", ""),
            " ".join(row.get("roles", ())),
            "active" if row.get("active", True) else "revoked",
            clock(row.get("at")),
        )
        for row in found
    ]
    screen.table(("key", "name", "roles", "state", "made"), rows)
    for row in found:
        if row.get("note"):
            screen.note(f"{row['id']}: {row['note']}")


async def revoke(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Revoke a key."""
    await aob.revoke_key(args.key)
    screen.value({"id": args.key, "active": False}) if screen.json else screen.line(f"{args.key} is revoked")
