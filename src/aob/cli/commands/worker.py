"""`aob worker`: performs handlers for a home, from any machine, until it is stopped; lists those who do. `aob dev`: a
home with them."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any, Final, NoReturn

from aob.cli.commands.up import headline, port_of
from aob.cli.screen import OpeningLine, Screen
from aob.cli.staff import add_place, add_words, said_by, wishes_of
from aob.cli.words import Commands, asks, command, group, home_of, lists

WORKER_COLUMNS: Final = ("worker", "state", "build", "running", "slots", "done", "labels", "handlers")


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob worker` and `aob dev`."""
    mine = group(commands, common, "worker", "perform handlers for a home, and look at who does", otherwise="start")
    one = command(mine, common, "start", "perform handlers for a home until Ctrl-C (aob worker FILE)", worker,
                  reach="process",
                  epilog="The handlers run in a process that is started again when one of them ends it. The first "
                         "Ctrl-C lets running handlers finish, 30 s at most; the second ends at once. Nothing is lost "
                         "either way: what did not finish is performed again.")  # fmt: skip
    add_place(one)
    one.add_argument("--reload", action="store_true", help="follow changes of the files")
    _common(one)
    rows = lists(WORKER_COLUMNS, _row, "no worker is attached: aob worker FILE")
    command(mine, common, "list", "list the workers that are attached, or may come back", asks("workers", rows))
    rows = lists(("build", "workers", "live runs", "handlers"), _build, "no build: aob worker FILE --build NAME")
    command(mine, common, "builds", "list the builds of workers, and those that live runs are pinned to",
            asks("builds", rows))  # fmt: skip
    two = command(commands, common, "dev", "run a home with handlers that follow their files", dev, reach="process")
    two.add_argument("--port", type=port_of, help="where to listen, 0 for any free port (8080)")
    two.add_argument("--host", help="the address to listen on (127.0.0.1)")
    _common(two)


def _common(one: ArgumentParser) -> None:
    one.add_argument("app", metavar="MODULE|FILE", nargs="+", help="handlers")
    one.add_argument("--build", default="", metavar="TEXT", help="the version of its code (the hash of its files)")
    add_words(one)


def _row(worker: Mapping[str, Any]) -> tuple[str, ...]:
    labels = " ".join(f"{name}={value}" for name, value in worker["labels"].items())
    return (
        worker["worker"], worker["state"], worker["build"], str(worker["running"]), str(worker["slots"]),
        str(worker["done"]), labels, " ".join(worker["handlers"]),
    )  # fmt: skip


def _build(build: Mapping[str, Any]) -> tuple[str, ...]:
    return build["build"], str(build["workers"]), str(build["runs"]), " ".join(build["handlers"])


def worker(args: Namespace, screen: Screen, env: Mapping[str, str]) -> NoReturn:
    """Run until SIGINT or SIGTERM."""
    from aob.cli.gateway import find_target
    from aob.compose.worker import work

    find = partial(find_target, args.url or args.server, home_of(args, env), env, args.ca)
    work(wishes_of(args, reload=args.reload), find, said_by(screen))


def dev(args: Namespace, screen: Screen, env: Mapping[str, str]) -> NoReturn:
    """Run until SIGINT or SIGTERM."""
    from aob.cli.gateway import find_target
    from aob.compose.worker import dev as run

    home = home_of(args, env)

    def up(url: str, *_: object) -> None:
        waits.close()
        if not screen.told({"event": "up", "url": url, "home": str(home)}):
            screen.line(headline(url, home))

    with closing(OpeningLine(screen, home)) as waits:
        run(
            wishes_of(args, reload=True), home, partial(find_target, None, home, {}), said_by(screen),
            host=args.host, port=args.port, up=up, waits=waits,
        )  # fmt: skip
