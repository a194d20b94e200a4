"""`aob worker`: performs handlers for a home, from any machine, until it is stopped; lists those who do. `aob dev`: a
home with them."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aob.cli.commands.up import headline, port_of
from aob.cli.screen import OpeningLine, Screen
from aob.cli.words import Commands, asks, command, group, home_of, lists
from aob.core.answers import JsonObject

if TYPE_CHECKING:
    from aob.compose.worker import Wishes

WORKER_COLUMNS: Final = ("worker", "state", "build", "running", "slots", "done", "labels", "handlers")
SLOTS: Final = 64
SLOTS_MAX: Final = 10_000
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_STYLES: Final = {"died": "red", "not_loaded": "red", "over_memory": "red", "waits": "yellow", "connected": "green"}


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob worker` and `aob dev`."""
    mine = group(commands, common, "worker", "perform handlers for a home, and look at who does", otherwise="start")
    one = command(mine, common, "start", "perform handlers for a home until Ctrl-C (aob worker FILE)", worker,
                  reach="process",
                  epilog="The handlers run in a process that is started again when one of them ends it. The first "
                         "Ctrl-C lets running handlers finish, 30 s at most; the second ends at once. Nothing is lost "
                         "either way: what did not finish is performed again.")  # fmt: skip
    one.add_argument("--url", metavar="URL", help="grpc://HOST:PORT, or the http address of the home (AOB_URL)")
    one.add_argument(
        "--ca", default="", metavar="FILE", help="whom the server's certificate is from: ca.pem of aob certs"
    )
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
    one.add_argument("--name", default="", help="its name, the same after a restart (the host and the process)")
    one.add_argument("--build", default="", metavar="TEXT", help="the version of its code (the hash of its files)")
    one.add_argument("--label", metavar="KEY=VALUE", type=_label, action="append", default=[], help="may be repeated")
    one.add_argument("--slots", type=_slots, default=SLOTS, metavar="N", help=f"how many jobs at once ({SLOTS})")
    one.add_argument("--memory", type=_bytes, default=0, metavar="SIZE", help="512M: end what uses more (no limit)")


def _row(worker: Mapping[str, Any]) -> tuple[str, ...]:
    labels = " ".join(f"{name}={value}" for name, value in worker["labels"].items())
    return (
        worker["worker"], worker["state"], worker["build"], str(worker["running"]), str(worker["slots"]),
        str(worker["done"]), labels, " ".join(worker["handlers"]),
    )  # fmt: skip


def _build(build: Mapping[str, Any]) -> tuple[str, ...]:
    return build["build"], str(build["workers"]), str(build["runs"]), " ".join(build["handlers"])


def worker(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Run until SIGINT or SIGTERM."""
    from aob.cli.gateway import find_target
    from aob.compose.worker import work

    find = partial(find_target, args.url or args.server, home_of(args, env), env)
    work(_wishes(args, reload=args.reload), find, _said(screen))
    return 0


def dev(args: Namespace, screen: Screen, env: Mapping[str, str]) -> int:
    """Run until SIGINT or SIGTERM."""
    from aob.cli.gateway import find_target
    from aob.compose.worker import dev as run

    home = home_of(args, env)

    def up(url: str, *_: object) -> None:
        waits.close()
        if not screen.told({"event": "up", "url": url, "home": str(home)}):
            screen.line(headline(url, home))

    with closing(OpeningLine(screen, home)) as waits:
        return run(
            _wishes(args, reload=True), home, partial(find_target, None, home, {}), _said(screen),
            host=args.host, port=args.port, up=up, waits=waits,
        )  # fmt: skip


def _wishes(args: Namespace, *, reload: bool) -> "Wishes":
    from aob.compose.worker import Wishes

    ca = str(Path(args.ca).resolve()) if getattr(args, "ca", "") else ""
    return Wishes(tuple(args.app), args.name, args.build, dict(args.label), args.slots, args.memory, reload, ca)


def _said(screen: Screen) -> Callable[[str, JsonObject], None]:
    """Prints what happens: a JSON object a line for programs, a sentence for people."""

    def said(event: str, facts: JsonObject) -> None:
        if not screen.told({"event": event, **facts}):
            screen.line(sentence(event, facts), style=_STYLES.get(event, ""))

    return said


def sentence(event: str, facts: Mapping[str, Any]) -> str:
    """An event of a worker for people."""
    match event:
        case "loaded":
            names = ", ".join(facts["handlers"]) or "none"
            return f"worker {facts['worker']}  build {facts['build']}  handlers: {names}"
        case "connected":
            held = f", with {facts['held']} attempts from before" if facts["held"] else ""
            return f"attached to {facts['address']}{held}   stop with Ctrl-C"
        case "waits":
            return f"waits for the server: {facts['why']}"
        case "draining":
            return f"draining: {facts['running']} at work"
        case "counted":
            lost = f", {facts['lost']} cut off, which are performed again" if facts["lost"] else ""
            return f"{facts['done']} done, {facts['failed']} failed{lost}"
        case "died":
            return f"the worker's process ended: {facts['how']}; the next one starts in {facts['again_s']:g} s"
        case "over_memory":
            return f"process {facts['pid']} uses {facts['bytes']:,} bytes, {facts['limit']:,} are allowed: it is ended"
        case "changed":
            return "the code has changed: loading it"
        case "not_loaded":
            keeps = "what ran before goes on" if facts["keeps"] else "nothing runs until it is mended"
            places = "\n".join(_place(each) for each in facts.get("problems", ()))
            return f"{facts['detail']}; {keeps}" + (f"\n{places}" if places else "")
        case "paused" | "resumed":
            return f"handler {facts['handler']} is {event}"
        case _:
            return f"process {facts.get('pid')} has {event}"


def _place(problem: Mapping[str, Any]) -> str:
    line = f":{problem['line']}" if problem.get("line") else ""
    hint = "".join(f"\n    {each}" for each in str(problem.get("hint", "")).splitlines())
    return f"  {problem.get('path', '')}{line}: {problem.get('message', '')}{hint}"


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise ArgumentTypeError(f"{text!r} is no label: write key=value")
    return key, value


def _slots(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= SLOTS_MAX):
        raise ArgumentTypeError(f"{text!r}: 1 to {SLOTS_MAX:,}")
    return int(text)


def _bytes(text: str) -> int:
    number, unit = text.rstrip("kKmMgGbB"), text[len(text.rstrip("kKmMgGbB")) :].lower().rstrip("b")
    if not number.isdecimal() or unit not in _UNITS or not int(number):
        raise ArgumentTypeError(f"{text!r} is no size: 512M, 2G")
    return int(number) * _UNITS[unit]
