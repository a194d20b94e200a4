"""`aob alert`: list alerts, show one with its history, silence one, change one; `aob slo`: objectives, their remaining
budgets, and how fast they burn."""

from argparse import ArgumentParser, Namespace

from aob.cli.commands.live.rows import value_text
from aob.cli.picture import clock, short
from aob.cli.screen import Screen
from aob.cli.values import json_from
from aob.cli.words import Aob, Commands, asks, command, group, lists, says
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid
from aob.core.metric_answers import AlertView, SloView

TOLD = ("at", "what", "version")
COLUMNS = ("alert", "by", "state", "value", "when", "since")
SLO_COLUMNS = ("objective", "metric", "of", "target", "good", "budget", "burn", "state")


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob alert` and `aob slo`."""
    mine = group(commands, common, "alert", "see and silence alerts")
    one = command(mine, common, "list", "list alerts as they stand", asks("alerts", lists(COLUMNS, _row, "no alerts")))
    one.add_argument("--state", choices=("ok", "pending", "firing", "no_data", "silenced"), default="")
    one = command(mine, common, "show", "show an alert with its history", asks("alert", _shown))
    one.add_argument("name", metavar="ALERT")
    one = command(mine, common, "silence", "let an alert tell nobody and start nothing for a while", silence)
    one.add_argument("name", metavar="ALERT")
    one.add_argument("--for", dest="span", metavar="DURATION", help="how long (1h)")
    one.add_argument("--until", metavar="WHEN", help="until an instant")
    one.add_argument("--end", action="store_true", help="let it speak again")
    one.add_argument("--reason", default="", help="why, for the record")
    put = asks("put_alert", says("{name} is judged from now on"), document=_document)
    one = command(mine, common, "put", "make or change an alert", put)
    one.add_argument("name", metavar="ALERT")
    one.add_argument("document", metavar="JSON|FILE|-", help="the fields of its contract: metric, when, for, start …")
    one = command(
        mine, common, "delete", "judge an alert no more", asks("delete_alert", says("{name} is judged no more"))
    )
    one.add_argument("name", metavar="ALERT")
    one = command(commands, common, "slo", "list objectives, or show one", slo)
    one.add_argument("name", metavar="NAME", nargs="?")


async def silence(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Silence one."""
    if sum(map(bool, (args.span, args.until, args.end))) > 1:
        raise Invalid("--for, --until and --end exclude one another", hint="aob alert silence NAME --for 2h")
    until: str | int | None = 0 if args.end else args.until
    told = await aob.silence_alert(args.name, until=until, for_=args.span, reason=args.reason)
    if not screen.told(told):
        ends = told.get("silenced_until")
        screen.line(f"{args.name} is silent until {clock(ends)}" if ends else f"{args.name} speaks again")


def _document(text: str) -> JsonValue:
    document = json_from(text, "document")
    if not isinstance(document, dict):
        raise Invalid("an alert is a JSON object", hint='{"metric": "revenue", "when": "value < 100"}')
    return document


def _shown(found: JsonObject, args: Namespace, screen: Screen) -> None:
    screen.line(found["name"])
    for name, value in found["contract"].items():
        screen.line(f"  {name}  {short(value, 120)}")
    screen.table(COLUMNS, map(_row, found["alerts"]), none="it was not judged yet")
    if found.get("silenced_until"):
        screen.line(f"silent until {clock(found['silenced_until'])}", style="yellow")
    for turn in found.get("history", ()):
        rest = "  ".join(
            f"{key} {clock(value) if key == 'until' else short(value)}"
            for key, value in turn.items()
            if key not in TOLD and value
        )
        screen.line(f"{clock(turn['at'])}  {turn['what']}  {rest}", style="dim")


def _row(row: AlertView) -> tuple[str, ...]:
    by = " ".join(f"{name}={value}" for name, value in row["by"].items())
    silent = bool(row.get("silenced_until")) and row["state"] != "silenced"
    state = row["state"].replace("_", " ") + " (silent)" * silent
    return row["name"], by, state, value_text(row["value"]), row["when"], clock(row["since"])


async def slo(aob: Aob, args: Namespace, screen: Screen) -> None:
    """All, or one."""
    found = await aob.slos() if args.name is None else [await aob.slo(args.name)]
    screen.listing(found if args.name is None else found[0], SLO_COLUMNS, map(_slo_row, found), none="no objectives")


def _slo_row(row: SloView) -> tuple[str, ...]:
    burn = " ".join(f"{window}:{rate:.1f}" for window, rate in row["burn"].items() if rate is not None)
    return (
        row["name"], row["metric"], row["objective"], _share(row["target"]), _share(row["ratio"]),
        _share(row["budget_left"]), burn, row["state"],
    )  # fmt: skip


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
