"""`aob deadletter`: list refused events, group them, show one, replay, discard."""

from argparse import ArgumentParser, Namespace

from aob.cli.commands.live.rows import DEAD_COLUMNS, dead_row, reason_text
from aob.cli.picture import indented, short
from aob.cli.screen import Screen
from aob.cli.values import json_from
from aob.cli.words import Aob, Commands, asks, command, group, lists, says
from aob.core.errors import Invalid
from aob.core.metric_answers import DeadLetterGroup, DeadLetterRow

STATES = ("open", "replayed", "discarded", "any")
GROUP_COLUMNS = ("type", "reason", "count", "one of them")
KEPT = ("id", "source", "type", "subject", "time")  # fields that a mended event may omit


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob deadletter`."""
    mine = group(commands, common, "deadletter", "look at refused events and pass them through the gate again")
    page = lists(DEAD_COLUMNS, dead_row, "nothing was refused", of="deadletters", more="--before")
    one = command(mine, common, "list", "list refused events, newest first", asks("deadletters", page, state=_state))
    one.add_argument("--state", choices=STATES, default="open")
    one.add_argument("--type", default="", help="only of this type")
    one.add_argument("--reason", default="", help="only with this rule, as `groups` lists them")
    one.add_argument("--limit", type=int, default=20, help="rows (20)")
    one.add_argument("--before", type=int, default=0, metavar="NUMBER", help="go on after a page: what it printed")
    groups = asks("deadletter_groups", lists(GROUP_COLUMNS, _group, "nothing was refused"), state=_state)
    one = command(mine, common, "groups", "count refused events by type and reason", groups)
    one.add_argument("--state", choices=STATES, default="open")
    one = command(mine, common, "show", "show a refused event as it came", asks("deadletter", _shown))
    one.add_argument("number", metavar="NUMBER", type=int)
    one = command(mine, common, "replay", "pass refused events through the gate again", replay)
    one.add_argument("numbers", metavar="NUMBER", type=int, nargs="*")
    one.add_argument("--type", default="", help="all open ones of this type")
    one.add_argument("--reason", default="", help="all open ones with this rule")
    one.add_argument(
        "--event", metavar="JSON|FILE|-",
        help=f"the mended form of a single one; what it leaves out of {' '.join(KEPT)} stays as it came",
    )  # fmt: skip
    one.add_argument("--dry-run", action="store_true", help="only say what would become of them")
    discard = asks("discard_deadletters", says("{discarded} set aside"))
    one = command(mine, common, "discard", "set refused events aside for good", discard)
    one.add_argument("numbers", metavar="NUMBER", type=int, nargs="+")
    one.add_argument("--note", default="", help="why, for the record")


def _state(text: str) -> str:
    return "" if text == "any" else text


def _group(row: DeadLetterGroup) -> tuple[str, ...]:
    sample = row.get("sample")
    shown = f"{sample['number']}: {reason_text(sample['reasons'])}" if sample else ""
    return row["type"], row["reason"], f"{row['count']:,}", shown


def _shown(row: DeadLetterRow, args: Namespace, screen: Screen) -> None:
    screen.state(f"{row['number']}  {row['type']}  {row['source']}/{row['id']}  {row['state']}", row["state"])
    for reason in row["reasons"]:
        value = f"  found {short(reason['value'])}" if "value" in reason else ""
        rule = f" [{reason['rule']}]" if reason.get("rule") else ""
        screen.line(f"  {reason.get('stage', '')}{rule}: {reason.get('pointer') or '/'} {reason['message']}{value}")
    if row.get("note"):
        screen.line(f"  note: {row['note']}")
    event = row.get("event")
    screen.line("\n".join(indented(event)) if event is not None else row.get("line", ""))
    if row["state"] == "open":
        screen.line(f"mend it: aob deadletter replay {row['number']} --event FILE", style="yellow")


async def replay(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Pass through the gate again."""
    if not (args.numbers or args.type or args.reason):
        why = "nothing says which are meant"
        raise Invalid(why, hint="give numbers, --type or --reason; see aob deadletter groups")
    event = None if args.event is None else json_from(args.event, "--event")
    if event is not None and len(args.numbers) != 1:
        raise Invalid("--event mends one dead letter", hint="aob deadletter replay 7 --event FILE")
    if isinstance(event, dict):
        came = (await aob.deadletter(args.numbers[0])).get("event")
        event = {**{name: came[name] for name in KEPT if name in came}, **event} if isinstance(came, dict) else event
    done = await aob.replay_deadletters(
        numbers=args.numbers, type=args.type, reason=args.reason, event=event, dry_run=args.dry_run
    )
    if not screen.told(done):
        counts = "matched {matched:,}  accepted {accepted:,}  duplicate {duplicate:,}  rejected {rejected:,}"
        screen.line("would be: " * done["dry_run"] + counts.format_map(done))
        for verdict in done["verdicts"]:
            if verdict.get("verdict") == "rejected":
                screen.line(f"  {verdict.get('number', '')}  {reason_text(verdict.get('reasons', []))}")
    return 1 if done["rejected"] else 0
