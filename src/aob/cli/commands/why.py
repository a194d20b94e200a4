"""`aob why`: what a run waits for, in one sentence."""

from argparse import ArgumentParser, Namespace
from typing import Final

from aob.cli.screen import Screen
from aob.cli.words import Commands, asks, command
from aob.core.answers import Why

SHOWN_MAX: Final = 12


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob why`."""
    text = "say in one sentence what a run waits for, or how it ended"
    one = command(commands, common, "why", text, asks("why", _shown))
    one.add_argument("run_id", metavar="RUN", help="id of a run, or enough of its end")


def _shown(told: Why, args: Namespace, screen: Screen) -> None:
    screen.line(told["sentence"])
    details = [str(row.get("says", "")) for row in told["details"] if isinstance(row, dict)]
    for says in details[:SHOWN_MAX] if len(details) > 1 else ():
        screen.line(f"  {says}", style="dim")
    if len(details) > SHOWN_MAX:
        screen.line(f"  and {len(details) - SHOWN_MAX} more like these: --json lists them", style="dim")
