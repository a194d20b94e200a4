"""`aob topic`: declare topics, list them, show one, change it, let it go and keep it after all; and their records."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aob.cli.commands.organisation.records import add_records
from aob.cli.picture import clock
from aob.cli.screen import Screen
from aob.cli.values import named
from aob.cli.words import Commands, asks, command, group, lists
from aob.core.duration import format_duration

if TYPE_CHECKING:
    from aob.core.organisation import answers

COLUMNS = ("topic", "owner", "state", "kept", "expires", "types")
NOT_FOUND = "no such topics: aob topic list"
NONE = "no topics: aob topic create NAME"
EXPIRES = "when it ends: 7d, or an instant of RFC 3339 (never)"
CONFIG = "a setting under Kafka's name: retention.ms, retention.hours, retention.bytes, cleanup.policy; repeatable"
CLASSES = ("work", "audit", "state")
RETENTION = "work: 7 days, audit: 90 days, state: the newest record a key (work)"
DEPTH = "how deep records may follow from one another (16)"
EXPORT = "a namespace whose agents may consume it, too (* for all); repeatable (none)"
TYPE = "a type of event that it takes; repeatable (any)"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob topic`."""
    mine = group(commands, common, "topic", "declare topics, append records to them, and read them")
    one = command(mine, common, "create", "declare a topic", asks("create_topic", _declared, config=_config))
    one.add_argument("topic", metavar="TOPIC", help="a name, or ORG.NS.NAME in the namespace ORG.NS")
    one.add_argument("--owner", default="", help="whose it is: a team, or an agent (the key's name)")
    one.add_argument("--purpose", default="", help="what it is for")
    one.add_argument("--expires", default="", metavar="WHEN", help=EXPIRES)
    one.add_argument("--retention", choices=CLASSES, default="work", help=RETENTION)
    one.add_argument("--depth-max", type=int, default=16, metavar="N", help=DEPTH)
    _repeated(one, [])
    show = asks("topics", lists(COLUMNS, _row, NONE, of="topics", more="--after"))
    one = command(mine, common, "list", "list declared topics by name", show)
    one.add_argument("--state", choices=("active", "draining", "read_only"), default="")
    one.add_argument("--namespace", default="", metavar="ORG.NS")
    one.add_argument("--owner", default="")
    one.add_argument("--limit", type=int, default=100, help="rows (100)")
    one.add_argument("--after", default="", metavar="TOPIC", help="go on after a page: what it printed")
    find = asks("find_topics", lists(("topic", "state", "type", "subject"), _hit, NOT_FOUND, of="topics"))
    one = command(mine, common, "find", "find topics by the types of their records", find)
    one.add_argument("--accepts", default="", metavar="TYPE", help="that take records of this type")
    one.add_argument("--emits", default="", metavar="TYPE", help="in which there are records of this type")
    one.add_argument("--limit", type=int, default=100, help="rows (100)")
    one = command(mine, common, "show", "show a declared topic, what it holds, who reads it", asks("topic", _whole))
    one.add_argument("topic", metavar="TOPIC")
    update = asks("update_topic", _shown, config=lambda texts: None if texts is None else _config(texts))
    one = command(mine, common, "update", "declare a topic anew: what is given changes, all else stays", update)
    one.add_argument("topic", metavar="TOPIC")
    for name, text in (("owner", "whose it is"), ("purpose", "what it is for"), ("expires", EXPIRES)):
        one.add_argument(f"--{name}", default=None, help=text)
    one.add_argument("--retention", choices=CLASSES, default=None, help=RETENTION)
    one.add_argument("--depth-max", type=int, default=None, metavar="N", help=DEPTH)
    _repeated(one, None)
    delete = asks("delete_topic", _going)
    one = command(mine, common, "delete", "let a topic drain, be readable for a while, and go", delete)
    one.add_argument("topic", metavar="TOPIC")
    one.add_argument("--drain", default="1h", metavar="DURATION", help="how long records are still taken (1h)")
    one.add_argument("--keep", default="24h", metavar="DURATION", help="how long it is readable after that (24h)")
    one.add_argument("--reason", default="", help="why, for the record")
    one.add_argument("--force", action="store_true", help="also one that agents consume or produce into")
    one = command(mine, common, "undelete", "keep a topic that is on its way out", asks("undelete_topic", _shown))
    one.add_argument("topic", metavar="TOPIC")
    add_records(mine, common)


