"""`aob query` and `aob search`: rows by name or by SQL, and search of the catalog."""

from argparse import ArgumentParser, Namespace

from aob.cli.commands.live.rows import INSTANT_HELP, dimensions, instant, value_text
from aob.cli.picture import clock, short
from aob.cli.screen import Screen
from aob.cli.values import json_or_text, pairs
from aob.cli.words import Aob, Commands, asks, command, lists
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid
from aob.core.metric_answers import SearchHit

EXAMPLES = """examples:
  aob query --metric revenue --metric orders --by region --window 1h
  aob query --entity order --where status=placed --limit 20
  aob query 'select type, count(*) from events group by 1 order by 2 desc'
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob query` and `aob search`."""
    text = "ask for rows: of metrics, of entities, or by SQL over your own views"
    one = command(commands, common, "query", text, query, epilog=EXAMPLES)
    one.add_argument("sql", metavar="SQL", nargs="?", help="a SELECT")
    one.add_argument("--parameter", metavar="VALUE", action="append", default=[], help="for each ? of the SQL")
    one.add_argument("--metric", action="append", default=[], help="by name; may be repeated")
    one.add_argument("--entity", metavar="TYPE", help="the states of entities of a type")
    one.add_argument("--by", metavar="NAME", action="append", default=[], help="a dimension, or a field of the entity")
    one.add_argument("--where", metavar="NAME=VALUE", action="append", default=[])
    one.add_argument("--window", help="of the metrics")
    one.add_argument("--since", metavar="WHEN", help=INSTANT_HELP)
    one.add_argument("--until", metavar="WHEN")
    one.add_argument("--step", metavar="DURATION")
    one.add_argument("--order", metavar="NAME", help="a column; --order=-NAME for descending")
    one.add_argument("--limit", type=int, help="rows")
    one.add_argument("--min-position", metavar="POSITION", help="wait until the answer holds it")
    search = asks("search", lists(("kind", "name", "what"), _hit, "nothing was found"), words=" ".join)
    one = command(commands, common, "search", "find metrics, events, entities and more by words", search)
    one.add_argument("words", metavar="WORD", nargs="+")
    one.add_argument("--kind", default="", help="only of this kind: metric, event, entity …")
    one.add_argument("--limit", type=int, default=20, help="rows (20)")


async def query(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Rows."""
    found = await aob.query(asked(args))
    if screen.told(found):
        return
    times = {place for place, name in enumerate(found["columns"]) if args.metric and name == "time"}
    rows = ([_cell(cell, place in times) for place, cell in enumerate(row)] for row in found["rows"])
    screen.table(found["columns"], rows, none="no rows")
    if found["truncated"]:
        screen.note("there are more rows: --limit N, or narrow it down")


def _cell(value: JsonValue, time: bool) -> str:
    if time:
        return clock(value)
    return value_text(value) if isinstance(value, float | int) else short(value)


def asked(args: Namespace) -> JsonObject:
    """The body of a query. Raises Invalid unless it asks for exactly one of them."""
    if sum(map(bool, (args.sql, args.metric, args.entity))) != 1:
        raise Invalid("say what is asked: SQL, --metric or --entity", hint="aob query --help has examples")
    body: JsonObject = {"limit": args.limit, "min_position": args.min_position}
    order = None if args.order is None else [args.order]
    if args.sql:
        body |= {"sql": args.sql, "parameters": [json_or_text(text) for text in args.parameter] or None}
    elif args.metric:
        body |= {
            "metrics": args.metric, "dimensions": args.by or None, "where": dimensions(args.where) or None,
            "window": args.window, "since": instant(args.since), "until": instant(args.until), "step": args.step,
            "order": order,
        }  # fmt: skip
    else:
        body |= {"entity": args.entity, "fields": args.by or None, "where": pairs(args.where, "--where") or None,
                 "order": order}  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}


def _hit(hit: SearchHit) -> tuple[str, ...]:
    return hit["kind"], hit["name"], short(hit["snippet"] or hit["title"], 80)
