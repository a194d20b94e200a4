"""`aob task` and `aob plan`: ask for tasks and plans, look at them, wait for their end, cancel them."""

import time
import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

from aob.cli.picture import short
from aob.cli.screen import Screen
from aob.cli.values import json_from, json_or_text
from aob.cli.words import Aob, Commands, asks, command, group, lists
from aob.core.answers import JsonObject
from aob.core.errors import Invalid

Kind = Literal["task", "plan"]
WAIT_MS: Final = 30_000
PAYLOADS: Final[Mapping[Kind, str]] = {"task": "parameters", "plan": "context"}
COLUMNS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "task": ("task", "type", "status", "plan", "requested", "ended"),
    "plan": ("plan", "type", "status", "requested", "ended"),
}
EXAMPLES: Final[Mapping[Kind, str]] = {
    "task": """examples:
  aob task submit resize --parameters '{"width": 200}' --wait
  aob task submit --request request.json
""",
    "plan": """examples:
  aob plan submit triage --context '{"current_state": "initial"}' --wait
""",
}


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob task` and `aob plan`."""
    texts: Mapping[Kind, str] = {"task": "ask for tasks, and look at them", "plan": "ask for plans, and look at them"}
    for kind, text in texts.items():
        _add(kind, group(commands, common, kind, text), common)


def _add(kind: Kind, mine: Commands, common: ArgumentParser) -> None:
    one = command(mine, common, "submit", f"ask for a {kind}", submit, epilog=EXAMPLES[kind])
    one.set_defaults(kind=kind)
    one.add_argument("type", metavar="TYPE", nargs="?", default="")
    one.add_argument("--id", default="", help="asked for once under this id (a new one)")
    one.add_argument(f"--{PAYLOADS[kind]}", dest="payload", metavar="JSON", default="{}", help="what it is given")
    one.add_argument("--priority", choices=("low", "normal", "high"), default="normal")
    one.add_argument("--request", metavar="FILE|-", help="the whole request instead, as JSON")
    one.add_argument("--wait", action="store_true", help="wait for its end; exits with 1 unless it completed")
    one = command(mine, common, "show", f"show a {kind} with its result", asks(kind, partial(_shown, kind)))
    one.add_argument(f"{kind}_id", metavar=kind.upper())
    text = f"wait for the end of a {kind}; exits with 1 unless it completed"
    one = command(mine, common, "wait", text, wait)
    one.set_defaults(kind=kind)
    one.add_argument("id", metavar=kind.upper())
    one.add_argument("--timeout", type=float, default=0.0, metavar="SECONDS", help="wait no longer (for ever)")
    page = lists(COLUMNS[kind], _rows(kind), f"no {kind}s: aob {kind} submit", of=f"{kind}s", more="--cursor")
    one = command(mine, common, "list", f"list {kind}s, newest first", asks(f"{kind}s", page))
    one.add_argument("--status", choices=("running", "completed", "failed", "cancelled"), default="")
    one.add_argument("--type", default="", metavar="TYPE")
    if kind == "task":
        one.add_argument("--plan", dest="plan_id", default="", metavar="PLAN", help="only those that it asked for")
    one.add_argument("--request", dest="request_id", default="", metavar="ID", help="only those of this request")
    one.add_argument("--limit", type=int, default=20, help="rows (20)")
    one.add_argument("--cursor", default="", help="go on after a page: what it printed")
    cancels = asks(f"cancel_{kind}", partial(_shown, kind))
    one = command(mine, common, "cancel", f"cancel a {kind}: no later result of it counts", cancels)
    one.add_argument(f"{kind}_id", metavar=kind.upper())
    one.add_argument("--reason", default="")


def _rows(kind: Kind) -> Callable[[JsonObject], tuple[str, ...]]:
    def row(each: JsonObject) -> tuple[str, ...]:
        of_plan = (each["plan_id"] or "",) if kind == "task" else ()
        ended = each["ended_at"] or ""
        return each[f"{kind}_id"], each[f"{kind}_type"], each["status"], *of_plan, each["requested_at"], ended

    return row


def _shown(kind: Kind, view: JsonObject, args: Namespace, screen: Screen) -> None:
    screen.line(f"{view[f'{kind}_id']} ({view[f'{kind}_type']}): {view['status']}")
    if view["error"]:
        screen.line(f"{view['error']['code']}: {view['error']['message']}")
    for each in view.get("rounds", ()):
        screen.line(f"round {each['round']}: {each['ended']} of {len(each['task_ids'])} ended")
    for each in (view["result"] or {}).get("task_results", ()):
        screen.line(f"{each['task_id']}: {each['status']} {short(each['result']['data'])}")
    if kind == "task" and view["result"]:
        screen.line(short(view["result"]["data"]))


async def submit(aob: Aob, args: Namespace, screen: Screen) -> int | None:
    """Ask for one, and wait for its end if that is wanted."""
    kind: Kind = args.kind
    if bool(args.request) == bool(args.type):
        raise Invalid("say a type, or the whole request", hint=f"aob {kind} submit --help")
    if args.request:
        request: Any = json_from(args.request, "--request")
    else:
        request = {
            f"{kind}_id": args.id or f"{kind}_{uuid.uuid4().hex[:20]}", f"{kind}_type": args.type,
            PAYLOADS[kind]: json_or_text(args.payload), "metadata": {"priority": args.priority},
        }  # fmt: skip
    view = await getattr(aob, f"submit_{kind}")(request)
    if args.wait:
        return await _until_ended(kind, view[f"{kind}_id"], 0.0, aob, args, screen)
    if not screen.told(view):
        _shown(kind, view, args, screen)
    return None


async def wait(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Wait for the end of one."""
    return await _until_ended(args.kind, args.id, args.timeout, aob, args, screen)


async def _until_ended(kind: Kind, id: str, timeout_s: float, aob: Aob, args: Namespace, screen: Screen) -> int:
    until = time.monotonic() + timeout_s
    while True:
        left = WAIT_MS if not timeout_s else max(0, min(WAIT_MS, round((until - time.monotonic()) * 1_000)))
        view = await getattr(aob, kind)(id, wait_ms=left)
        if view["status"] != "running" or not left:
            break
    if not screen.told(view):
        _shown(kind, view, args, screen)
    return 0 if view["status"] == "completed" else 1
