"""How commands declare their words to argparse: a parser with the common options, and the action."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

HOME: Final = "home"
COMMAND: Final = "COMMAND"
Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"
Reach: TypeAlias = Literal["server", "alone", "process"]
"""What a command needs: a client of a `server`, its own loop (`alone`), or the whole `process`."""


def command(
    commands: Commands,
    common: ArgumentParser,
    name: str,
    help: str,
    act: Callable[..., Any],
    *,
    reach: Reach = "server",
    epilog: str = "",
) -> ArgumentParser:
    """A command that acts. `act` is `async (client, args, screen)`, or without a server `(args, screen, env)`, and
    returns an exit code or None."""
    parser = commands.add_parser(
        name,
        help=help,
        parents=[common],
        description=help[:1].upper() + help[1:] + ".",
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.set_defaults(act=act, reach=reach)
    return parser


def group(commands: Commands, common: ArgumentParser, name: str, help: str) -> Commands:
    """A command that only has subcommands."""
    parser = commands.add_parser(name, help=help, parents=[common], description=help[:1].upper() + help[1:] + ".")
    return parser.add_subparsers(metavar=COMMAND, required=True)


def home_of(args: Namespace, env: Mapping[str, str]) -> Path:
    """The chosen home: `--home`, AOB_HOME, or the folder `home` here."""
    return Path(args.home or env.get("AOB_HOME") or HOME)
