"""`aob shards`: shows which partitions are in which file of a home, and sets the number of shards. Needs no server."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from aob.cli.screen import Screen
from aob.cli.words import Commands, command, home_of
from aob.core.answers import JsonObject


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob shards`."""
    one = command(commands, common, "shards", "the shards of a home, or another number of them", shards, reach="alone",
                  epilog="aob shards set 3 moves partitions between files while no aob up runs; what is cut off is "
                         "finished at the next start.")  # fmt: skip
    one.add_argument("what", nargs="?", choices=("list", "set"), default="list", help="list (the default) or set")
    one.add_argument("count", nargs="?", type=int, metavar="N", help="with set: how many shards own partitions")


async def shards(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """List the shards, or set their number."""
    from aob.compose.layout import set_shards, shards_told
    from aob.core.errors import CallerError

    home = home_of(args, env)
    if args.what == "list":
        told = shards_told(home)
    elif args.count is None:
        raise CallerError("say how many shards", code="count_missing", hint="aob shards set 3")
    else:
        with screen.waiting("reading what lives") as spinner:
            count = 0

            def step(partition: int, source: int, target: int, runs: int) -> None:
                nonlocal count
                count += 1
                spinner.update(f"partition {partition}: shard {source} to {target}, {runs} runs ({count} moved)")

            told = await set_shards(home, args.count, step)
    if not screen.told(told):
        _shown(screen, told)


def _shown(screen: Screen, told: JsonObject) -> None:
    if "moved" in told:
        moved = told["moved"]
        screen.line(f"{moved['partitions']} partitions moved, with {moved['runs']} live runs")
    rows = [
        (each["file"], f"{each['partitions']} of {told['partitions']}", str(max(each["epochs"].values(), default="")),
         str(each["rows"]), "" if each["partitions"] else "history")
        for each in told["shards"]
    ]  # fmt: skip
    screen.table(("file", "partitions", "epoch", "rows", ""), rows)
