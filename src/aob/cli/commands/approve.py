"""`aob approve`: lists what waits for a person, and decides a ticket or a patch."""

from argparse import ArgumentParser, Namespace

from aob.cli.finding import find_ticket
from aob.cli.picture import TICKET_COLUMNS, clock, diff_lines, ticket_lines, ticket_row
from aob.cli.screen import Screen
from aob.cli.values import pairs
from aob.cli.words import Aob, Commands, command

EXAMPLES = """examples:
  aob approve                                  what waits for a person
  aob approve ticket_1f0c                      what it is about
  aob approve ticket_1f0c approve --reason ok --value limit=500
  aob approve ticket_1f0c --link --to ada@example.org
                                               a link with which Ada decides without a key
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob approve`."""
    one = command(commands, common, "approve", "list tickets, show one, or decide it", approve, epilog=EXAMPLES)
    one.add_argument(
        "ticket", metavar="TICKET", nargs="?", help="id of a ticket or of a proposed patch, or enough of its end"
    )
    one.add_argument("choice", metavar="approve|reject", nargs="?", help="the decision")
    one.add_argument("--reason", default="", help="why, for the record")
    one.add_argument("--value", metavar="NAME=VALUE", action="append", default=[], help="a field of its form")
    one.add_argument("--role", help="list only tickets of this role")
    one.add_argument("--link", action="store_true", help="print a signed link to its form and decide nothing; with a "
                     "choice before it the link allows only that one")  # fmt: skip
    for name, metavar, told in (
        ("--to", "WHOM", "whom it is for, recorded with the decision"),
        ("--expires", "DURATION", "how long it holds (the ticket's deadline, or 7d)"),
    ):
        one.add_argument(name, metavar=metavar, help=f"with --link: {told}")


async def approve(aob: Aob, args: Namespace, screen: Screen) -> None:
    """List, show or decide."""
    if args.ticket is None:
        await _list(aob, args, screen)
        return
    args.ticket = await find_ticket(aob, args.ticket)
    if args.link:
        await _link(aob, args, screen)
    elif args.choice is None:
        await _show(aob, args.ticket, screen)
    else:
        await _decide(aob, args, screen)


async def _list(aob: Aob, args: Namespace, screen: Screen) -> None:
    found = await aob.tickets(role=args.role)
    if not screen.told(found):
        screen.table(TICKET_COLUMNS, map(ticket_row, found), none="nothing waits for a person")


async def _show(aob: Aob, ticket_id: str, screen: Screen) -> None:
    if ticket_id.startswith("patch_"):
        patch = await aob.patch(ticket_id)
        screen.value(patch) if screen.json else screen.diff(diff_lines(patch))
        return
    ticket = await aob.ticket(ticket_id)
    if screen.told(ticket):
        return
    for line in ticket_lines(ticket):
        screen.line(line)
    if ticket.get("patch_id"):
        screen.diff(diff_lines(await aob.patch(ticket["patch_id"])))
    if ticket.get("state", "open") == "open":
        choices = "|".join(ticket.get("choices") or ("approve", "reject"))
        screen.line(f"decide: aob approve {ticket_id} {choices} --reason ...", style="yellow")


async def _link(aob: Aob, args: Namespace, screen: Screen) -> None:
    choices = None if args.choice is None else [args.choice]
    link = await aob.ticket_link(args.ticket, choices=choices, expires=args.expires, to=args.to)
    if screen.told(link):
        return
    screen.line(link["url"])
    screen.note(f"whoever holds it may decide until {clock(link['expires_at'])}")


async def _decide(aob: Aob, args: Namespace, screen: Screen) -> None:
    values = pairs(args.value, "--value") or None
    if args.ticket.startswith("patch_"):
        settle = aob.approve_patch if args.choice == "approve" else aob.reject_patch
        verdict = await settle(args.ticket, reason=args.reason)
        screen.value(verdict) if screen.json else screen.state(f"{args.ticket}  {verdict['state']}", verdict["state"])
        return
    decided = await aob.answer(args.ticket, args.choice, reason=args.reason, values=values)
    screen.value(decided) if screen.json else screen.line(f"{args.ticket}  {decided.get('choice', args.choice)}")
