"""`aob metric`: list metrics, read one, watch it change, explain why it moved."""

from argparse import ArgumentParser, Namespace
from typing import Final

from aob.cli.commands.live.rows import (
    INSTANT_HELP,
    METRIC_COLUMNS,
    delta_line,
    dimensions,
    event_line,
    instant,
    metric_lines,
    metric_row,
    metric_rows,
    value_text,
)
from aob.cli.picture import clock, short
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, asks, command, group, lists
from aob.core.metric_answers import Changelog, ChangeRow, MetricAnswer, Pushes

NONE: Final = "no metrics: aob contract push FOLDER"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob metric`."""
    mine = group(commands, common, "metric", "read live metrics")
    command(mine, common, "list", "list metrics", asks("metrics", lists(METRIC_COLUMNS, metric_row, NONE)))
    show = asks(
        "metric", _shown, since=instant, until=instant, as_of=instant, known_at=instant, where=dimensions,
        compare=lambda asked: "previous" if asked else "",
    )  # fmt: skip
    one = command(mine, common, "show", "show a metric as it is now, then, or as a series", show)
    _add_which(one)
    one.add_argument("--since", metavar="WHEN", help=f"with --until instead of a window: {INSTANT_HELP}")
    one.add_argument("--until", metavar="WHEN")
    one.add_argument("--step", metavar="DURATION", default="", help="a value for each step: 5m, 1h")
    one.add_argument("--as-of", metavar="WHEN", help="the event time that stands for now")
    one.add_argument("--known-at", metavar="WHEN", help="only what was known then")
    one.add_argument("--compare", action="store_true", help="with the window before")
    one.add_argument("--version", type=int, default=0, help="of its contract (the newest)")
    one.add_argument("--limit", type=int, default=1_000, help="rows (1000)")
    one.add_argument("--min-position", metavar="POSITION", default="", help="wait until the answer holds it")
    one = command(mine, common, "watch", "print a metric whenever it moves, until Ctrl-C", watch)
    _add_which(one)
    one.add_argument("--count", type=int, default=0, help="stop after so many (never)")
    one = command(mine, common, "why", "say why a metric moved, or what was pushed", why)
    one.add_argument("metric", metavar="METRIC", nargs="?", help="without it: contracts and workflows that were pushed")
    one.add_argument("--from", dest="since", metavar="WHEN", help=f"(an hour before; pushes: a day): {INSTANT_HELP}")
    one.add_argument("--to", dest="until", metavar="WHEN", help="(now)")
    one.add_argument("--window", default="", help="one of its windows, or a duration: 15m (its first)")
    one.add_argument("--where", metavar="NAME=VALUE", action="append", default=[])
    one.add_argument("--limit", type=int, default=20, help="changes (20)")


def _add_which(one: ArgumentParser) -> None:
    one.add_argument("metric", metavar="METRIC")
    one.add_argument("--window", default="", help="one of its windows, or a duration: 15m (its first)")
    one.add_argument("--by", metavar="NAME", action="append", default=[], help="tell values of a dimension apart")
    one.add_argument("--where", metavar="NAME=VALUE", action="append", default=[], help="only this value")


def _shown(answer: MetricAnswer, args: Namespace, screen: Screen) -> None:
    screen.lines(metric_lines(answer))
    if "rows" in answer:
        screen.line()
        screen.table(*metric_rows(answer), none="no rows")


async def watch(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Print a metric as it changes."""
    seen = 0
    feed = aob.stream(metrics=[args.metric], window=args.window, by=args.by, where=dimensions(args.where))
    async for event in feed:
        if event.name == "metric":
            screen.value(event.data) if screen.json else screen.line(delta_line(event.data))
            seen += 1
        if args.count and seen >= args.count:
            return


async def why(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Why it moved; without a metric, what was pushed."""
    if args.metric:
        await asks("changelog", _moved, since=instant, until=instant, where=dimensions)(aob, args, screen)
        return
    del args.metric, args.where, args.window
    await asks("pushes", _pushed, since=instant, until=instant)(aob, args, screen)


def _pushed(found: Pushes, args: Namespace, screen: Screen) -> None:
    rows = [(clock(each["at"]), each["kind"], each["name"], each["version"], each["by"]) for each in found["pushes"]]
    screen.table(("at", "kind", "name", "version", "by"), rows, none="nothing was pushed")
    if found["truncated"]:
        screen.note("there are more: --limit N")


def _moved(found: Changelog, args: Namespace, screen: Screen) -> None:
    span = f"{clock(found['since'])} to {clock(found['until'])}"
    screen.line(f"{args.metric}  {value_text(found['before'])} -> {value_text(found['after'])}  ({span})")
    for row in found["parts"]:
        screen.line("  " + "  ".join(f"{name} {short(value)}" for name, value in row.items()))
    screen.line()
    screen.table(("at", "kind", "change", "what"), map(_change, found["changes"]), none="nothing moved it")
    if found["truncated"]:
        screen.note("there are more: --limit N")


def _change(row: ChangeRow) -> tuple[str, ...]:
    event = row.get("event")
    what = event_line(event) if event else row.get("detail", "")
    return clock(row["at"]), row["kind"], value_text(row.get("change")), what