def _repeated(one: ArgumentParser, default: list[str] | None) -> None:
    """Options that may be given several times."""
    one.add_argument("--type", dest="types", metavar="TYPE", action="append", default=default, help=TYPE)
    one.add_argument("--config", metavar="NAME=VALUE", action="append", default=default, help=CONFIG)
    one.add_argument("--export", dest="exports", metavar="ORG.NS", action="append", default=default, help=EXPORT)


def _config(texts: Sequence[str]) -> dict[str, str]:
    return named(texts, "--config", "retention.hours=24")


def _row(topic: "answers.TopicView") -> tuple[str, ...]:
    until = f" until {clock(topic['until'])}" if topic["until"] else ""
    expires = clock(topic["expires"]) if topic["expires"] else ""
    kept, types = _kept(topic["retention"]), ", ".join(topic["types"])
    return topic["topic"], topic["owner"], topic["state"].replace("_", " ") + until, kept, expires, types


def _hit(hit: "answers.TopicHit") -> tuple[str, ...]:
    return hit["topic"], hit["state"].replace("_", " "), "declared" if hit["declared"] else "any", hit["subject"]


def _kept(kept: "answers.RetentionView") -> str:
    words = ["newest a key"] if "compact" in kept["cleanup"] else []
    if "delete" in kept["cleanup"]:
        words.append("for ever" if kept["ms"] < 0 else format_duration(kept["ms"]))
    return ", ".join(words) + (f", {kept['bytes']:,} bytes" if kept["bytes"] >= 0 else "")


def _declared(topic: "answers.TopicView", args: Namespace, screen: Screen) -> None:
    screen.line(f"{topic['topic']} is declared" + ("" if topic["created"] else " so already"))


def _whole(topic: "answers.TopicDetail", args: Namespace, screen: Screen) -> None:
    _shown(topic, args, screen)
    records = f"{topic['records']:,} record{'' if topic['records'] == 1 else 's'}"
    told = (
        ("holds", records), ("read by", ", ".join(topic["consumers"])), ("filled by", ", ".join(topic["producers"])),
    )  # fmt: skip
    screen.lines(f"  {name:<11}{value}" for name, value in told if value)
    if topic["groups"]:
        rows = ((each["group"], f"{each['behind']:,}", clock(each["at"])) for each in topic["groups"])
        screen.table(("group", "behind", "moved"), rows)


def _shown(topic: "answers.TopicView", args: Namespace, screen: Screen) -> None:
    screen.line(topic["topic"])
    _, owner, state, kept, expires, types = _row(topic)
    told: Sequence[tuple[str, str]] = (
        ("namespace", topic["namespace"]), ("owner", owner), ("purpose", topic["purpose"]), ("types", types or "any"),
        ("state", state), ("why", topic["reason"]), ("partitions", str(topic["partitions"])), ("kept", kept),
        ("expires", expires or "never"), ("depth", f"at most {topic['depth_max']}"),
        ("exports", ", ".join(topic["exports"])),
        ("declared", f"by {topic['created_by']} at {clock(topic['created_at'])}"),
    )  # fmt: skip
    screen.lines(f"  {name:<11}{value}" for name, value in told if value)


def _going(left: "answers.TopicDeletion", args: Namespace, screen: Screen) -> None:
    if left["deleted"]:
        screen.line(f"{left['topic']} is deleted")
    else:
        state = "drains" if left["state"] == "draining" else "is readable"
        screen.line(
            f"{left['topic']} {state} until {clock(left['until'])}; aob topic undelete {left['topic']} keeps it"
        )
    for names, word in ((left["users"], "agents use"), (left["groups"], "groups read")):
        if names:
            screen.note(f"{word} it: {', '.join(names)}")
