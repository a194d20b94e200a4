"""`aob topic produce` and `aob topic consume`: append records to a topic, read them, as a group or alone."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from aob.cli.picture import short
from aob.cli.screen import Screen
from aob.cli.values import json_or_text, named, read
from aob.cli.words import Aob, Commands, command
from aob.core.errors import Invalid, Problem
from aob.core.topic import answers

PAGE: Final = 500
WAIT_MS: Final = 10_000
PRODUCE_EXAMPLES: Final = """examples:
  aob topic produce orders --type order.placed --subject order-7 --data '{"amount": 24}'
  aob topic produce orders --type order.placed --lines orders.jsonl
"""
CONSUME_EXAMPLES: Final = """examples:
  aob topic consume orders --from-time 1h
  aob topic consume orders --group billing --commit --follow --json
"""


def add_records(mine: Commands, common: ArgumentParser) -> None:
    """The words of the two commands."""
    one = command(mine, common, "produce", "append records to a topic", produce, epilog=PRODUCE_EXAMPLES)
    one.add_argument("topic", metavar="TOPIC")
    one.add_argument("--type", required=True, help="what the record tells: order.placed")
    one.add_argument("--data", metavar="JSON", help="what it says; a text that is no JSON is itself (null)")
    one.add_argument("--subject", "--key", dest="subject", default="",
                     help="whom or what it is about; decides the partition (the id)")  # fmt: skip
    one.add_argument("--header", metavar="NAME=VALUE", action="append", default=[],
                     help="a further attribute; repeatable")  # fmt: skip
    one.add_argument("--id", default="", help="written once under this id (a new one)")
    one.add_argument("--source", default="", help="where it comes from (the key's name)")
    one.add_argument("--lines", metavar="FILE|-", help="a record for each line: its data")
    one = command(mine, common, "consume", "read the records of a topic", consume, epilog=CONSUME_EXAMPLES)
    one.add_argument("topic", metavar="TOPIC")
    one.add_argument("--group", default="", metavar="GROUP", help="begin where this group is")
    one.add_argument("--commit", action="store_true", help="the group goes on behind what was printed")
    one.add_argument("--from-offset", type=int, metavar="N", help="begin at this offset of each partition")
    one.add_argument("--from-time", default="", metavar="WHEN", help="an instant, or so long ago: 1h")
    one.add_argument("--position", help="go on after it")
    one.add_argument("--partition", type=int, metavar="N", help="only this one")
    one.add_argument("--key", default=None, metavar="SUBJECT", help="print only records about this subject")
    one.add_argument("--type", default=None, help="print only records of this type")
    one.add_argument("--limit", type=int, default=0, help="stop after so many (all that are there)")
    one.add_argument("--follow", action="store_true", help="wait for more, until Ctrl-C")


async def produce(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Append records."""
    if args.data is not None and args.lines is not None:
        raise Invalid("say the data or a file of lines, not both", hint="aob topic produce --help")
    if args.lines is not None and args.id:
        raise Invalid("one id is not the id of many records", hint="leave out --id")
    made = list(_lines(args.lines)) if args.lines is not None else [json_or_text(args.data or "null")]
    about = {"type": args.type, "subject": args.subject, "id": args.id, "source": args.source}
    headers = named(args.header, "--header", "campaign=spring")
    places, notes = list[answers.RecordPlace](), list[str]()
    for start in range(0, len(made), PAGE):
        sent = [{**about, "extensions": headers, "data": data} for data in made[start : start + PAGE]]
        told = await aob.produce(args.topic, sent)
        places, notes = [*places, *told["records"]], told["notes"]
    if screen.told({"records": places, "notes": notes}):
        return
    for note in notes:
        screen.note(note)
    if len(places) != 1:
        screen.line(f"{len(places):,} records appended to {args.topic}")
        return
    (place,) = places
    said = "was there before" if place["repeated"] else "appended"
    screen.line(f"{place['id']} {said}: partition {place['partition']}, offset {place['offset']}")


def _lines(file: str) -> Iterator[Any]:
    for number, line in enumerate(read(file).split(b"\n"), 1):
        if line.strip():
            try:
                yield msgspec.json.decode(line)
            except (msgspec.MsgspecError, UnicodeError) as error:
                problem = Problem("", str(error), line=number, column=1)
                raise Invalid("nothing was appended: a line is no JSON", [problem]) from error


async def consume(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Print records, page by page; a group commits what was printed."""
    if args.commit and not args.group:
        raise Invalid("only a group commits", hint="--group NAME")
    filters = args.key is not None or args.type is not None
    if args.commit and filters:
        raise Invalid("a group deals with every record", hint="leave out --key and --type, or --commit")
    where = {name: getattr(args, name) for name in ("position", "group", "from_offset", "from_time")}
    committed, shown, noted = "", 0, set[str]()
    while True:
        most = min(PAGE, args.limit - shown) if args.limit and not filters else PAGE
        wait_ms = WAIT_MS if args.follow else 0
        told = await aob.consume(args.topic, partition=args.partition, limit=most, wait_ms=wait_ms, **where)
        for note in told["notes"]:
            if note not in noted and not screen.json:
                screen.note(note)
            noted.add(note)
        for record in told["records"]:
            fits = args.key in (None, record["subject"]) and args.type in (None, record["type"])
            if fits and not (args.limit and shown >= args.limit):
                _print(record, screen)
                shown += 1
        committed = committed or told["begun"]
        if args.commit and told["records"]:
            await aob.commit_group(args.group, args.topic, committed, told["position"])
            committed = told["position"]
        where = {"position": told["position"], "group": "", "from_offset": None, "from_time": ""}
        if (args.limit and shown >= args.limit) or not (args.follow or told["behind"]):
            break
    if not screen.json:
        left = 0 if filters else told["behind"]
        more = f"; {left:,} behind them: --position {where['position']}" if left else ""
        screen.note(f"{shown:,} records{more}")


def _print(record: answers.RecordView, screen: Screen) -> None:
    if screen.json:
        screen.value(dict(record))
        return
    place = f"{record['partition']}:{record['offset']}"
    screen.line(f"{record['at']}  {place:<8}  {record['type']}  {record['subject']}  {short(record['data'])}")
