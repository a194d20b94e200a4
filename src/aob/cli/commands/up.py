"""`aob up` runs the platform on a home until it is stopped, `aob serve` one role of a cluster."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any, Final, NoReturn

from aob.cli.screen import OpeningLine, Screen
from aob.cli.staff import add_place, add_words, said_by, wishes_of
from aob.cli.words import SEVERAL, Commands, command, group, home_of

PORT_MAX: Final = 65_535
EXECUTORS: Final = ("worker", "executor")
ALIASES: Final = {"control-plane": "api,coordinator", "data-plane": "metrics,fanout"}
"""Names for roles that are often served together."""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob up`."""
    one = command(commands, common, "up", "run the platform on a home until Ctrl-C", up, reach="process")
    one.add_argument("--port", type=port_of, help="where to listen, 0 for any free port (8080)")
    one.add_argument("--host", help="the address to listen on (127.0.0.1)")
    one.add_argument("--app", metavar="MODULE|FILE", action="append", default=[], help="handlers; may be repeated")
    one.add_argument("--shards", type=int, metavar="N", help="owner processes of a new home (1)")
    one.add_argument("--peers", metavar="HOST:PORT", default="", help="where `aob serve api` reaches it (nowhere)")
    one.add_argument("--partitions", type=int, metavar="N", help="partitions of a new home: 64, 128 or 256 (64)")

    served = group(commands, common, "serve", "run one role of a cluster")
    for role, text in (
        ("api", "serve the home of other processes until Ctrl-C"),
        ("fanout", "serve the streams of such a home to many readers until Ctrl-C"),
    ):
        one = command(served, common, role, text, front, reach="process")
        one.set_defaults(role=role)
        one.add_argument(
            "--coordinator", dest="coordinators", metavar="HOST:PORT", action="append", required=True,
            help="the --peers of a process of the home; may be repeated: one that answers is enough",
        )  # fmt: skip
        one.add_argument("--port", type=port_of, help="where to listen, 0 for any free port (8080)")
        one.add_argument("--host", help="the address to listen on (127.0.0.1)")
    for role, text in (
        ("coordinator", "own a part of the runs of a home in a database until Ctrl-C"),
        ("metrics", "own the events and numbers of a home in a database until Ctrl-C"),
    ):
        one = command(served, common, role, text, member, reach="process")
        one.add_argument("--peers", metavar="HOST:PORT", required=True, help="where other processes reach this one")
        one.add_argument("--advertise", metavar="HOST:PORT", default="", help="what they are told, if it differs")
        one.add_argument("--host", help="the address of its probes (127.0.0.1)")
        one.add_argument("--port", type=port_of, help="their port, 0 for any free one (8080)")
        one.add_argument("--app", metavar="MODULE|FILE", action="append", default=[], help="handlers; may be repeated")
        one.set_defaults(roles=role, coordinators=[], probes=0)
    for name in EXECUTORS:
        _add_executor(served, common, name)
    _add_agents(served, common)
    for name, roles in (*ALIASES.items(), (SEVERAL, "")):
        text = (
            f"the roles {roles} in one process" if roles else "several roles in one process: aob serve api,coordinator"
        )
        one = command(served, common, name, text, member, reach="process")
        if roles:
            one.set_defaults(roles=roles)
        else:
            one.add_argument("roles", metavar="ROLE,ROLE", help="api or fanout, coordinator, metrics, worker")
        one.add_argument("--peers", metavar="HOST:PORT", default="", help="where other processes reach its shards")
        one.add_argument("--advertise", metavar="HOST:PORT", default="", help="what they are told, if it differs")
        one.add_argument("--coordinator", dest="coordinators", metavar="HOST:PORT", action="append", default=[],
                         help="another member of the cluster; may be repeated")  # fmt: skip
        one.add_argument("--port", type=port_of, help="where to listen, 0 for any free port (8080)")
        one.add_argument("--probes", type=port_of, default=0, help="where its member is probed (any free port)")
        one.add_argument("--host", help="the address to listen on (127.0.0.1)")
        one.add_argument("--app", metavar="MODULE|FILE", action="append", default=[], help="handlers; may be repeated")


def _add_executor(served: Commands, common: ArgumentParser, name: str) -> None:
    one = command(served, common, name, "perform http, notify, object and agent nodes for a home until Ctrl-C",
                  executor, reach="process",
                  epilog="Secrets, object stores, targets of notices and models are those of --home and of the "
                         "environment; with AOB_STORE and AOB_MASTER_KEY the secrets are those of the cluster. Where "
                         "requests may go is as the home says. Its key has the roles work and execute.")  # fmt: skip
    add_place(one)
    one.add_argument("--app", metavar="MODULE|FILE", action="append", default=[],
                     help="handlers, for agents to call and to be performed; may be repeated")  # fmt: skip
    one.set_defaults(build="")
    add_words(one)


