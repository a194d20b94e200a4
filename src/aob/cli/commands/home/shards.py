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
                         "when a partition stayed. aob shards move 3 5 --to 2 brings shards of a cluster to its "
                         "database AOB_STORE_2, as the owners (AOB_STORE_OWNER, AOB_STORE_2_OWNER), while no process "
                         "has the home; what is cut off is done by the same command again.")  # fmt: skip
    one.add_argument("what", nargs="?", choices=("list", "set", "move"), default="list", help="list (the default), "
                     "set or move")  # fmt: skip
    one.add_argument("count", nargs="*", type=int, metavar="N", help="with set: how many shards own partitions; with "
                     "move: which shards")  # fmt: skip
    one.add_argument("--to", type=int, metavar="STORE", help="with move: the number of the database")


async def shards(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """List the shards, or set their number. Returns 1 when a partition stayed."""
    from aob.compose.layout import set_shards, shards_of
    from aob.core.errors import CallerError, Conflict

    home = home_of(args, env)
    if args.what == "move":
        return await _move(home, args, screen, env)
    if args.what == "list":
        told = await shards_of(home, env)
    elif len(args.count) != 1:
        raise CallerError("say how many shards", code="count_missing", hint="aob shards set 3")
    else:
        with screen.waiting("reading what lives") as spinner:
            count = 0

            def step(partition: int, source: int, target: int, runs: int) -> None:
                nonlocal count
                count += 1
                spinner.update(f"partition {partition}: shard {source} to {target}, {runs} runs ({count} moved)")

            try:
                told = await set_shards(home, args.count[0], step)
            except Conflict as error:
                if error.code != "home_in_use":
                    raise
                told = await _live(home, args.count[0], step)
    if not screen.told(told):
        _shown(screen, told)
    return int(bool(told.get("left")))


async def _move(home: Path, args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Bring shards to another database of the cluster."""
    from aob.compose import read_settings
    from aob.compose.database import move_shards
    from aob.core.errors import CallerError

    if not args.count or args.to is None:
        raise CallerError("say which shards, and where to", code="count_missing", hint="aob shards move 3 5 --to 2")
    with screen.waiting("taking the shards") as spinner:
        told = await move_shards(
            read_settings(home, env), env, sorted(set(args.count)), args.to,
            lambda shard, what: spinner.update(f"shard {shard}: {what}"),
        )  # fmt: skip
    if not screen.told(told):
        for each in told["moved"]:
            if each["source"] == each["target"]:
                screen.line(f"shard {each['shard']} is in store {each['target']} already")
            else:
                screen.line(f"shard {each['shard']}: store {each['source']} to {each['target']}, {each['rows']} rows")
    return 0


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
    last = "owner" if any(each.get("address") for each in told["shards"]) else ""
    screen.table(("file", "partitions", "epoch", "rows", last), rows)


def _row(shard: JsonObject, of: int) -> tuple[str, ...]:
    """A shard in its file, or in a database with the address of its owner."""
    name, beside = shard["file"] or f"shard {shard['shard']}", shard.get("address", "")
    epoch = str(max(shard["epochs"].values(), default=""))
    count, store = shard["partitions"], shard.get("store", 1)
    beside = f"store {store}" + f", {beside}" * bool(beside) if store != 1 else beside
    return name, f"{count} of {of}", epoch, str(shard["rows"]), beside if count else "history"
