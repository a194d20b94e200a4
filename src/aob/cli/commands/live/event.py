"""`aob event`: send events from a file or a pipe, and watch those that are accepted."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Final

import msgspec

from aob.cli.commands.live.history import Columns, batches, event_of, is_history, rows_in
from aob.cli.commands.live.rows import delta_line, dimensions, event_line, reason_text
from aob.cli.picture import short
from aob.cli.screen import Screen
from aob.cli.values import read
from aob.cli.words import Aob, Commands, arguments, command, group
from aob.core.answers import JsonObject
from aob.core.errors import Invalid, NotFound, Problem
from aob.core.metric_answers import EventVerdict

REFUSED_SHOWN: Final = 20
COUNTS: Final = ("received", "accepted", "duplicate", "rejected")
EXAMPLES: Final = """examples:
  aob event send events.jsonl
  aob event send orders.csv --type order.created --time ordered_at --id order_id --source archive
  aob event send sales.parquet --type sale --time at --id number --subject customer
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob event`."""
    mine = group(commands, common, "event", "send events and watch them")
    one = command(mine, common, "send", "send events; exits with 1 when one was refused", send, epilog=EXAMPLES)
    one.add_argument(
        "file", metavar="FILE|-", help="events: one JSON object, an array, or a line each; with --type rows of CSV, "
        "JSON lines or Parquet",
    )  # fmt: skip
    one.add_argument("--type", default="", help="rows are events of this type, their columns its data")
    one.add_argument("--time", metavar="COLUMN", default="", help="the column that says when; UTC where it has no zone")
    one.add_argument("--id", metavar="COLUMN", default="", help="the column that tells events apart (file and row)")
    one.add_argument("--subject", metavar="COLUMN", default="", help="the column that says whom or what it is about")
    one.add_argument("--source", default="aob-cli", help="of events that say none (aob-cli)")
    one = command(mine, common, "watch", "print accepted events as they come, until Ctrl-C", watch)
    one.add_argument(
        "--type", dest="types", metavar="TYPE", action="append", default=[], help="only these; may be repeated"
    )
    one.add_argument("--subject", default="", help="only of this subject")
    text = "the deltas of a metric, too; may be repeated"
    one.add_argument("--metric", dest="metrics", metavar="METRIC", action="append", default=[], help=text)
    one.add_argument("--window", default="", help="of the metrics")
    one.add_argument("--by", metavar="NAME", action="append", default=[], help="a dimension of the metrics")
    one.add_argument("--where", metavar="NAME=VALUE", action="append", default=[], help="only this value of it")
    one.add_argument("--position", help="go on after it (from now)")
    one.add_argument("--count", type=int, default=0, help="stop after so many (never)")


async def send(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Send the contents of a file."""
    if is_history(args.file, args.type):
        return await _send_rows(aob, args, screen)
    told = await aob.ingest(events_in(read(args.file)), source=args.source)
    if screen.json:
        screen.value(told)
        return 1 if told["rejected"] else 0
    screen.state(_counted({name: told[name] for name in COUNTS}), "failed" if told["rejected"] else "ok")
    refused = [(n, verdict) for n, verdict in enumerate(told["verdicts"], 1) if verdict["verdict"] == "rejected"]
    for number, verdict in refused[:REFUSED_SHOWN]:
        screen.line(f"  event {number}: {_why(verdict)}")
    if len(refused) > REFUSED_SHOWN:
        screen.line(f"  and {len(refused) - REFUSED_SHOWN} more: aob deadletter groups")
    return 1 if refused else 0


async def _send_rows(aob: Aob, args: Namespace, screen: Screen) -> int:
    if not args.type:
        raise Invalid(f"say of which type the rows of {args.file} are", hint="--type order.created --time ordered_at")
    columns = Columns(args.type, args.time, args.id, args.subject)
    event = event_of(args.file, columns, await _types(aob, args.type))
    total = dict.fromkeys(COUNTS, 0)
    refused: list[tuple[int, EventVerdict]] = []
    with screen.waiting(f"{args.file}") as spinner:
        for batch in batches(rows_in(args.file), event):
            told = await aob.ingest(batch, source=args.source)
            for number, verdict in enumerate(told["verdicts"], total["received"] + 1):
                if verdict["verdict"] == "rejected" and len(refused) < REFUSED_SHOWN:
                    refused.append((number, verdict))
            for name in COUNTS:
                total[name] += told[name]
            spinner.update(f"{args.file}  {_counted(total)}")
    if not screen.told({**total, "refused": [{"row": number, **verdict} for number, verdict in refused]}):
        screen.state(_counted(total), "failed" if total["rejected"] else "ok")
        for number, verdict in refused:
            screen.line(f"  row {number}: {_why(verdict)}")
        if total["rejected"] > len(refused):
            screen.line(f"  and {total['rejected'] - len(refused):,} more: aob deadletter groups")
    return 1 if total["rejected"] else 0


async def _types(aob: Aob, type: str) -> dict[str, str]:
    """The types of the fields of an event type. Raises NotFound for a misspelled name."""
    try:
        schema = (await aob.contract("event", type)).get("schema") or {}
    except NotFound as error:
        if error.hint.startswith("did you mean"):
            words = f"no contract declares events of type {type!r}, so that nothing was sent"
            raise NotFound(words, code=error.code, hint=error.hint) from error
        return {}
    fields = schema.get("properties") or {}
    return {name: str(field.get("type", "")) for name, field in fields.items() if isinstance(field, dict)}


def _counted(counts: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {counts[name]:,}" for name in COUNTS)


def events_in(data: bytes) -> list[JsonObject]:
    """The events of an array, of one object on any number of lines, or one a line. Raises Invalid with the line."""
    text = data.strip()
    try:
        whole = msgspec.json.decode(text, type=JsonObject | list[JsonObject])
    except msgspec.ValidationError as error:
        raise Invalid(f"these are no events: {error}", hint="an event is a JSON object") from error
    except (msgspec.DecodeError, UnicodeError):
        return [_event(line, number) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    return whole if isinstance(whole, list) else [whole]


def _event(line: bytes, number: int) -> JsonObject:
    try:
        return msgspec.json.decode(line, type=JsonObject)
    except (msgspec.MsgspecError, UnicodeError) as error:
        problem = Problem("", str(error), line=number, column=1)
        raise Invalid("nothing was sent: a line is no event", [problem], hint="a line is one JSON object") from error


async def watch(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Print arriving events."""
    most = vars(args).pop("count")
    feed = aob.stream(**arguments(args, where=dimensions))
    seen = 0
    async for event in feed:
        if screen.json:
            screen.value({"event": event.name, "position": event.position, "data": event.data})
        elif event.name == "event":
            screen.line(event_line(event.data))
        elif event.name == "metric":
            screen.line(delta_line(event.data), style="cyan")
        else:
            screen.state(f"{event.name}  {short(event.data)}", str(event.data.get("state", "")))
        seen += 1
        if most and seen >= most:
            return


def _why(verdict: EventVerdict) -> str:
    number = verdict.get("deadletter")
    mend = f"  (aob deadletter show {number})" if number is not None else ""
    return reason_text(verdict.get("reasons", [])) + mend
