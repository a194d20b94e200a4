"""`aob webhook`: subscribe URLs, list deliveries, send again."""

from argparse import ArgumentParser, Namespace

from aob.cli.commands.live.rows import INSTANT_HELP, instant
from aob.cli.picture import clock, indented, short
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, asks, command, group, lists, says
from aob.core.metric_answers import Delivery, WebhookView

SIGN_HELP = "sign with a secret of the home, {secret:NAME}; without it one is made"
COLUMNS = ("webhook", "url", "of", "state", "delivered", "failed", "waiting")
SENT = ("delivery", "type", "state", "attempts", "last", "made")


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob webhook`."""
    mine = group(commands, common, "webhook", "send events, metrics, runs and alerts to URLs")
    command(mine, common, "list", "list webhooks", asks("webhooks", lists(COLUMNS, _row, "no webhooks")))
    one = command(mine, common, "create", "subscribe a URL and print its secret, once", asks("create_webhook", _secret))
    one.add_argument("url", metavar="URL")
    for name, text in (
        ("event", "accepted events of this type"), ("metric", "this metric when it moves"),
        ("run", "runs that are RUNNING, COMPLETED, FAILED, CANCELLED"), ("alert", "this alert"),
    ):  # fmt: skip
        one.add_argument(
            f"--{name}", dest=f"{name}s", metavar="NAME", action="append", default=[],
            help=f"{text}; * for all; repeatable",
        )  # fmt: skip
    one.add_argument("--description", default="")
    one.add_argument("--secret", default="", metavar="REF", help=SIGN_HELP)
    for name, help, act, more in (
        ("show", "show a webhook", asks("webhook", _whole), {}),
        ("pause", "send nothing until it is resumed", asks("update_webhook", _state), {"paused": True}),
        ("resume", "go on sending, also after a circuit opened", asks("update_webhook", _state), {"paused": False}),
        ("rotate", "give it a new secret and print it, once", asks("update_webhook", _secret), {"rotate": True}),
        ("delete", "end a webhook", delete, {}),
    ):
        one = command(mine, common, name, help, act)
        one.add_argument("id", metavar="WEBHOOK")
        one.set_defaults(**more)
        if name == "rotate":
            one.add_argument("--secret", default="", metavar="REF", help=SIGN_HELP)
    one = command(mine, common, "deliveries", "list what was sent, newest first", deliveries)
    one.add_argument("id", metavar="WEBHOOK")
    one.add_argument("delivery", metavar="DELIVERY", nargs="?", help="show this one with its payload")
    one.add_argument("--state", choices=("waiting", "delivered", "failed"), default="")
    one.add_argument("--limit", type=int, default=20, help="rows (20)")
    one.add_argument("--before", default="", metavar="CURSOR", help="go on after a page: what it printed")
    again = asks("redeliver", says("{queued} will be sent again"), since=instant)
    one = command(mine, common, "redeliver", "send again: some, or all that failed since an instant", again)
    one.add_argument("id", metavar="WEBHOOK")
    one.add_argument("deliveries", metavar="DELIVERY", nargs="*")
    one.add_argument("--since", metavar="WHEN", help=INSTANT_HELP)


async def delete(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Delete one."""
    await aob.delete_webhook(args.id)
    screen.value({"id": args.id}) if screen.json else screen.line(f"{args.id} is ended")


async def deliveries(aob: Aob, args: Namespace, screen: Screen) -> None:
    """A page, or one."""
    if args.delivery is not None:
        one = await aob.delivery(args.id, args.delivery)
        if not screen.told(one):
            screen.lines(indented(one))
        return
    page = await aob.deliveries(args.id, state=args.state, limit=args.limit, before=args.before)
    if not screen.told(page):
        lists(SENT, _sent, "nothing was sent", of="deliveries", more="--before")(page, args, screen)


def _sent(row: Delivery) -> tuple[str, ...]:
    """A delivery in a list; the outcome of its last attempt is a status, or why there is none."""
    last = row["attempts"][-1] if row["attempts"] else None
    outcome = row.get("waits_for") or (short(last.get("error") or last.get("status"), 60) if last else "")
    return row["id"], row["type"], row["state"], str(len(row["attempts"])), outcome, clock(row["created_at"])


def _row(row: WebhookView) -> tuple[str, ...]:
    of = [*row["events"], *row["metrics"], *row["runs"], *row["alerts"]]
    counts = (f"{row['delivered']:,}", f"{row['failed']:,}", f"{row['waiting']:,}")
    return row["id"], row["url"], short(" ".join(of), 60), row["state"], *counts


def _whole(hook: WebhookView, args: Namespace, screen: Screen) -> None:
    screen.lines(indented(hook))


def _state(hook: WebhookView, args: Namespace, screen: Screen) -> None:
    screen.state(f"{hook['id']}  {hook['state']}", hook["state"])


def _secret(hook: WebhookView, args: Namespace, screen: Screen) -> None:
    screen.line(hook.get("secret", ""))
    screen.note(f"{hook['id']}: this secret is shown only now; the receiver checks signatures with it")
    for warning in hook.get("warnings", ()):
        screen.note(f"warning: {warning}")
