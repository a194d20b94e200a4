"""`aob entity`: the state of an entity, now or then, and its history."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aob.cli.commands.live.rows import INSTANT_HELP, instant
from aob.cli.picture import clock, short
from aob.cli.screen import Screen
from aob.cli.words import Commands, command

if TYPE_CHECKING:
    from aob.client import AsyncClient


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob entity`."""
    one = command(commands, common, "entity", "show the state of an entity; exits with 1 when there is none", show)
    one.add_argument("type", metavar="TYPE", help="order, user …")
    one.add_argument("id", metavar="ID")
    one.add_argument("--as-of", metavar="WHEN", help=f"then: {INSTANT_HELP}")
    one.add_argument("--history", type=int, metavar="N", default=0, help="the last N changes, too")


async def show(aob: "AsyncClient", args: Namespace, screen: Screen) -> int:
    """One entity."""
    found = await aob.entity(args.type, args.id, as_of=instant(args.as_of), history=args.history)
    if screen.json:
        screen.value(found)
        return 0 if found["exists"] else 1
    if not found["exists"]:
        screen.state(f"there is no {args.type} {args.id}" + (" then" if args.as_of else ""), "failed")
        return 1
    screen.line(f"{args.type} {args.id}  changed {clock(found['changed_at'])}")
    for name, value in found["state"].items():
        screen.line(f"  {name}  {short(value)}")
    for change in found.get("history", ()):
        changed = change.get("changed")
        parts = [f"{name} {short(value, 80)}" for name, value in changed.items()] if isinstance(changed, dict) else []
        said = "  ".join(["removed"] * bool(change.get("removed")) + parts)
        screen.line(f"{clock(change.get('at'))}  {change.get('event', '')}  {said}", style="dim")
    return 0
