"""What `aob worker` and `aob serve worker` have in common: their words, and what they print of a worker's events."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aob.cli.screen import Screen
from aob.core.answers import JsonObject

if TYPE_CHECKING:
    from aob.compose.worker import Wishes

SLOTS: Final = 64
SLOTS_MAX: Final = 10_000
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_STYLES: Final = {"died": "red", "not_loaded": "red", "over_memory": "red", "waits": "yellow", "connected": "green"}


def add_place(one: ArgumentParser) -> None:
    """Where it attaches, and where it is probed."""
    one.add_argument("--url", metavar="URL", help="grpc://HOST:PORT, or the http address of the home (AOB_URL)")
    one.add_argument(
        "--ca", default="", metavar="FILE", help="whom the server's certificate is from: ca.pem of aob certs"
    )
    one.add_argument("--probes", default="", metavar="[HOST:]PORT",
                     help="where it answers /health/live and /health/ready (nowhere)")  # fmt: skip


def add_words(one: ArgumentParser) -> None:
    """What it is called, and how much it takes."""
    one.add_argument("--name", default="", help="its name, the same after a restart (the host and the process)")
    one.add_argument("--label", metavar="KEY=VALUE", type=_label, action="append", default=[], help="may be repeated")
    one.add_argument("--slots", type=_slots, default=SLOTS, metavar="N", help=f"how many jobs at once ({SLOTS})")
    one.add_argument("--memory", type=_bytes, default=0, metavar="SIZE", help="512M: end what uses more (no limit)")


def wishes_of(args: Namespace, *, reload: bool = False, home: str = "", agents: bool = False) -> "Wishes":
    """What the words ask for; with `home` built-in kinds are performed under its settings, with `agents` there must be
    some."""
    from aob.compose.worker import Wishes

    ca = str(Path(args.ca).resolve()) if getattr(args, "ca", "") else ""
    words = args.name, args.build, dict(args.label), args.slots, args.memory
    return Wishes(tuple(args.app), *words, reload, ca, home, getattr(args, "probes", ""), agents)


def said_by(screen: Screen) -> Callable[[str, JsonObject], None]:
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
            if facts.get("agents"):
                names += f"  agents: {', '.join(facts['agents'])}"
            if facts.get("offers"):
                return f"worker {facts['worker']}  performs: {', '.join(facts['offers'])}  handlers: {names}"
            return f"worker {facts['worker']}  build {facts['build']}  handlers: {names}"
        case "connected":
            held = f", with {facts['held']} attempts from before" if facts["held"] else ""
            return f"attached to {facts['address']}{held}   stop with Ctrl-C"
        case "waits":
            where = f" at {facts['address']}" if facts.get("address") else ""
            return f"waits for the server{where}: {facts['why']}"
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
