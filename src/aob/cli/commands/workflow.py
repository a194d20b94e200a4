"""`aob workflow`: push, list, show, validate, diff, patch."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aob.cli.error_output import problem_lines
from aob.cli.picture import diff_lines, indented
from aob.cli.screen import Screen
from aob.cli.values import patch_from, read
from aob.cli.words import Aob, Commands, asks, command, group, lists
from aob.core.answers import WorkflowDiff, WorkflowRow, WorkflowView
from aob.core.errors import Invalid, Malformed, NotFound, Problem

if TYPE_CHECKING:
    from aob.core.graph import Handlers

NONE = "no workflows yet: aob workflow push FILE"
VALIDATE = "No server is asked. Names of handlers are checked only with --app."
UNDO = "Taken back by pushing the document on the tag again: aob workflow push FILE --tag TAG."


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob workflow`."""
    mine = group(commands, common, "workflow", "store, list, check and compare workflows")
    one = command(mine, common, "push", "store a document as a version and let a tag name it", push)
    text = "a document in YAML or JSON, - for standard input; one without a name takes the file's"
    one.add_argument("file", metavar="FILE", help=text)
    one.add_argument("--tag", default="main", help="the tag (main)")
    one.add_argument("--name", help="the name, instead of the document's own")
    command(mine, common, "list", "list all workflows", asks("workflows", lists(("workflow", "tags"), _row, NONE)))
    one = command(mine, common, "show", "show one version with its document", asks("workflow", _shown))
    one.add_argument("name", metavar="NAME")
    one.add_argument("--tag", default="main", help="a tag, a version or an artifact (main)")
    one = command(
        mine, common, "validate", "list every problem of documents; exits with 1 when there is one", validate,
        reach="alone", epilog=VALIDATE,
    )  # fmt: skip
    one.add_argument("files", metavar="FILE", nargs="+")
    one.add_argument(
        "--app", metavar="MODULE|FILE", action="append", default=[], help="check handlers too; may be repeated"
    )
    one = command(mine, common, "diff", "compare two versions", asks("diff", _diff))
    one.add_argument("name", metavar="NAME")
    one.add_argument("a", metavar="FROM", help="a tag, a version or an artifact")
    one.add_argument("b", metavar="TO", nargs="?", default="main", help="the same (main)")
    one = command(mine, common, "patch", "patch a tag, for the runs that start under it later", patch, epilog=UNDO)
    one.add_argument("name", metavar="NAME")
    one.add_argument("operations", metavar="JSON|FILE|-", help="a list of operations, or a whole patch body")
    one.add_argument("--tag", default="main", help="the tag (main)")
    one.add_argument("--reason", help="why, for the record")
    one.add_argument("--base", help="hash of the graph that it was written against")
    one.add_argument("--id", help="makes it count once")


async def push(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Store a document."""
    from aob.client import name_in

    data = read(args.file)
    pushed = await aob.push(data, name=args.name or name_in(data) or _stem(args.file) or None, tag=args.tag)
    if screen.told(pushed):
        return
    known = "" if pushed["created"] else " (known already)"
    screen.line(f"{pushed['workflow']} {pushed['version']} is {pushed['tag']}{known}  {pushed['artifact']}")
    for warning in pushed.get("warnings", ()):
        screen.note(f"warning: {warning}")


def _row(row: WorkflowRow) -> tuple[str, str]:
    return row["workflow"], ", ".join(f"{tag} = {version['version']}" for tag, version in row["tags"].items())


def _shown(found: WorkflowView, args: Namespace, screen: Screen) -> None:
    screen.line(f"{found['workflow']} {found['version']} ({args.tag})  {found['artifact']}")
    screen.lines(indented(found["document"]))


async def validate(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Every problem of documents, found locally, without a server."""
    handlers = None
    if args.app:
        from aob import compose  # here: it imports everything that it wires

        handlers = compose.handler_facts(args.app)
    found = [(name, _problems(name, handlers)) for name in args.files]
    if screen.json:
        screen.value(
            [
                {"file": name, "valid": not problems, "problems": [msgspec.to_builtins(each) for each in problems]}
                for name, problems in found
            ]
        )
    else:
        for name, problems in found:
            for problem in problems:
                screen.lines(problem_lines(problem, name))
            if not problems:
                screen.state(f"{name}: no problems", "ok")
    return 1 if any(problems for _, problems in found) else 0


def _problems(name: str, handlers: "Handlers | None") -> Sequence[Problem]:
    """The problems of one document; an unreadable one is a problem too, and the others are still checked."""
    from aob.core.graph import check, load  # here: it imports the expressions, which other commands do without

    try:
        document = load(read(name), name_hint=name)
    except (Invalid, Malformed, NotFound) as error:
        place = {at: error.fields[at] for at in ("line", "column") if at in error.fields}
        return getattr(error, "problems", ()) or (Problem("", error.detail, error.code, hint=error.hint, **place),)
    return check({"workflow": _stem(name), **document.tree}, handlers, places=document.places)


def _stem(file: str) -> str:
    """The default name of a document, from its file."""
    return Path(file).stem if file != "-" else ""


def _diff(found: WorkflowDiff, args: Namespace, screen: Screen) -> None:
    screen.diff(diff_lines(found) or ["no difference"])


async def patch(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Patch a tag."""
    body = patch_from(args.operations, reason=args.reason, base=args.base, id=args.id)
    patched = await aob.patch_tag(args.name, body, tag=args.tag)
    if screen.told(patched):
        return
    if patched.get("state") == "proposed":
        screen.line(f"waits for a person: aob approve {patched['ticket']} approve")
        screen.lines(f"  {reason}" for reason in patched.get("reasons", ()))
    else:
        screen.line(f"{patched['workflow']} {patched['version']} is {patched['tag']}")
    screen.diff(diff_lines(patched))
