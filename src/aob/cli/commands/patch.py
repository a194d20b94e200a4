"""`aob patch`: list, show, propose, approve, reject, roll back."""

from argparse import ArgumentParser, Namespace

import msgspec

from aob.cli.error_output import problem_lines
from aob.cli.finding import find_run
from aob.cli.picture import diff_lines, short
from aob.cli.screen import Screen
from aob.cli.values import patch_from
from aob.cli.words import Aob, Commands, asks, command, group, lists
from aob.core.answers import JsonObject, PatchVerdict, PatchView
from aob.core.errors import Problem

COLUMNS = ("patch", "state", "version", "author", "reason")
PATCH_HELP = "id of a patch, or enough of its end"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob patch`."""
    mine = group(commands, common, "patch", "change the graph of a run while it runs")
    patches = asks("patches", lists(COLUMNS, _row, "no patches"))
    one = command(mine, common, "list", "list the patches of a run", patches)
    one.add_argument("run_id", metavar="RUN", help="id of a run, or enough of its end")
    one = command(mine, common, "show", "show a patch: why, its state, what it changes", asks("patch", _shown))
    one.add_argument("patch_id", metavar="PATCH", help=PATCH_HELP)
    one = command(mine, common, "propose", "propose operations to a run", propose)
    one.add_argument("run", metavar="RUN", help="id of a run, or enough of its end")
    one.add_argument("operations", metavar="JSON|FILE|-", help="a list of operations, or a whole patch body")
    one.add_argument("--reason", help="why, for the record")
    one.add_argument("--base", help="hash of the graph that it was written against")
    one.add_argument("--id", help="makes it count once")
    for name, help in (("approve", "approve a proposed patch"), ("reject", "reject a patch")):
        one = command(mine, common, name, help, asks(f"{name}_patch", _verdict))
        one.add_argument("patch_id", metavar="PATCH", help=PATCH_HELP)
        one.add_argument("--reason", default="")
    one = command(mine, common, "rollback", "take an applied patch back", asks("rollback", _rolled_back))
    one.add_argument("patch_id", metavar="PATCH", help=PATCH_HELP)
    one.add_argument("--cascade", action="store_true", help="with the later patches that need it")


def _row(row: JsonObject) -> tuple[str, ...]:
    wrong = "; ".join(str(each.get("message", "")) for each in row.get("problems") or ())
    about = short(row.get("reason") or wrong, 60)
    return row["patch_id"], row["state"], row.get("version", ""), row.get("author", ""), about


def _shown(patch: PatchView, args: Namespace, screen: Screen) -> None:
    by = f"  by {patch['author']}" if patch.get("author") else ""
    screen.state(f"{patch['patch_id']}  {patch['state']}{by}  {patch.get('run_id', '')}", patch["state"])
    if patch.get("reason"):
        screen.line(patch["reason"])
    for problem in msgspec.convert(patch.get("problems") or (), tuple[Problem, ...]):
        screen.lines(problem_lines(problem))
    screen.diff(diff_lines(patch))


async def propose(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Propose operations."""
    body = patch_from(args.operations, reason=args.reason, base=args.base, id=args.id)
    verdict = await aob.propose(await find_run(aob, args.run), body)
    if not screen.told(verdict):
        _verdict(verdict, args, screen)


def _rolled_back(verdict: PatchVerdict, args: Namespace, screen: Screen) -> None:
    for each in (*verdict.get("cascade", ()), verdict):
        _verdict(each, args, screen)


def _verdict(verdict: PatchVerdict, args: Namespace, screen: Screen) -> None:
    version = f"  {verdict['version']}" if verdict.get("version") else ""
    screen.state(f"{verdict['patch_id']}  {verdict['state']}{version}", verdict["state"])
    screen.diff(diff_lines(verdict))
    if verdict.get("ticket"):
        screen.line(f"waits for a person: aob approve {verdict['ticket']} approve|reject", style="yellow")
