"""`aob group`: how far groups of consumers are, and set one back or forward."""

from argparse import ArgumentParser, Namespace
from typing import Final

from aob.cli.picture import clock
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, asks, command, group, lists
from aob.core.topic import answers

COLUMNS: Final = ("group", "topic", "behind", "last commit")
NONE: Final = "no groups: aob topic consume TOPIC --group NAME --commit"
EXAMPLES: Final = """examples:
  aob group reset billing orders --to-time 1h         # what would be read again
  aob group reset billing orders --to-time 1h --yes   # so be it
"""


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob group`."""
    mine = group(commands, common, "group", "see how far consumers of topics are, and set them back")
    one = command(mine, common, "list", "list groups", asks("groups", lists(COLUMNS, _row, NONE, of="groups")))
    one.add_argument("--topic", default="", help="only those that read this topic")
    one = command(mine, common, "show", "show how far a group is in each partition", asks("group", _shown))
    one.add_argument("group", metavar="GROUP")
    text = "set where a group goes on; without --yes it only tells what would be read again"
    one = command(mine, common, "reset", text, reset, epilog=EXAMPLES)
    one.add_argument("group", metavar="GROUP")
    one.add_argument("topic", metavar="TOPIC")
    where(one)
    one.add_argument("--position", help="behind a position")


def where(one: ArgumentParser) -> None:
    """The arguments that say where a group goes on."""
    one.add_argument("--to", choices=("begin", "end"), default="", help="all of it again, or none")
    one.add_argument("--to-offset", type=int, metavar="N", help="this offset of each partition")
    one.add_argument("--to-time", default="", metavar="WHEN", help="an instant, or so long ago: 1h")
    one.add_argument("--partition", type=int, metavar="N", help="only this one")
    one.add_argument("--yes", action="store_true", help="do it")


def _row(row: answers.GroupRow) -> tuple[str, ...]:
    return row["group"], row["topic"], f"{row['behind']:,}", clock(row["at"])


def _shown(view: answers.GroupView, args: Namespace, screen: Screen) -> None:
    for topic in view["topics"]:
        screen.line(f"{view['group']} reads {topic['topic']}: {topic['behind']:,} behind")
        rows = (
            (str(each["partition"]), f"{each['offset']:,}", f"{each['end']:,}", f"{each['behind']:,}")
            for each in topic["partitions"]
        )
        screen.table(("partition", "offset", "end", "behind"), rows)


async def reset(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Set where a group goes on, or tell what that would be."""
    told = await aob.reset_group(
        args.group, args.topic, to=args.to, to_offset=args.to_offset, to_time=args.to_time, position=args.position,
        partition=args.partition, dry_run=not args.yes,
    )  # fmt: skip
    if not screen.told(told):
        moved(told, screen)


def moved(told: answers.GroupMoved, screen: Screen) -> None:
    """What moves in a topic, or would."""
    rows = (
        (str(each["partition"]), f"{each['before']:,}", f"{each['after']:,}", f"{each['again']:,}",
         f"{each['skipped']:,}") for each in told["partitions"]
    )  # fmt: skip
    screen.table(("partition", "from", "to", "read again", "passed over"), rows, none="it is there already")
    words = "is set" if told["done"] else "would be set"
    screen.line(
        f"{told['group']} {words} in {told['topic']}: {told['again']:,} records again, {told['skipped']:,} passed over"
    )
    if not told["done"] and told["partitions"]:
        screen.note("nothing is changed; to do it: --yes")
