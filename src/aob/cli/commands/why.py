"""`aob why`: what a run waits for, in one sentence."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Final

from aob.cli.finding import find_run
from aob.cli.screen import Screen
from aob.cli.words import Commands, command

if TYPE_CHECKING:
    from aob.client import AsyncClient


SHOWN_MAX: Final = 12


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob why`."""
    one = command(commands, common, "why", "say in one sentence what a run waits for, or how it ended", why)
    one.add_argument("run", metavar="RUN", help="id of a run, or enough of its end")


async def why(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """The sentence and its details."""
    told = await aob.why(await find_run(aob, args.run))
    if screen.told(told):
        return
    screen.line(told["sentence"])
    details = [str(row.get("says", "")) for row in told["details"] if isinstance(row, dict)]
    for says in details[:SHOWN_MAX] if len(details) > 1 else ():
        screen.line(f"  {says}", style="dim")
    if len(details) > SHOWN_MAX:
        screen.line(f"  and {len(details) - SHOWN_MAX} more like these: --json lists them", style="dim")
