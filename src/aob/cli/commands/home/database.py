"""`aob db`: makes the database of a cluster, brings it forward, looks at it. No server of ours is involved."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aob.cli.screen import Screen
from aob.cli.words import Commands, command, group, home_of

if TYPE_CHECKING:
    from aob.compose.database import Made

OWNER_HELP = "a user that may create schemas and roles (AOB_STORE_OWNER); it is kept nowhere"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob db`."""
    words = group(commands, common, "db", "the Postgres database of a cluster")
    one = command(words, common, "init", "make the schema, its role and rights, in a database that is there", init,
                  reach="alone", epilog="AOB_STORE is what the services will use: its user, password and ?schema= are "
                  "made. Without it the user is aob, with a password that is printed once.")  # fmt: skip
    one.add_argument("url", nargs="?", default="", metavar="URL", help=OWNER_HELP)
    one.add_argument("--service", default="", metavar="ROLE", help="the role of the services (the user of AOB_STORE)")
    one.add_argument("--shards", type=number_of, default=0, metavar="N", help="how many shards (16)")
    one.add_argument(
        "--partitions", type=number_of, default=0, metavar="N", help="of the event log: 64 (default), 128, 256"
    )
    one.add_argument(
        "--store", type=number_of, default=1, metavar="N", help="which database of the cluster (1): AOB_STORE_N"
    )
    one.add_argument("--print-sql", action="store_true", help="print the SQL and change nothing")
    one = command(words, common, "upgrade", "bring the schema to this release", upgrade, reach="alone",
                  epilog="Steps that only add are taken while older releases run. --finish takes those that "
                         "take something away, once no older release runs.")  # fmt: skip
    one.add_argument("url", nargs="?", default="", metavar="URL", help=OWNER_HELP)
    one.add_argument(
        "--store", type=number_of, default=1, metavar="N", help="which database of the cluster (1): AOB_STORE_N"
    )
    one.add_argument("--finish", action="store_true", help="older releases run no more: take what only they use away")
    one = command(words, common, "check", "look at the database as a service does", check, reach="alone")
    one.add_argument("url", nargs="?", default="", metavar="URL", help="the services' URL (AOB_STORE)")
    one.add_argument(
        "--store", type=number_of, default=1, metavar="N", help="which database of the cluster (1): AOB_STORE_N"
    )


def number_of(text: str) -> int:
    """A number above 0, as a command takes it: 0 would mean that none is given."""
    if not (text.isdecimal() and int(text)):
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


async def init(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Make the schema, or print how."""
    from aob.compose import read_settings
    from aob.compose.database import init_database, init_sql
    from aob.compose.secrets import new_master_key

    settings = read_settings(home_of(args, env), env)
    words = {"service": args.service, "shards": args.shards, "partitions": args.partitions}
    if args.print_sql:
        sql = await init_sql(args.url, settings, env, store=args.store, **words)
        if not screen.told({"sql": sql}):
            screen.lines(sql.splitlines())
        return
    made = await init_database(args.url, settings, env, store=args.store, **words)
    if screen.told(made):
        return
    if not made.steps:
        screen.line(f"the schema {made.schema} is there already; {made.service} has its rights")
    _shown(made, screen)
    if made.steps and not made.store and not settings.store_password:
        screen.line(f"the role {made.service} was there already: AOB_STORE needs the password that it has")
    if made.store:
        screen.line("the services' URL, told this once:")
        screen.line(f"AOB_STORE{f'_{args.store}' if args.store != 1 else ''}={made.store}")
    if made.steps and not settings.master_key:
        screen.line("a master key for all processes of the cluster, told this once and kept nowhere:")
        screen.line(f"AOB_MASTER_KEY={new_master_key()}")


async def upgrade(args: Namespace, screen: Screen, env: Mapping[str, str]) -> None:
    """Take the missing steps."""
    from aob.compose import read_settings
    from aob.compose.database import upgrade_database

    settings = read_settings(home_of(args, env), env)
    made = await upgrade_database(args.url, settings, env, finish=args.finish, store=args.store)
    if not screen.told(made):
        steps = ", ".join(map(str, made.steps))
        screen.line(f"taken: step {steps}" if steps else "nothing to do: the schema is that of this release")
        if made.finished:
            screen.line(f"the upgrade to release {made.finished} is finished: older releases are members no more")
        _shown(made, screen)


async def check(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Look at the database; 1 when something is to be mended."""
    from aob.compose import read_settings
    from aob.compose.database import check_database

    found = await check_database(args.url, read_settings(home_of(args, env), env), args.store)
    if not screen.told([each._asdict() for each in found]):
        for each in found:
            screen.state(
                f"{'ok' if each.well else 'problem':<8} {each.what}: {each.says}", "ok" if each.well else "failed"
            )
            if each.mend:
                screen.line(f"         {each.mend}")
    return int(not all(each.well for each in found))


def _shown(made: "Made", screen: Screen) -> None:
    numbers = f"{made.shards} shards, {made.partitions} partitions of the event log"
    screen.line(f"cluster {made.cluster} in the schema {made.schema}: {numbers}, role {made.service}")
