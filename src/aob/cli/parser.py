"""The parser of `aob`: each command adds its own words. Imports nothing heavy."""

import sys
from argparse import (
    SUPPRESS,
    Action,
    ArgumentError,
    ArgumentParser,
    Namespace,
    RawDescriptionHelpFormatter,
    _SubParsersAction,
)
from collections.abc import Collection, Sequence
from typing import Any, Final, NoReturn

from aob.cli.commands import files
from aob.cli.words import COMMAND, SEVERAL
from aob.core.hint import nearest

EPILOG: Final = """environment:
  AOB_HOME     the home, a folder (./home)
  AOB_SERVER   the server, instead of the one that runs on the home
  AOB_KEY      the key, instead of the home's own

exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 not found, 4 not allowed, 5 conflict, 6 no answer, 7 time is up
"""


class Parser(ArgumentParser):
    """Suggests the intended word, and lists the commands when none was given. `otherwise` is the subcommand that is
    meant when the first word is none."""

    otherwise = ""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.otherwise and not (args and (args[0] in ("-h", "--help") or args[0] in self._choices())):
            args = [self.otherwise, *args]
        return super().parse_known_args(args, namespace)

    def _choices(self) -> Collection[str]:
        return next((each.choices for each in self._actions if isinstance(each, _SubParsersAction)), ())

    def _check_value(self, action: Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except ArgumentError as error:
            known = [str(each) for each in action.choices or ()]
            near = nearest(str(value), known) or (known[0] if len(known) == 1 else "")
            if not near:
                raise
            raise ArgumentError(action, f"{error.message}; did you mean `{near}`?") from None

    def error(self, message: str) -> NoReturn:
        if message.endswith(f": {COMMAND}"):
            self.print_help(sys.stderr)
            self.exit(2, f"\n{self.prog}: say which command\n")
        super().error(message)


def parse(words: Sequence[str] | None = None) -> Namespace:
    """The parsed words: `act`, `reach`, `json`, `home`, `server` and the command's own. Raises SystemExit for usage."""
    # Not by set_defaults: the common options are shared, and a command's default would overwrite an earlier value.
    found = named(words)
    parser = make_parser(found[0] if found else "")
    return parser.parse_args(found, Namespace(json=False, home=None, server=None))


def named(words: Sequence[str] | None) -> Sequence[str]:
    """`serve api,coordinator` by the name of its command: `serve several api,coordinator`."""
    found = list(sys.argv[1:] if words is None else words)
    at = found.index("serve") + 1 if "serve" in found[:-1] else 0
    if at and "," in found[at] and not found[at].startswith("-"):
        found.insert(at, SEVERAL)
    return found


def make_parser(command: str = "") -> ArgumentParser:
    """The parser of a command: to make those of all takes 50 ms. Of all commands where none has this name."""
    common = ArgumentParser(add_help=False, argument_default=SUPPRESS)
    common.add_argument("--json", action="store_true", help="print JSON")
    common.add_argument("--home", metavar="DIR", help="the home (AOB_HOME, ./home)")
    common.add_argument("--server", metavar="URL", help="the server (AOB_SERVER, the one on the home)")
    parser = Parser(
        prog="aob",
        parents=[common],
        description="One event log on which workflows, AI agents, people and live metrics act together.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar=COMMAND, required=True)
    for file in files(command):
        file.add(commands, common)
    return parser
