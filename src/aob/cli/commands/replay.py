"""`aob replay`: replays a past run from one of its nodes."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from aob.cli.finding import find_run
from aob.cli.picture import short, visit_rows
from aob.cli.screen import Screen
from aob.cli.values import json_from, pairs
from aob.cli.words import Aob, Commands, asks, command
from aob.core.answers import JsonObject, JsonValue


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob replay`."""
    one = command(commands, common, "replay", "replay a run from a node; nothing outside is called", replay)
    one.add_argument("run_id", metavar="RUN", help="id of a run, or enough of its end")
    one.add_argument("--from", dest="from_node", metavar="NODE", required=True)
    one.add_argument("--mode", choices=("freeze",), default="freeze", help="recorded outputs stand (freeze)")
    one.add_argument("--assume", metavar="VISIT=VALUE", action="append", default=[], help="output of a visit")
    what_if = "operations on top: what if"
    one.add_argument("--patch", dest="patches", metavar="FILE", action="append", default=[], help=what_if)
    one.add_argument("--fork", action="store_true", help="start a new run from there instead, for real")


async def replay(aob: Aob, args: Namespace, screen: Screen) -> None:
    """The report of a replay, or the new run of a fork."""
    if vars(args).pop("fork"):
        forked = await aob.fork(await find_run(aob, args.run_id), from_node=args.from_node)
        screen.value(forked) if screen.json else screen.line(forked["run_id"])
    else:
        await asks("replay", _shown, patches=_patches, assume=_assumed)(aob, args, screen)


def _patches(files: Sequence[str]) -> list[JsonValue] | None:
    return [json_from(name, "--patch") for name in files] or None


def _assumed(texts: Sequence[str]) -> JsonObject | None:
    return pairs(texts, "--assume") or None


def _shown(report: JsonObject, args: Namespace, screen: Screen) -> None:
    same = "" if "same" not in report else "  the same output" if report["same"] else "  another output"
    screen.state(f"{report['run_id']} from {args.from_node}: {report['status']}{same}", str(report["status"]))
    screen.table(("visit", "how", "note"), visit_rows(report), none="no visits")
    if report.get("output") is not None:
        screen.line(f"output  {short(report['output'], 2_000)}")
    screen.line(f"calls made outside: {report.get('calls', 0)}", style="dim")
