"""`aob run`: start, list, show, cancel, timeline, wait, fork, repin, message, prune."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from aob.cli.commands.live.rows import instant
from aob.cli.finding import find_run
from aob.cli.picture import (
    NODE_COLUMNS,
    RUN_COLUMNS,
    clock,
    entry_line,
    entry_state,
    node_rows,
    run_head,
    run_row,
    short,
)
from aob.cli.screen import Screen
from aob.cli.values import duration_ms, inputs_of, is_document, json_from, json_or_text, labels, patch_from, read
from aob.cli.watching import tell, wait
from aob.cli.words import Aob, Commands, asks, command, group, lists, says
from aob.core.answers import JsonObject, JsonValue, RunView
from aob.core.errors import Invalid

PROGRESS_RUNS: Final = 10_000
SUMS: Final = ("runs", "events", "bytes", "values", "values_bytes")
WHY: Final = {
    "needed": "a fork of it lives", "behind": "webhooks or numbers have not read its end yet",
    "unsettled": "its end is being written", "unreadable": "its history cannot be read: aob doctor",
}  # fmt: skip
RUN_HELP = "id of a run, or enough of its end"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob run`."""
    mine = group(commands, common, "run", "start runs, look at them, and act on them")
    _add_start(mine, common)
    page = lists(RUN_COLUMNS, run_row, "no runs: aob run start", of="runs", more="--cursor")
    one = command(mine, common, "list", "list runs, newest first", asks("runs", page, labels=labels))
    one.add_argument("--status", type=str.upper, choices=("RUNNING", "WAITING", "COMPLETED", "FAILED", "CANCELLED"))
    one.add_argument("--workflow", metavar="NAME")
    one.add_argument("--label", dest="labels", metavar="NAME=VALUE", action="append", default=[])
    one.add_argument("--limit", type=int, default=20, help="rows (20)")
    one.add_argument("--cursor", help="go on after a page: what it printed")
    one = command(mine, common, "show", "show a run with the state of each node", asks("run", _shown))
    one.add_argument("run_id", metavar="RUN", help=RUN_HELP)
    one = command(mine, common, "timeline", "list the events of a run", timeline)
    one.add_argument("run", metavar="RUN", help=RUN_HELP)
    one.add_argument("--follow", action="store_true", help="go on until the run has ended")
    one = command(mine, common, "wait", "wait for the end of a run; exits with 1 unless it completed", wait_for)
    one.add_argument("run", metavar="RUN", help=RUN_HELP)
    one.add_argument("--follow", action="store_true", help="print its events meanwhile")
    _add_timeout(one)
    one = command(mine, common, "cancel", "cancel runs", each)
    one.add_argument("runs", metavar="RUN", nargs="+", help=RUN_HELP)
    one.add_argument("--reason", default="")
    one.set_defaults(release=False)
    one = command(mine, common, "release", "let runs that were set aside go on", each)
    one.add_argument("runs", metavar="RUN", nargs="+", help=RUN_HELP)
    one.set_defaults(release=True)
    repinned = asks("repin", says("{run_id} goes to workers of build {build}"))
    one = command(mine, common, "repin", "give the jobs of a pinned run to workers of another build", repinned)
    one.add_argument("run_id", metavar="RUN", help=RUN_HELP)
    one.add_argument("--build", required=True, metavar="BUILD", help="as aob worker builds lists it")
    one = command(mine, common, "fork", "start a new run from a node of this one", fork)
    one.add_argument("run", metavar="RUN", help=RUN_HELP)
    one.add_argument("--from", dest="from_node", metavar="NODE", required=True)
    one.add_argument("--patch", metavar="FILE", help="operations put on top: what depends on them runs again")
    one.add_argument("--wait", action="store_true", help="wait for its end")
    message = asks("message", says("{run_id} has the message {name}"), payload=_payload)
    one = command(mine, common, "message", "hand a message to a run", message)
    one.add_argument("run_id", metavar="RUN", help=RUN_HELP)
    one.add_argument("name", metavar="NAME")
    one.add_argument("--key", default="", help="the correlation that its `wait` asks for")
    one.add_argument("--payload", metavar="JSON", help="JSON, or text")
    one.add_argument("--id", help="makes it count once")
    _add_prune(mine, common)


