"""`aob certs`: make and renew the certificates by which the processes of a cluster know each other."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aob.cli.screen import Screen
from aob.cli.words import Commands, command, group, home_of

if TYPE_CHECKING:
    from aob.compose.network import Certificate


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob certs`."""
    mine = group(commands, common, "certs", "make and renew the certificates of a cluster")
    for name, about, act in WORDS:
        one = command(mine, common, name, about, act, reach="alone")
        one.add_argument("--certs", metavar="FOLDER", help="the folder (the setting `certs`: HOME/certs)")
        if act is init:
            _made(one, "make one for ROLE, or for a process of several: ROLE,ROLE (each role, one by one)")
            one.add_argument("--force", action="store_true", help="replace what is there, the authority too")
        elif act is renew:
            _made(one, "only this one, or a new one: ROLE,ROLE (all that are there)")


def _made(one: ArgumentParser, role: str) -> None:
    one.add_argument("--role", dest="roles", metavar="ROLE", action="append", default=[], help=role)
    one.add_argument(
        "--host", dest="hosts", metavar="NAME", action="append", default=[],
        help="a name or address of the machine, for clients that check it (localhost); may be repeated",
    )  # fmt: skip
    one.add_argument("--days", type=int, default=90, help="how long they count (90)")


def folder_of(args: Namespace, env: Mapping[str, str]) -> Path:
    """The folder of the certificates."""
    from aob.compose import read_settings

    home = home_of(args, env)
    return Path(args.certs) if args.certs else read_settings(home, env).certs_folder(home)


async def init(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Make an authority and certificates."""
    from aob.compose import network

    folder = folder_of(args, env)
    roles = [network.roles_of(each) for each in args.roles or ROLES]
    made = network.init(folder, roles, args.hosts, datetime.now(UTC), force=args.force, days=_days(args))
    return _show(folder, made, screen)


async def renew(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Make certificates anew."""
    from aob.compose import network

    folder, roles = folder_of(args, env), [network.roles_of(each) for each in args.roles]
    return _show(folder, network.renew(folder, roles, args.hosts, datetime.now(UTC), days=_days(args)), screen)


async def listed(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """List the certificates; 1 when one of them does not count."""
    from aob.compose import network

    folder, now = folder_of(args, env), datetime.now(UTC)
    found = network.listed(folder)
    _show(folder, found, screen)
    return int(any(not each.begins <= now < each.ends for each in found))


def _days(args: Namespace) -> int:
    from aob.core.errors import Invalid

    if not 1 <= args.days <= 3_650:
        raise Invalid(f"{args.days} days", hint="--days 1 to 3650")
    days: int = args.days
    return days


def _show(folder: Path, found: "list[Certificate]", screen: Screen) -> int:
    if screen.told([_row(folder, each) for each in found]):
        return 0
    screen.table(
        ("file", "role", "until", "fingerprint"),
        ((each.file, ", ".join(each.roles) or "authority", f"{each.ends:%Y-%m-%d}", each.fingerprint[:16])
         for each in found),
    )  # fmt: skip
    if not any(each.roles for each in found):
        return 0
    screen.note(f"in {folder}: each machine needs ca.pem and its role's file; ca.key stays here")
    return 0


def _row(folder: Path, each: "Certificate") -> dict[str, object]:
    return {
        "file": str(folder / each.file), "roles": list(each.roles), "begins": each.begins.isoformat(),
        "ends": each.ends.isoformat(), "fingerprint": each.fingerprint, "authority": each.authority,
    }  # fmt: skip


WORDS: Final = (
    ("init", "make an authority, and a certificate for each role", init),
    ("renew", "new certificates of the same authority", renew),
    ("list", "the certificates, and until when they count", listed),
)
ROLES: Final = ("api", "coordinator", "worker", "metrics", "fanout")
"""As in `compose.network` (held by a test): importing it here would slow every command."""
