"""`aob backup` and `aob restore`: copies of a home, and recovery from a lost file. No server is involved."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from aob.cli.screen import Screen
from aob.cli.words import Commands, command, home_of
from aob.core.errors import CallerError

LOSS_HELP = "FILE or FILE:ROW of the home that is lost, or store for a database that was restored; may be repeated"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob backup` and `aob restore`."""
    one = command(commands, common, "backup", "copy a home, also while it runs", backup, reach="alone")
    one.add_argument("to", metavar="DIR", help="a folder that is not there yet")
    help = "put a copy where no home is, or accept that a file is lost"
    one = command(commands, common, "restore", help, restore, reach="alone")
    one.add_argument("copy", metavar="DIR", nargs="?", help="what `aob backup` has made; the home must not be there")
    one.add_argument("--accept-loss", metavar="FILE[:ROW]", action="append", default=[], help=LOSS_HELP)


async def backup(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Copy the home."""
    from aob.compose import files

    home, to = home_of(args, env), Path(args.to)
    _told(screen, await asyncio.to_thread(files.backup, home, to), f"{home} is copied to {to}")


async def restore(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Put a copy back, or accept a loss. The home must not run."""
    from aob.compose import files
    from aob.compose.storage import accept_loss

    home = home_of(args, env)
    if bool(args.copy) == bool(args.accept_loss):
        raise CallerError("say what to restore: a folder, or --accept-loss FILE", code="nothing_to_restore",
                          hint="aob restore DIR, or aob restore --accept-loss shard-0.db:17")  # fmt: skip
    if args.copy:
        copied = await asyncio.to_thread(files.restore, Path(args.copy), home)
        _told(screen, copied, f"{args.copy} is put back as {home}: start it with aob up --home {home}")
        return
    done = [await accept_loss(home, env, what) for what in args.accept_loss]
    if screen.json:
        screen.value({"home": str(home), "done": done})
    for line in () if screen.json else done:
        screen.line(line)


def _told(screen: Screen, copied: dict[str, int], sentence: str) -> None:
    if screen.told({"files": copied, "bytes": sum(copied.values())}):
        return
    for name, size in sorted(copied.items()):
        screen.line(f"{size:>14,}  {name}", style="dim")
    screen.line(sentence)
