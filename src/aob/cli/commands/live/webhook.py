"""`aob webhook`: subscribe URLs, list deliveries, send again."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aob.cli.commands.live.rows import INSTANT_HELP, instant
from aob.cli.picture import clock, indented, short
from aob.cli.screen import Screen
from aob.cli.words import Commands, command, group
from aob.core.answers import JsonValue
from aob.core.metric_answers import WebhookView

if TYPE_CHECKING:
    from aob.client import AsyncClient

SIGN_HELP = "sign with a secret of the home, {secret:NAME}; without it one is made"
COLUMNS = ("webhook", "url", "of", "state", "delivered", "failed", "waiting")


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob webhook`."""
    mine = group(commands, common, "webhook", "send events, metrics, runs and alerts to URLs")
    command(mine, common, "list", "list webhooks", list_all)
    one = command(mine, common, "create", "subscribe a URL and print its secret, once", create)
    one.add_argument("url", metavar="URL")
    for name, text in (
        ("event", "accepted events of this type"), ("metric", "this metric when it moves"),
        ("run", "runs that are RUNNING, COMPLETED, FAILED, CANCELLED"), ("alert", "this alert"),
    ):  # fmt: skip
        one.add_argument(
            f"--{name}", metavar="NAME", action="append", default=[], help=f"{text}; * for all; repeatable"
        )
    one.add_argument("--description", default="")
    one.add_argument("--secret", default="", metavar="REF", help=SIGN_HELP)
    for name, help, act in (
        ("show", "show a webhook", show),
        ("pause", "send nothing until it is resumed", pause),
        ("resume", "go on sending, also after a circuit opened", resume),
        ("rotate", "give it a new secret and print it, once", rotate),
        ("delete", "end a webhook", delete),
    ):
        one = command(mine, common, name, help, act)
        one.add_argument("webhook", metavar="WEBHOOK")
        if act is rotate:
            one.add_argument("--secret", default="", metavar="REF", help=SIGN_HELP)
    one = command(mine, common, "deliveries", "list what was sent, newest first", deliveries)
    one.add_argument("webhook", metavar="WEBHOOK")
    one.add_argument("delivery", metavar="DELIVERY", nargs="?", help="show this one with its payload")
    one.add_argument("--state", choices=("waiting", "delivered", "failed"), default="")
    one.add_argument("--limit", type=int, default=20, help="rows (20)")
    one.add_argument("--before", default="", metavar="CURSOR", help="go on after a page: what it printed")
    one = command(mine, common, "redeliver", "send again: some, or all that failed since an instant", redeliver)
    one.add_argument("webhook", metavar="WEBHOOK")
    one.add_argument("deliveries", metavar="DELIVERY", nargs="*")
    one.add_argument("--since", metavar="WHEN", help=INSTANT_HELP)


async def list_all(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """All."""
    found = await aob.webhooks()
    if not screen.told(found):
        screen.table(COLUMNS, map(_row, found), none="no webhooks")


async def create(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Subscribe."""
    made = await aob.create_webhook(
        args.url,
        events=args.event,
        metrics=args.metric,
        runs=args.run,
        alerts=args.alert,
        description=args.description,
        secret=args.secret,
    )
    _secret(made, screen)
    for warning in made.get("warnings", ()):
        screen.note(f"warning: {warning}")


async def show(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """One."""
    found = await aob.webhook(args.webhook)
    screen.value(found) if screen.json else screen.line("\n".join(indented(found)))


async def pause(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Pause sending."""
    _told(await aob.update_webhook(args.webhook, paused=True), screen)


async def resume(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Resume sending."""
    _told(await aob.update_webhook(args.webhook, paused=False), screen)


async def rotate(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """A new secret."""
    _secret(await aob.update_webhook(args.webhook, rotate=True, secret=args.secret), screen)


async def delete(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Delete one."""
    await aob.delete_webhook(args.webhook)
    screen.value({"id": args.webhook}) if screen.json else screen.line(f"{args.webhook} is ended")


async def deliveries(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """A page, or one."""
    if args.delivery is not None:
        one = await aob.delivery(args.webhook, args.delivery)
        screen.value(one) if screen.json else screen.line("\n".join(indented(one)))
        return
    page = await aob.deliveries(args.webhook, state=args.state, limit=args.limit, before=args.before)
    if screen.told(page):
        return
    rows = []
    for row in page["deliveries"]:
        last = row["attempts"][-1] if row["attempts"] else {}
        rows.append(
            (
                row["id"],
                row["type"],
                row["state"],
                str(len(row["attempts"])),
                row.get("waits_for") or _outcome(last),
                clock(row["created_at"]),
            )
        )
    screen.table(("delivery", "type", "state", "attempts", "last", "made"), rows, none="nothing was sent")
    if page["next"]:
        screen.note(f"more: --before {page['next']}")


async def redeliver(aob: "AsyncClient", args: Namespace, screen: Screen) -> None:
    """Again."""
    done = await aob.redeliver(args.webhook, deliveries=args.deliveries, since=instant(args.since))
    screen.value(done) if screen.json else screen.line(f"{done['queued']} will be sent again")


def _outcome(attempt: Mapping[str, JsonValue]) -> str:
    """The outcome of an attempt: its status, or why there is none."""
    if not attempt:
        return ""
    return short(attempt.get("error") or attempt.get("status"), 60)


def _row(row: WebhookView) -> tuple[str, ...]:
    of = [*row["events"], *row["metrics"], *row["runs"], *row["alerts"]]
    counts = (f"{row['delivered']:,}", f"{row['failed']:,}", f"{row['waiting']:,}")
    return row["id"], row["url"], short(" ".join(of), 60), row["state"], *counts


def _told(hook: WebhookView, screen: Screen) -> None:
    screen.value(hook) if screen.json else screen.state(f"{hook['id']}  {hook['state']}", hook["state"])


def _secret(hook: WebhookView, screen: Screen) -> None:
    if screen.told(hook):
        return
    screen.line(hook.get("secret", ""))
    screen.note(f"{hook['id']}: this secret is shown only now; the receiver checks signatures with it")
