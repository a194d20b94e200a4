"""`aob alert`: list alerts, show one with its history, silence one, change one."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aob.cli.commands.live.rows import value_text
from aob.cli.picture import clock, short
from aob.cli.screen import Screen
from aob.cli.values import json_from
from aob.cli.words import Commands, command, group
from aob.core.errors import Invalid
from aob.core.metric_answers import AlertView

if TYPE_CHECKING:
    from aob.client import AsyncClient

TOLD = ("at", "what", "version")
COLUMNS = ("alert", "by", "state", "value", "when", "since")


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob alert`."""
    mine = group(commands, common, "alert", "see and silence alerts")
    one = command(mine, common, "list", "list alerts as they stand", list_all)
    one.add_argument("--state", choices=("ok", "pending", "firing", "no_data", "silenced"), default="")
    one = command(mine, common, "show", "show an alert with its history", show)
    one.add_argument("alert", metavar="ALERT")
    one = command(mine, common, "silence", "let an alert tell nobody and start nothing for a while", silence)
    one.add_argument("alert", metavar="ALERT")
    one.add_argument("--for", dest="span", metavar="DURATION", help="how long (1h)")
    one.add_argument("--until", metavar="WHEN", help="until an instant")
    one.add_argument("--end", action="store_true", help="let it speak again")
    one.add_argument("--reason", default="", help="why, for the record")
    one = command(mine, common, "put", "make or change an alert", put)
    one.add_argument("alert", metavar="ALERT")
    one.add_argument("document", metavar="JSON|FILE|-", help="the fields of its contract: metric, when, for, start …")
    one = command(mine, common, "delete", "judge an alert no more", delete)
    one.add_argument("alert", metavar="ALERT")


async def list_all(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """List alerts."""
    found = await aob.alerts(state=args.state)
    if not screen.told(found):
        screen.table(COLUMNS, map(_row, found), none="no alerts")


async def show(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Show one."""
    found = await aob.alert(args.alert)
    if screen.told(found):
        return
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


async def silence(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Silence one."""
    if sum(map(bool, (args.span, args.until, args.end))) > 1:
        raise Invalid("--for, --until and --end exclude one another", hint="aob alert silence NAME --for 2h")
    until: str | int | None = 0 if args.end else args.until
    told = await aob.silence_alert(args.alert, until=until, for_=args.span, reason=args.reason)
    if screen.told(told):
        return
    ends = told.get("silenced_until")
    screen.line(f"{args.alert} is silent until {clock(ends)}" if ends else f"{args.alert} speaks again")


async def put(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Create or change one."""
    document = json_from(args.document, "document")
    if not isinstance(document, dict):
        raise Invalid("an alert is a JSON object", hint='{"metric": "revenue", "when": "value < 100"}')
    told = await aob.put_alert(args.alert, document)
    screen.value(told) if screen.json else screen.line(f"{args.alert} is judged from now on")


async def delete(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Delete one."""
    told = await aob.delete_alert(args.alert)
    screen.value(told) if screen.json else screen.line(f"{args.alert} is judged no more")


def _row(row: AlertView) -> tuple[str, ...]:
    by = " ".join(f"{name}={value}" for name, value in row["by"].items())
    silent = bool(row.get("silenced_until")) and row["state"] != "silenced"
    state = row["state"].replace("_", " ") + " (silent)" * silent
    return row["name"], by, state, value_text(row["value"]), row["when"], clock(row["since"])
