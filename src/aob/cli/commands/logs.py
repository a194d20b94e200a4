"""`aob logs stream`: what handlers wrote, as they write it."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aob.cli.finding import find_run
from aob.cli.picture import short
from aob.cli.screen import Screen
from aob.cli.words import Commands, command, group
from aob.core.answers import JsonObject

if TYPE_CHECKING:
    from aob.client import AsyncClient

HEAD = ("at", "time", "ts", "visit", "node", "attempt", "level", "message", "event", "run", "run_id")


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob logs`."""
    mine = group(commands, common, "logs", "read what handlers wrote")
    one = command(mine, common, "stream", "print the logs of a run until it has ended", stream)
    one.add_argument("run", metavar="RUN", help="id of a run, or enough of its end")
    one.add_argument("--node", help="only the lines of this node")
    one.add_argument("--no-follow", action="store_true", help="print what there is and stop")


async def stream(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Lines as they come."""
    run_id = await find_run(aob, args.run)
    async for line in aob.logs(run_id, node=args.node, follow=not args.no_follow):
        screen.value(line) if screen.json else screen.line(told(line))


def told(line: JsonObject) -> str:
    """A line for a person: when, where, what, and its fields."""
    at = next((str(line[name]) for name in ("at", "time", "ts") if name in line), "")
    where = str(line.get("visit") or line.get("node") or "")
    what = str(line.get("message") or line.get("event") or "")
    rest = " ".join(f"{name}={short(value, 80)}" for name, value in line.items() if name not in HEAD)
    return "  ".join(filter(None, (at, where, what, rest)))
