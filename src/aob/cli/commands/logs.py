"""`aob logs stream`: lines of handlers, as they are written."""

from argparse import ArgumentParser, Namespace
from typing import Final

from aob.cli.finding import find_run
from aob.cli.picture import moment, short
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command, group
from aob.core.answers import JsonObject

TOLD: Final = frozenset(("at", "visit", "attempt", "message"))


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob logs`."""
    mine = group(commands, common, "logs", "read what handlers wrote")
    one = command(mine, common, "stream", "print the logs of a run until it has ended", stream)
    one.add_argument("run", metavar="RUN", help="id of a run, or enough of its end")
    one.add_argument("--node", help="only the lines of this node")
    one.add_argument("--no-follow", action="store_true", help="print what there is and stop")


async def stream(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Print lines as they arrive."""
    run_id = await find_run(aob, args.run)
    async for line in aob.logs(run_id, node=args.node, follow=not args.no_follow):
        screen.value(line) if screen.json else screen.line(told(line))


def told(line: JsonObject) -> str:
    """A line for a person: when, where, what, and its fields."""
    at = line.get("at")
    when = moment(at) if isinstance(at, int) else str(at or "")
    where = str(line.get("visit") or "")
    what = str(line.get("message") or "")
    rest = " ".join(f"{name}={short(value, 80)}" for name, value in line.items() if name not in TOLD)
    return "  ".join(filter(None, (when, where, what, rest)))
