"""`aob patch`: list, show, propose, approve, reject, roll back."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from aob.cli.error_output import problem_lines
from aob.cli.finding import find_patch, find_run
from aob.cli.picture import diff_lines, short
from aob.cli.screen import Screen
from aob.cli.values import patch_from
from aob.cli.words import Commands, command, group
from aob.core.answers import JsonValue, PatchVerdict
from aob.core.errors import Problem

if TYPE_CHECKING:
    from aob.client import AsyncClient


PATCH_HELP = "id of a patch, or enough of its end"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob patch`."""
    mine = group(commands, common, "patch", "change the graph of a run while it runs")
    one = command(mine, common, "list", "list the patches of a run", list_all)
    one.add_argument("run", metavar="RUN", help="id of a run, or enough of its end")
    one = command(mine, common, "show", "show a patch: why, its state, what it changes", show)
    one.add_argument("patch", metavar="PATCH", help=PATCH_HELP)
    one = command(mine, common, "propose", "propose operations to a run", propose)
    one.add_argument("run", metavar="RUN", help="id of a run, or enough of its end")
    one.add_argument("operations", metavar="JSON|FILE|-", help="a list of operations, or a whole patch body")
    one.add_argument("--reason", help="why, for the record")
    one.add_argument("--base", help="hash of the graph that it was written against")
    one.add_argument("--id", help="makes it count once")
    for name, help, act in (("approve", "approve a proposed patch", approve), ("reject", "reject a patch", reject)):
        one = command(mine, common, name, help, act)
        one.add_argument("patch", metavar="PATCH", help=PATCH_HELP)
        one.add_argument("--reason", default="")
    one = command(mine, common, "rollback", "take an applied patch back", rollback)
    one.add_argument("patch", metavar="PATCH", help=PATCH_HELP)
    one.add_argument("--cascade", action="store_true", help="with the later patches that need it")


async def list_all(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """The patches of a run."""
    found = await aob.patches(await find_run(aob, args.run))
    rows = [
        (row["patch_id"], row["state"], row.get("version", ""), row.get("author", ""), short(_about(row), 60))
        for row in found
    ]
    screen.listing(found, ("patch", "state", "version", "author", "reason"), rows, none="no patches")


def _about(row: Mapping[str, JsonValue]) -> str:
    """Why it was proposed; for a refused one without a reason, its faults."""
    wrong = [str(each.get("message", "")) for each in row.get("problems") or ()]
    return str(row.get("reason") or "; ".join(wrong))


async def show(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """A whole patch."""
    patch = await aob.patch(await find_patch(aob, args.patch))
    if screen.told(patch):
        return
    by = f"  by {patch['author']}" if patch.get("author") else ""
    screen.state(f"{patch['patch_id']}  {patch['state']}{by}  {patch.get('run_id', '')}", patch["state"])
    if patch.get("reason"):
        screen.line(patch["reason"])
    for problem in msgspec.convert(patch.get("problems") or (), tuple[Problem, ...]):
        for line in problem_lines(problem):
            screen.line(line)
    screen.diff(diff_lines(patch))


async def propose(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Propose operations."""
    body = patch_from(args.operations, reason=args.reason, base=args.base, id=args.id)
    _told(await aob.propose(await find_run(aob, args.run), body), screen)


async def approve(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Approve a patch."""
    _told(await aob.approve_patch(await find_patch(aob, args.patch), reason=args.reason), screen)


async def reject(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Reject a patch."""
    _told(await aob.reject_patch(await find_patch(aob, args.patch), reason=args.reason), screen)


async def rollback(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Roll a patch back."""
    verdict = await aob.rollback(await find_patch(aob, args.patch), cascade=args.cascade)
    if screen.told(verdict):
        return
    for before in verdict.get("cascade", ()):
        _told(before, screen)
    _told(verdict, screen)


def _told(verdict: PatchVerdict, screen: Screen) -> None:
    if screen.told(verdict):
        return
    version = f"  {verdict['version']}" if verdict.get("version") else ""
    screen.state(f"{verdict['patch_id']}  {verdict['state']}{version}", verdict["state"])
    screen.diff(diff_lines(verdict))
    if verdict.get("ticket"):
        screen.line(f"waits for a person: aob approve {verdict['ticket']} approve|reject", style="yellow")