def _add_agents(served: Commands, common: ArgumentParser) -> None:
    one = command(served, common, "agents", "handle the records of agents for a home until Ctrl-C", agents,
                  reach="process",
                  epilog="The home knows the agents by the same --app; while none of these processes is attached it "
                         "handles records itself. The first Ctrl-C lets running agents finish, 30 s at most; the "
                         "second ends at once. Nothing is lost either way. The key needs the role work.")  # fmt: skip
    one.add_argument("app", metavar="MODULE|FILE", nargs="+", help="agents, and handlers")
    one.set_defaults(build="")
    add_place(one)
    add_words(one)


def agents(args: Namespace, screen: Screen, env: Mapping[str, str]) -> NoReturn:
    """Run until SIGINT or SIGTERM. Raises Invalid for files without an agent."""
    from aob.cli.gateway import find_target
    from aob.compose.worker import work

    find = partial(find_target, args.url or args.server, home_of(args, env), env, args.ca)
    work(wishes_of(args, agents=True), find, said_by(screen))


def member(args: Namespace, screen: Screen, env: Mapping[str, str]) -> NoReturn:
    """Run until SIGINT or SIGTERM."""
    from aob import compose
    from aob.cli.gateway import URL, find_target

    home = home_of(args, env)

    def said(told: dict[str, Any]) -> None:
        if not screen.told(told):
            reached = f"  for others on {told['peers']}" if "peers" in told else ""
            screen.line(f"aob {','.join(told['roles'])} on {told['url']}{reached}   stop with Ctrl-C")

    named = [role.strip() for role in args.roles.split(",") if role.strip()]
    roles = [role for name in named for role in ALIASES.get(name, name).split(",")]
    compose.roles_up(
        home, roles, app=args.app, said=said, peers=args.peers, advertise=args.advertise,
        coordinators=args.coordinators, host=args.host, port=args.port, probes=args.probes, url=env.get(URL, ""),
        beside=compose.Beside(lambda url, ca: partial(find_target, _reached(url), home, env, ca), said_by(screen)),
    )  # fmt: skip


def _reached(url: str) -> str:
    """The address of a server of this process, from here."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def executor(args: Namespace, screen: Screen, env: Mapping[str, str]) -> NoReturn:
    """Run until SIGINT or SIGTERM."""
    from aob.cli.gateway import find_target
    from aob.compose.worker import work

    home = home_of(args, env)
    find = partial(find_target, args.url or args.server, home, env, args.ca)
    work(wishes_of(args, home=str(home.resolve())), find, said_by(screen))


def front(args: Namespace, screen: Screen, env: Mapping[str, str]) -> NoReturn:
    """Run until SIGINT or SIGTERM."""
    from aob import compose

    def said(url: str, *_: object) -> None:
        if not screen.told({"url": url, "coordinators": args.coordinators}):
            screen.line(f"aob {args.role} on {url}  for {', '.join(args.coordinators)}   stop with Ctrl-C")

    home = home_of(args, env)
    compose.front_up(home, args.role, args.coordinators, host=args.host, port=args.port, said=said)


def up(args: Namespace, screen: Screen, env: Mapping[str, str]) -> NoReturn:
    """Run until SIGINT or SIGTERM."""
    from aob import compose  # here: it imports everything that it wires

    home = home_of(args, env)

    def said(url: str, *_: object) -> None:
        waits.close()
        if screen.told({"url": url, "home": str(home)}):
            return
        screen.line(headline(url, home))
        screen.line(f"docs {url}/docs   stop with Ctrl-C", style="dim")

    with closing(OpeningLine(screen, home)) as waits:
        compose.up(
            home, host=args.host, port=args.port, app=args.app, shards=args.shards, partitions=args.partitions,
            peers=args.peers, said=said, waits=waits,
        )  # fmt: skip


def headline(url: str, home: object) -> str:
    """What is served, and where."""
    from importlib.metadata import version  # here: it imports what else nothing of a start needs

    return f"aob {version('agentic-orchestration-builder')} on {url}  home {home}"


def port_of(text: str) -> int:
    """A port, as a command takes it."""
    if not (text.isdigit() and int(text) <= PORT_MAX):
        raise ArgumentTypeError(f"{text!r} is not a port: 0 to {PORT_MAX}")
    return int(text)
