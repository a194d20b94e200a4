"""How commands declare their words to argparse: a parser with the common options, and the action, which may be made of
a verb."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from aob.cli.finding import FINDERS
from aob.cli.screen import Screen
from aob.core.answers import JsonObject, JsonValue

if TYPE_CHECKING:
    from aob.client import AsyncClient

HOME: Final = "home"
COMMAND: Final = "COMMAND"
SEVERAL: Final = "several"  # the command of `aob serve` for roles by commas
COMMON: Final = frozenset(("act", "reach", "json", "home", "server"))
Aob: TypeAlias = "AsyncClient"
Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"
Act: TypeAlias = Callable[[Aob, Namespace, Screen], Awaitable[int | None]]
Read: TypeAlias = Callable[[Any], object]
Show: TypeAlias = Callable[[Any, Namespace, Screen], object]
Reach: TypeAlias = Literal["server", "alone", "process"]
"""What a command needs: a client of a `server`, its own loop (`alone`), or the whole `process`."""


def command(
    commands: Commands,
    common: ArgumentParser,
    name: str,
    help: str,
    act: Callable[..., object],
    *,
    reach: Reach = "server",
    epilog: str = "",
) -> ArgumentParser:
    """A command that acts. `act` is `async (client, args, screen)`, or without a server `(args, screen, env)`, and
    returns an exit code or None."""
    told, kind = help[:1].upper() + help[1:] + ".", RawDescriptionHelpFormatter
    parser = commands.add_parser(
        name, help=help, parents=[common], description=told, epilog=epilog, formatter_class=kind
    )
    parser.set_defaults(act=act, reach=reach)
    return parser


def group(commands: Commands, common: ArgumentParser, name: str, help: str, *, otherwise: str = "") -> Commands:
    """A command that only has subcommands; `otherwise` is the one that is meant when the first word is none."""
    parser = commands.add_parser(name, help=help, parents=[common], description=help[:1].upper() + help[1:] + ".")
    parser.otherwise = otherwise  # type: ignore[attr-defined]  # a Parser of ours
    return parser.add_subparsers(metavar=COMMAND, required=True)


def asks(verb: str, show: Show, **read: Read) -> Act:
    """The action of a command that is one verb. Its words are the arguments of the verb, each as typed or through the
    function of `read` for it; ids may be shortened. `--json` prints the answer, `show` prints it for a person."""
    return partial(_ask, verb, show, read)


async def _ask(verb: str, show: Show, read: Mapping[str, Read], aob: Aob, args: Namespace, screen: Screen) -> None:
    for name in FINDERS.keys() & vars(args).keys():
        setattr(args, name, await FINDERS[name](aob, getattr(args, name)))
    answer = await getattr(aob, verb)(**arguments(args, **read))
    if not screen.told(answer):
        show(answer, args, screen)


def arguments(args: Namespace, **read: Read) -> JsonObject:
    """The words of a command itself, each as typed or through its function."""
    given = {name: value for name, value in vars(args).items() if name not in COMMON}
    return given | {name: convert(given[name]) for name, convert in read.items()}


def lists(
    columns: Sequence[str], row: Callable[[Any], Sequence[str]], none: str = "none", *, of: str = "", more: str = ""
) -> Show:
    """Shows a list as a table: the answer, or its member `of` of a page that goes on by the option `more`."""

    def show(found: JsonValue, args: Namespace, screen: Screen) -> None:
        screen.table(columns, map(row, found[of] if of else found), none=none)
        if more and found["next"]:
            screen.note(f"more: {more} {found['next']}")

    return show


def says(sentence: str) -> Show:
    """Shows an answer as a sentence, filled with its members and the words of the command."""

    def show(answer: Mapping[str, object], args: Namespace, screen: Screen) -> None:
        screen.line(sentence.format_map({**vars(args), **answer}))

    return show


def home_of(args: Namespace, env: Mapping[str, str]) -> Path:
    """The chosen home: `--home`, AOB_HOME, or the folder `home` here."""
    return Path(args.home or env.get("AOB_HOME") or HOME)
