"""`aob call`: any verb of the server by its name, also one that no other command asks; prints its answer unchanged."""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from inspect import signature

from aob.cli.screen import Screen
from aob.cli.values import pairs
from aob.cli.words import Aob, Commands, command
from aob.core.errors import Invalid, NotFound
from aob.core.hint import nearest

EXAMPLES = """examples:
  aob call                                      every verb, and the role that it needs
  aob call graph run_id=run_2f6c0e9b7a1d4c3e8f55
  aob call check_contracts files='{"orders.yaml": "event: order.created"}'
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob call`."""
    one = command(commands, common, "call", "ask for a verb of the server by its name", call, epilog=EXAMPLES)
    one.add_argument("verb", metavar="VERB", nargs="?", help="without it: list them")
    one.add_argument("fields", metavar="NAME=VALUE", nargs="*", help="its arguments; JSON or text")


async def call(aob: Aob, args: Namespace, screen: Screen) -> None:
    """The answer of one, item by item where there are many; or all by name."""
    from aob.core.verbs import TABLE  # here: other commands do without it

    known = {verb.name: verb for verb in TABLE if verb.http}
    if args.verb is None:
        rows = [(verb.name, verb.action, verb.http[0].summary) for verb in known.values()]
        screen.listing([verb for verb, _, _ in rows], ("verb", "role", "what"), rows)
        return
    if args.verb not in known:
        near = nearest(args.verb, known)
        raise NotFound(f"there is no verb {args.verb}", hint=f"did you mean {near}?" if near else "aob call lists them")
    ask = getattr(aob, args.verb)
    takes = signature(getattr(ask, "__wrapped__", ask))
    try:
        given = takes.bind(**pairs(args.fields, args.verb))
    except TypeError as error:
        why = f"{args.verb}: {error}"
        raise Invalid(why, hint=f"its arguments: {', '.join(takes.parameters) or 'none'}") from error
    answer = ask(*given.args, **given.kwargs)
    if isinstance(answer, AsyncIterator):
        async for each in answer:
            screen.value(each)
    else:
        screen.value(await answer)
