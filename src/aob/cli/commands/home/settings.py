"""`aob settings`: shows and pushes the settings that all processes of a home share. Only asks the home."""

import os
import tomllib
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command, group, home_of
from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Invalid, NotFound, Problem
from aob.core.instant import iso

FILE: Final = "aob.toml"
EPILOG: Final = """examples:
  aob settings push --dry-run         what HOME/aob.toml would change
  aob settings push rules.toml        a file with [patches], [egress] or [limits]; a section is given whole, others stay
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob settings`."""
    mine = group(commands, common, "settings", "the settings that all processes of a home share")
    command(mine, common, "show", "show the shared settings, and who pushed what", show)
    one = command(
        mine, common, "push", "share the sections of a file by all processes of the home", push, epilog=EPILOG
    )
    one.add_argument("file", nargs="?", default="", metavar="FILE", help="a TOML file (HOME/aob.toml)")
    one.add_argument("--dry-run", action="store_true", help="only show what would change")


async def show(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Show the shared settings."""
    found: Any = await aob.show_settings()
    if screen.told(found):
        return
    if not found["version"]:
        screen.line("nothing is shared: each process has its own settings; aob settings push shares them")
        return
    screen.line(f"version {found['version']}, pushed by {found['by']} at {iso(found['at'])}")
    rows = [(f"{name}.{key}", _shown(value)) for name, part in found["settings"].items() for key, value in part.items()]
    screen.table(("setting", "value"), rows)
    pushes = [
        (str(each["version"]), iso(each["at"]), each["by"], ", ".join(change["key"] for change in each["changes"]))
        for each in found["history"]
    ]
    screen.table(("version", "at", "by", "changed"), pushes)


async def push(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Push the sections of a file, over the version that is there now."""
    path = Path(args.file) if args.file else home_of(args, os.environ) / FILE
    sections = _sections(path)
    present: Any = await aob.show_settings()
    told: Any = await aob.push_settings(settings=sections, dry_run=args.dry_run, after=present["version"])
    if screen.told(told):
        return
    for each in told["changes"]:
        before = "each process's own" if each["before"] is None else _shown(each["before"])
        screen.line(f"{each['key']}: {before} -> {_shown(each['after'])}")
    if not told["changes"]:
        screen.line(f"nothing changes: version {told['version']} says the same")
    elif args.dry_run:
        screen.line(f"nothing was pushed; version {told['version']} stands")
    else:
        screen.line(f"version {told['version']} counts in every process of the home")


def _sections(path: Path) -> JsonObject:
    """The sections of a file that are shared, and whatever a settings file has not: the home says what is wrong."""
    from aob.compose.live_settings import shared_of

    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", code="file_not_found", hint="aob settings push FILE") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Invalid(f"{path} cannot be read", [Problem(path.name, str(error), "bad_settings")]) from error
    sections = shared_of(found)
    if not sections:
        hint = "it needs [patches], [egress] or [limits]"
        raise CallerError(f"{path} has nothing to share", code="nothing_to_share", hint=hint)
    return sections


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()
