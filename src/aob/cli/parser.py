"""The words of `aob`: each command adds its own. Nothing heavy is imported to read them."""

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Final

from aob.cli.commands import ALL

EPILOG: Final = """environment:
  AOB_HOME     the home, a folder (./home)
  AOB_SERVER   the server, instead of the one that runs on the home
  AOB_KEY      the key, instead of the home's own

exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 not found, 4 not allowed, 5 conflict, 6 no answer, 7 time is up
"""


def parse(words: Sequence[str] | None = None) -> Namespace:
    """What was typed: `act`, `reach`, `json`, `home`, `server` and the command's own. Raises SystemExit for usage."""
    # Not by set_defaults: the common options are shared, and a command would put the default over what came before it.
    return make_parser().parse_args(words, Namespace(json=False, home=None, server=None))


def make_parser() -> ArgumentParser:
    """The parser of all commands."""
    common = ArgumentParser(add_help=False, argument_default=SUPPRESS)
    common.add_argument("--json", action="store_true", help="print JSON")
    common.add_argument("--home", metavar="DIR", help="the home (AOB_HOME, ./home)")
    common.add_argument("--server", metavar="URL", help="the server (AOB_SERVER, the one on the home)")
    parser = ArgumentParser(
        prog="aob",
        parents=[common],
        description="One event log on which workflows, AI agents, people and live metrics act together.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in ALL:
        command.add(commands, common)
    return parser
