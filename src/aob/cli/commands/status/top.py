"""`aob top`: what a home or a cluster does, measured between two answers of `status`; on a terminal a picture that is
drawn anew and takes keys, else a block of plain lines."""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aob.cli.commands.status.rates import Rates, rates
from aob.cli.commands.status.shown import Section, headline, sections, speed_section, trouble_lines
from aob.cli.commands.status.status import every
from aob.cli.screen import STYLES, Screen, clean
from aob.cli.words import Aob, Commands, command
from aob.core.errors import AobError, Unavailable
from aob.core.status import HomeStatus

if TYPE_CHECKING:
    from rich.console import Group

KEYS_MAX: Final = 64  # keys of one read
HELP: Final = "q quit   p pause   + - how often   m members   s shards   e events   w workers"
SHOWS: Final = {"m": ("members", "processes"), "s": ("shards",), "e": ("events", "stores"), "w": ("workers", "queues")}
"""The sections that a key hides, and shows again."""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob top`."""
    one = command(commands, common, "top", "show what a home or a cluster does: rates, CPU, lag", top,
                  epilog="Keys: " + HELP)  # fmt: skip
    one.add_argument("--once", action="store_true", help="print it one time, measured over --every")
    one.add_argument("--every", type=every, default=1_000, metavar="TIME", help="how long it measures (1s)")


class View:
    """What the keys have chosen."""

    def __init__(self, every_ms: int) -> None:
        self.every_ms, self.paused, self.over = every_ms, False, False
        self.hidden = set[str]()
        self.pressed = asyncio.Event()

    def press(self, key: str) -> None:
        """A key was pressed."""
        if key in ("q", "Q", "\x03", "\x04"):
            self.over = True
        elif key in ("p", " "):
            self.paused = not self.paused
        elif key == "+":
            self.every_ms = max(250, self.every_ms // 2)
        elif key == "-":
            self.every_ms = min(60_000, self.every_ms * 2)
        elif key in SHOWS:
            self.hidden.symmetric_difference_update(SHOWS[key])
        else:
            return
        self.pressed.set()

    async def pause(self) -> None:
        """Wait for the next time, or a key."""
        self.pressed.clear()
        try:
            async with asyncio.timeout(self.every_ms / 1_000):
                await self.pressed.wait()
        except TimeoutError:
            return


async def top(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Measure and show, until it is ended."""
    if args.once or screen.json or not screen.terminal:
        return await _plain(aob, args, screen)
    return await _live(aob, View(args.every), screen)


async def _plain(aob: Aob, args: Namespace, screen: Screen) -> int:
    before = await aob.status()
    while True:
        await asyncio.sleep(args.every / 1_000)
        now = await aob.status()
        at = rates(before, now)
        if not screen.told({**msgspec.to_builtins(at, str_keys=True), "at": now["at"], "troubles": now["troubles"]}):
            screen.line(headline(now))
            for title, columns, rows in _sections(now, at, set()):
                screen.line()
                screen.line(title)
                screen.table(columns, rows)
            for line, state in trouble_lines(now):
                screen.state(line, state)
            screen.line()
        if args.once:
            return 0
        before = now


async def _live(aob: Aob, view: View, screen: Screen) -> int:
    from rich.live import Live

    before = now = await aob.status()
    why = ""
    with _keys(view.press), Live(console=screen.console, screen=True, auto_refresh=False) as live:
        while not view.over:
            live.update(_drawn(now, rates(before, now), view, why), refresh=True)
            await view.pause()
            if view.paused or view.over:
                continue
            try:
                before, now, why = now, await aob.status(), ""
            except Unavailable as error:  # the picture stays, and says so
                why = error.detail
            except AobError as error:
                if error.status != 503:
                    raise
                why = error.detail
    return 0


def _sections(now: HomeStatus, at: Rates, hidden: set[str]) -> Iterator[Section]:
    yield speed_section(at)
    yield from (each for each in sections(now, at) if each.title not in hidden)


def _drawn(now: HomeStatus, at: Rates, view: View, why: str) -> "Group":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(clean(headline(now)), style="bold")]
    if why:
        parts.append(Text(clean(f"no answer: {why}"), style="red"))
    parts += [Text(clean(line), style=STYLES.get(state, "")) for line, state in trouble_lines(now)]
    for title, columns, rows in _sections(now, at, view.hidden):
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in columns:
            table.add_column(name)
        for row in rows:
            table.add_row(*(Text(clean(cell), style=STYLES.get(cell.lower(), "")) for cell in row))
        parts += [Text(""), Text(title, style="bold"), table]
    paused = "paused   " if view.paused else ""
    parts += [Text(""), Text(f"{paused}each {view.every_ms / 1_000:g} s   {HELP}", style="dim")]
    return Group(*parts)


@contextmanager
def _keys(press: Callable[[str], None]) -> Iterator[None]:
    """Keys as they are pressed, where there is a terminal to read them from; it is as before afterwards."""
    try:
        import termios
        import tty

        file = sys.stdin.fileno()
        before = termios.tcgetattr(file)
    except (ImportError, OSError, ValueError, termios.error):
        yield
        return
    loop = asyncio.get_running_loop()
    tty.setcbreak(file)

    def pressed() -> None:
        for key in os.read(file, KEYS_MAX).decode(errors="ignore"):
            press(key)

    loop.add_reader(file, pressed)
    try:
        yield
    finally:
        loop.remove_reader(file)
        termios.tcsetattr(file, termios.TCSADRAIN, before)
