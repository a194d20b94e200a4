"""`aob blob get`: the bytes of a value by its hash."""

import sys
from argparse import ArgumentParser, Namespace

from aob.cli.folder import write
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command, group


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob blob`."""
    mine = group(commands, common, "blob", "get large values")
    one = command(mine, common, "get", "write the bytes of a blob", get)
    one.add_argument("hash", metavar="HASH", help="its sha256, with or without sha256: before it")
    one.add_argument("-o", "--output", metavar="FILE", help="a file instead of standard output")


async def get(aob: Aob, args: Namespace, screen: Screen) -> None:
    """The bytes."""
    data = await aob.blob(args.hash)
    if args.output:
        write(args.output, data)
        told = {"hash": args.hash, "size": len(data), "file": args.output}
        screen.value(told) if screen.json else screen.line(f"{args.output}  {len(data):,} bytes")
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