def _add_start(mine: Commands, common: ArgumentParser) -> None:
    one = command(mine, common, "start", "start a run of a workflow, or of a document that is pushed first", start)
    one.add_argument("workflow", metavar="WORKFLOW|FILE", nargs="?", help="none: the only workflow of the home")
    one.add_argument("--tag", default="main", help="the version to run (main)")
    one.add_argument("--input", metavar="NAME=VALUE", action="append", default=[], help="one input; JSON or text")
    one.add_argument("--inputs", metavar="JSON|FILE|-", help="all inputs")
    one.add_argument("--key", help="the same key starts one run, ever")
    one.add_argument("--mode", choices=("full", "fast"))
    one.add_argument("--priority", choices=("high", "medium", "low"))
    one.add_argument("--label", metavar="NAME=VALUE", action="append", default=[])
    one.add_argument("--wait", action="store_true", help="wait for its end; exits with 1 unless it completed")
    one.add_argument("--follow", action="store_true", help="print its events until its end")
    _add_timeout(one)


def _add_timeout(one: ArgumentParser) -> None:
    text = "wait no longer (30s, 5m): the run goes on, the exit code is 7"
    one.add_argument("--timeout", type=duration_ms, metavar="TIME", help=text)


def _add_prune(mine: Commands, common: ArgumentParser) -> None:
    one = command(mine, common, "prune", "remove runs that ended before an instant, for good", prune)
    one.add_argument(
        "--before", metavar="DATE", required=True,
        help="a date (its begin in UTC), RFC 3339 with a zone, or how long ago (90d)",
    )  # fmt: skip
    one.add_argument("--workflow", metavar="NAME", help="of this workflow only")
    one.add_argument("--status", type=str.upper, choices=("COMPLETED", "FAILED", "CANCELLED"), help="only these")
    one.add_argument("--reason", default="", help="stands in the record")
    one.add_argument("--dry-run", action="store_true", help="remove nothing: say what would go")


def _as_text(given: Sequence[str], error: Invalid) -> str:
    """The hint how `--input amount=5` becomes text: what looks like JSON is read as JSON."""
    for name, _, value in (text.partition("=") for text in given):
        if any(p.path == f"/inputs/{name}" and p.message.endswith('is not of type "string"') for p in error.problems):
            return f"a text in quotes: --input '{name}=\"{value}\"'"
    return ""


async def start(aob: Aob, args: Namespace, screen: Screen) -> int | None:
    """Start a run."""
    inputs, marks = inputs_of(args.inputs, args.input), labels(args.label)
    workflow = args.workflow
    if workflow is not None and is_document(workflow):
        args.file = workflow  # problems of the document are reported with its name
        pushed = await aob.push(read(workflow), tag=args.tag)
        workflow = pushed["workflow"]
        screen.note(f"{workflow} {pushed['version']} is {pushed['tag']}")
    try:
        started = await aob.start(
            workflow, inputs, tag=args.tag, key=args.key, mode=args.mode, priority=args.priority, labels=marks or None
        )
    except Invalid as error:
        error.hint = error.hint or _as_text(args.input, error)
        raise
    if not (args.wait or args.follow):
        known = "" if started["created"] or not args.key else "  (the key had started it before)"
        screen.value(started) if screen.json else screen.line(f"{started['run_id']}  {started['status']}{known}")
        return None
    screen.note(started["run_id"])
    return await wait(aob, started["run_id"], screen, follow=args.follow, timeout_ms=args.timeout)


def _shown(run: RunView, args: Namespace, screen: Screen) -> None:
    screen.state(run_head(run), run["status"])
    screen.line(f"inputs  {short(run['inputs'])}")
    if run["status"] == "COMPLETED":
        screen.line(f"output  {short(run['output'])}")
    if run.get("error"):
        screen.state(f"error   {short(run['error'])}", "failed")
    screen.line()
    screen.table(NODE_COLUMNS, node_rows(run))
    for ticket_id in run.get("tickets", ()):
        screen.state(f"waits for a person: aob approve {ticket_id} approve|reject", "open")
    for patch in run.get("patches", ()):
        screen.state(f"{patch['patch_id']}  {patch['state']}  {patch.get('reason', '')}", str(patch["state"]))


