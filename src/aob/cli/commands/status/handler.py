"""`aob handler`: lists the handlers of a home, and pauses and resumes them."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from aob.cli.picture import clock
from aob.cli.words import Commands, asks, command, group, lists, says

COLUMNS: Final = ("handler", "effect", "here", "workers", "paused")


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob handler`."""
    mine = group(commands, common, "handler", "list handlers, pause and resume them")
    rows = lists(COLUMNS, _row, "no handlers: aob up --app MODULE, or aob worker FILE", of="handlers")
    command(mine, common, "list", "list the handlers of the home, and which are paused", asks("handlers", rows))
    told = says("{handler} is paused: its jobs wait until aob handler resume {handler}")
    one = command(mine, common, "pause", "give out no jobs of a handler; what has begun goes on",
                  asks("pause_handler", told))  # fmt: skip
    _words(one)
    one = command(mine, common, "resume", "give out the jobs of a handler again",
                  asks("resume_handler", says("{handler} is not paused")))  # fmt: skip
    _words(one)


def _words(one: ArgumentParser) -> None:
    one.add_argument("handler", metavar="NAME")
    one.add_argument("--reason", default="", help="people read it in aob handler list")


def _row(handler: Mapping[str, Any]) -> tuple[str, ...]:
    why = f": {handler['reason']}" if handler.get("reason") else ""
    paused = f"by {handler['by']} since {clock(handler['since'])}{why}" if handler["paused"] else ""
    return handler["handler"], handler["effect"], "yes" if handler["here"] else "", str(handler["workers"]), paused
