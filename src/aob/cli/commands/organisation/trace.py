"""`aob trace`: what came of a record or a run, as a tree of causes."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aob.cli.screen import Screen
from aob.cli.words import Commands, asks, command

if TYPE_CHECKING:
    from aob.core.decision import answers


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob trace`."""
    one = command(commands, common, "trace", "show what came of a record or a run, as a tree", asks("trace", _shown))
    one.add_argument("id", metavar="CORRELATION|RECORD|RUN")
    one.add_argument(
        "--since", default="24h", metavar="WHEN", help="from then on: an instant, or 1h for an hour ago (24h)"
    )
    one.add_argument("--topic", dest="topics", action="append", default=[], help="look at this topic only; repeatable")
    one.add_argument("--look-max", type=int, default=20_000, help="records that are looked at (20000)")


def _shown(told: "answers.CausalTree", args: Namespace, screen: Screen) -> None:
    screen.line(f"correlation {told['correlation']}")
    for node in told["nodes"]:
        what = node["says"] or " ".join(filter(None, (node["type"], node["subject"] and f"of {node['subject']}")))
        by = f"from {node['source']}" if node["kind"] == "record" and node["level"] else ""
        parts = (node["kind"], node["id"], what, by, f"in {node['topic']}" if node["topic"] else "", node["at"])
        screen.line("  " * (node["level"] + 1) + "  ".join(filter(None, parts)))
    for each in told["cut"]:
        screen.note(each)
