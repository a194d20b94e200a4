"""`aob shards`: shows which partitions are in which file of a home, and sets the number of shards, at rest or live."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from aob.cli.screen import Screen
from aob.cli.words import Commands, command, home_of
from aob.core.answers import JsonObject

TRIES: Final = 5
AGAIN_S: Final = 1.0


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob shards`."""
    one = command(commands, common, "shards", "the shards of a home, or another number of them", shards, reach="alone",
                  epilog="aob shards set 3 moves partitions between the files of the home, one by one, also while "
                         "aob up runs; what is cut off is finished by it, or at the next start. Exits with 1 "
                         "when a partition stayed.")  # fmt: skip
    one.add_argument("what", nargs="?", choices=("list", "set"), default="list", help="list (the default) or set")
    one.add_argument("count", nargs="?", type=int, metavar="N", help="with set: how many shards own partitions")


async def shards(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """List the shards, or set their number. Returns 1 when a partition stayed."""
    from aob.compose.layout import set_shards, shards_of
    from aob.core.errors import CallerError, Conflict

    home = home_of(args, env)
    if args.what == "list":
        told = await shards_of(home, env)
    elif args.count is None:
        raise CallerError("say how many shards", code="count_missing", hint="aob shards set 3")
    else:
        with screen.waiting("reading what lives") as spinner:
            count = 0

            def step(partition: int, source: int, target: int, runs: int) -> None:
                nonlocal count
                count += 1
                spinner.update(f"partition {partition}: shard {source} to {target}, {runs} runs ({count} moved)")

            try:
                told = await set_shards(home, args.count, step)
            except Conflict as error:
                if error.code != "home_in_use":
                    raise
                told = await _live(home, args.count, step)
    if not screen.told(told):
        _shown(screen, told)
    return int(bool(told.get("left")))


async def _live(home: Path, count: int, step: Callable[[int, int, int, int], None]) -> JsonObject:
    """Ask the home that runs, until nothing is left to move or nothing moves any more."""
    from aob.client import AsyncClient
    from aob.core.errors import Unavailable

    moved, idle = {"partitions": 0, "runs": 0}, 0
    async with AsyncClient.of_home(home) as client:
        while True:
            try:
                told = await client.set_shards(count)
            except Unavailable:  # an owner is being started again
                if (idle := idle + 1) >= TRIES:
                    raise
                await asyncio.sleep(AGAIN_S)
                continue
            for each in told["moved"]:
                step(each["partition"], each["source"], each["target"], each["runs"])
                moved["partitions"] += 1
                moved["runs"] += each["runs"]
            idle = 0 if told["moved"] else idle + 1
            if not told["left"] or idle >= TRIES:
                return {**told, "moved": moved}


def _shown(screen: Screen, told: JsonObject) -> None:
    if "moved" in told:
        moved = told["moved"]
        screen.line(f"{moved['partitions']} partitions moved, with {moved['runs']} live runs")
    for each in told.get("stayed", ()):
        screen.line(f"partition {each['partition']} stayed: {each['why']}")
    rows = [_row(each, told["partitions"]) for each in told["shards"]]
    screen.table(("file", "partitions", "epoch", "rows", ""), rows)


def _row(shard: JsonObject, of: int) -> tuple[str, ...]:
    """A shard in its file, or in a database with the address of its owner."""
    name, beside = shard["file"] or f"shard {shard['shard']}", shard.get("address", "")
    epoch = str(max(shard["epochs"].values(), default=""))
    count = shard["partitions"]
    return name, f"{count} of {of}", epoch, str(shard["rows"]), beside if count else "history"
