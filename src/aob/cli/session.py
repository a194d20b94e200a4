"""Performs one command: parses words, finds the server, acts, reports errors, returns the exit code."""

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Final

from aob.cli.connection import connect
from aob.cli.error_output import complain
from aob.cli.parser import parse
from aob.cli.screen import Screen, standard_screen
from aob.core.errors import AobError, Unavailable

INTERRUPTED: Final = 130


def run(argv: Sequence[str] | None = None) -> int:
    """Perform one command of this process."""
    try:
        args = parse(argv)
        screen = standard_screen(json=args.json)
        if args.reach == "process":
            return _own(args, screen, os.environ)
        return asyncio.run(perform(args, screen, os.environ))
    except SystemExit as stop:
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`); the interpreter must not complain while it closes its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


async def perform(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """A command that talks to a server, or waits itself."""
    try:
        if args.reach == "alone":
            code: int | None = await args.act(args, screen, env)
        else:
            async with connect(args, env) as aob:
                aob.on_starting = lambda error: screen.note(f"waiting: {error.detail}")
                code = await args.act(aob, args, screen)
        return code or 0
    except (AobError, OSError) as error:
        return _failed(error, args, screen)


def _own(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    try:
        code: int | None = args.act(args, screen, env)
        return code or 0
    except (AobError, OSError) as error:
        return _failed(error, args, screen)


def _failed(error: AobError | OSError, args: Namespace, screen: Screen) -> int:
    """Reports an error; one of the system as a line, without a traceback."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        error = Unavailable(f"{where}{error.strerror or error}", code="system_refused")
    return complain(error, screen, getattr(args, "file", None))
