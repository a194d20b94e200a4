"""`aob status`: how a home or a cluster is, once or again and again."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Final

from aob.cli.commands.status.shown import headline, sections, trouble_lines
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command
from aob.core.duration import parse_duration
from aob.core.status import HomeStatus

EVERY_MIN_MS: Final = 100
CLEAR: Final = "\x1b[H\x1b[2J"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob status`."""
    one = command(commands, common, "status", "show how a home or a cluster is; exits with 1 when there is a problem",
                  status)  # fmt: skip
    one.add_argument("--watch", action="store_true", help="show it again and again until Ctrl-C")
    one.add_argument("--every", type=every, default=2_000, metavar="TIME", help="how often with --watch (2s)")


async def status(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Show it."""
    while True:
        told = await aob.status()
        if not screen.told(told):
            if args.watch and screen.terminal:
                screen.raw(CLEAR)
            show(told, screen)
        if not args.watch:
            return int(any(each["how"] == "problem" for each in told["troubles"]))
        await asyncio.sleep(args.every / 1_000)


def show(told: HomeStatus, screen: Screen) -> None:
    """All of it, the troubles last, where a person looks first."""
    screen.line(headline(told), style="bold")
    for title, columns, rows in sections(told):
        screen.line()
        screen.line(title, style="bold")
        screen.table(columns, rows)
    screen.line()
    for line, state in trouble_lines(told):
        screen.state(line, state)
    if not told["troubles"]:
        screen.state("ok", "ok")


def every(text: str) -> int:
    """A pause as a duration, in ms."""
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return max(found, EVERY_MIN_MS)
