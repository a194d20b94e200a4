"""`aob entity`: the state of an entity, now or then, and its history."""

from argparse import ArgumentParser, Namespace

from aob.cli.commands.live.rows import INSTANT_HELP, instant
from aob.cli.picture import clock, short
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command
from aob.core.metric_answers import EntityType

NO_TYPES = "no contract speaks of an entity"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob entity`."""
    one = command(commands, common, "entity", "show an entity (exits with 1 when there is none), or list them", show)
    one.add_argument("type", metavar="TYPE", nargs="?", help="order, user … (without it: the types)")
    one.add_argument("id", metavar="ID", nargs="?", help="without it: the ids of the type")
    one.add_argument("--after", metavar="ID", default="", help="go on behind this id")
    one.add_argument("--limit", type=int, default=100, help="ids (100)")
    one.add_argument("--as-of", metavar="WHEN", help=f"then: {INSTANT_HELP}")
    one.add_argument("--history", type=int, metavar="N", default=0, help="the last N changes, too")


async def show(aob: Aob, args: Namespace, screen: Screen) -> int:
    """One entity, the ids of a type, or the types."""
    if not args.type:
        types = await aob.entity_types()
        screen.listing(types, ("type", "attributes", "view"), map(_type, types), none=NO_TYPES)
        return 0
    if not args.id:
        return await _ids(aob, args, screen)
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


def _type(each: EntityType) -> tuple[str, ...]:
    return each["name"], ", ".join(one["name"] for one in each["attributes"]), each["view"]


async def _ids(aob: Aob, args: Namespace, screen: Screen) -> int:
    page = await aob.entity_ids(args.type, after=args.after, limit=args.limit)
    if screen.told(page):
        return 0
    screen.lines(page["ids"])
    if page["next"] is not None:
        screen.note(f"there are more: --after {page['next']}")
    return 0