async def timeline(aob: Aob, args: Namespace, screen: Screen) -> None:
    """The events of a run."""
    run_id = await find_run(aob, args.run)
    if args.follow:
        async for event in aob.follow(run_id):
            tell(event, screen)
        return
    async for entry in aob.timeline(run_id):
        if not screen.told(entry):
            screen.state(entry_line(entry), entry_state(entry))


async def wait_for(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Wait for the end of a run."""
    return await wait(aob, await find_run(aob, args.run), screen, follow=args.follow, timeout_ms=args.timeout)


async def each(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Cancel runs, or release quarantined ones."""
    for run_id in [await find_run(aob, text) for text in args.runs]:
        verdict = await (aob.release(run_id) if args.release else aob.cancel(run_id, reason=args.reason))
        screen.value(verdict) if screen.json else screen.line(f"{run_id}  {verdict['status']}")


async def fork(aob: Aob, args: Namespace, screen: Screen) -> int | None:
    """Start a new run from a node."""
    patches = [patch_from(args.patch)["operations"]] if args.patch else None
    forked = await aob.fork(await find_run(aob, args.run), from_node=args.from_node, patches=patches)
    if args.wait:
        screen.note(forked["run_id"])
        return await wait(aob, forked["run_id"], screen, follow=False)
    screen.value(forked) if screen.json else screen.line(forked["run_id"])
    return None


def _payload(text: str | None) -> JsonValue:
    return None if text is None else json_from(text, "--payload") if text[:1] in "{[" else json_or_text(text)


async def prune(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Run steps until there is nothing left to remove."""
    before, shown = instant(args.before), 0
    assert before is not None
    total: JsonObject = {
        "before": None, "dry_run": False, **dict.fromkeys(SUMS, 0), "oldest": None, "newest": None,
        "workflows": Counter(), "kept": Counter(), "records": [],
    }  # fmt: skip
    asked = {"workflow": args.workflow, "status": args.status, "reason": args.reason, "dry_run": args.dry_run}
    async for step in aob.prune(before, **asked):
        _sum(total, step)
        if total["runs"] - shown >= PROGRESS_RUNS:
            shown = total["runs"]
            screen.note(f"{shown:,} runs ...")
    if not screen.told(total):
        _show_pruned(total, screen)


def _sum(total: JsonObject, step: Mapping[str, JsonValue]) -> None:
    total |= {"before": step["before"], "dry_run": step["dry_run"]}
    for name in SUMS:
        total[name] += step[name]
    for name, best in (("oldest", min), ("newest", max)):
        total[name] = best((at for at in (total[name], step[name]) if at is not None), default=None)
    for name in ("workflows", "kept"):
        total[name].update(step[name])
    total["records"] += filter(None, [step["record"]])


def _show_pruned(total: JsonObject, screen: Screen) -> None:
    verb = "would go" if total["dry_run"] else "removed"
    ended = total["oldest"] is not None
    ends = f", which ended {clock(total['oldest'])} to {clock(total['newest'])}" if ended else ""
    screen.line(f"{total['runs']:,} runs {verb}{ends}")
    if total["runs"]:
        values = (
            f"; {total['values']:,} larger values of up to {size(total['values_bytes'])}" if total["values"] else ""
        )
        screen.line(f"{total['events']:,} events, {size(total['bytes'])}{values}")
        rows = sorted(total["workflows"].items(), key=lambda row: (-row[1], row[0]))
        screen.table(("workflow", "runs"), ((name, f"{count:,}") for name, count in rows))
    for why, count in sorted(total["kept"].items()):
        screen.line(f"{count:,} stay: {WHY.get(why, why)}")
    *before, record = total["records"] or [""]
    if record:
        screen.note(f"the record: {record}" + (f", and {len(before):,} before it" if before else ""))


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1_024:
            return f"{count:,} {unit}"
        count //= 1_024
    return f"{count:,} GiB"
