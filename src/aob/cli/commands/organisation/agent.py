"""`aob agent`: register agents, list, show and find them; deploy their versions; scale, pause, resume, retire them."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aob.cli.commands.organisation.group import moved, where
from aob.cli.picture import clock, indented
from aob.cli.screen import Screen
from aob.cli.values import json_from
from aob.cli.words import Aob, Commands, asks, command, group, lists
from aob.core.errors import Invalid, Problem
from aob.core.hint import meant

if TYPE_CHECKING:
    from aob.core.agent.shown import AgentKeyRow, AgentKeyView
    from aob.core.organisation import answers

KEY_COLUMNS = ("key", "status", "why")
COLUMNS = ("agent", "owner", "kind", "state", "version", "keys", "instances", "can")
FOUND = ("agent", "score", "state", "can")
NONE = "no agents: aob agent register NAME FILE"
EXAMPLES = """examples:
  aob agent reset triage --to-time 1h         # what would be handled again
  aob agent reset triage --to-time 1h --yes   # so be it: outputs and effects are not doubled
"""
DEFINITION = "its definition: kind, consumes, produces, capabilities, handler, … (JSON)"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob agent`."""
    mine = group(commands, common, "agent", "register agents, deploy and steer them")
    one = command(mine, common, "register", "register an agent, or its next version", register)
    one.add_argument("agent", metavar="AGENT", help="a name, or ORG.NS.NAME in the namespace ORG.NS")
    one.add_argument("definition", metavar="JSON|FILE|-", help=DEFINITION)
    one.add_argument("--owner", default="", help="whose it is (the key's name)")
    listed = asks("agents", lists(COLUMNS, _row, NONE, of="agents", more="--after"))
    one = command(mine, common, "list", "list agents by name", listed)
    one.add_argument("--state", choices=("active", "paused", "retired"), default="")
    one.add_argument("--namespace", default="", metavar="ORG.NS")
    one.add_argument("--owner", default="")
    one.add_argument("--limit", type=int, default=100, help="rows (100)")
    one.add_argument("--after", default="", metavar="AGENT", help="go on after a page: what it printed")
    one = command(mine, common, "show", "show an agent with its versions", asks("agent", _shown))
    one.add_argument("agent", metavar="AGENT")
    one.add_argument("--version", type=int, default=0, metavar="N", help="show the definition of this one (the newest)")
    one.add_argument("--key", default=None, help="say which version this key belongs to")
    hits = lists(FOUND, _hit, "none can do that", of="agents")
    one = command(mine, common, "find", "find agents by what they can do", asks("find_agents", hits, words=" ".join))
    one.add_argument("words", metavar="WORD", nargs="+")
    one.add_argument("--limit", type=int, default=10, help="rows (10)")
    one = command(mine, common, "deploy", "give a version of an agent keys", asks("deploy_agent", _stands))
    one.add_argument("agent", metavar="AGENT")
    one.add_argument("--version", type=int, default=0, metavar="N", help="a version (the newest)")
    one.add_argument("--percent", type=float, default=None, metavar="P", help="its share of the keys (100)")
    one.add_argument("--from-key", dest="first", default="", metavar="KEY", help="instead: the keys from this one on")
    one.add_argument("--to-key", dest="end", default="", metavar="KEY", help="and before this one")
    one.add_argument("--reason", default="", help="why, for the record")
    for name, verb, help in (
        ("rollback", "rollback_agent", "restore the deployment before the last one"),
        ("pause", "pause_agent", "let an agent begin nothing until it is resumed"),
        ("resume", "resume_agent", "let a paused agent go on"),
        ("retire", "retire_agent", "let an agent work no more"),
    ):
        one = command(mine, common, name, help, asks(verb, _stands))
        one.add_argument("agent", metavar="AGENT")
        if name != "resume":
            one.add_argument("--reason", default="", help="why, for the record")
    _keys_of(mine, common)
    text = "set where an agent goes on in its topics; without --yes it only tells what would be handled again"
    one = command(mine, common, "reset", text, reset, epilog=EXAMPLES)
    one.add_argument("agent", metavar="AGENT")
    one.add_argument("--topic", default="", help="only in this one")
    where(one)
    one = command(mine, common, "scale", "say how many instances an agent may have", asks("scale_agent", _stands))
    one.add_argument("agent", metavar="AGENT")
    one.add_argument("instances", metavar="N", type=int)


async def register(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Register a definition of a file."""
    given = json_from(args.definition, "definition")
    if not isinstance(given, dict):
        raise Invalid("a definition is a JSON object", hint='{"consumes": ["orders"], "handler": "triage"}')
    from aob.core.verbs.organisation import RegisterAgent

    known = [name for name in RegisterAgent.__struct_fields__ if name != "agent"]
    wrong = [
        Problem(f"/{name}", "is no part of a definition", hint=meant(name, known)) for name in given.keys() - known
    ]
    if wrong:
        raise Invalid("the definition has problems", wrong)
    told = await aob.register_agent(args.agent, **{"owner": args.owner, **given})
    if not screen.told(told):
        new = "is" if told["created"] else "was already"
        screen.line(f"this {new} version {told['registered']} of {told['agent']}; {_keys(told)}")


def _keys_of(mine: Commands, common: ArgumentParser) -> None:
    """The words about keys of an agent."""
    listed = asks("agent_keys", lists(KEY_COLUMNS, _key_row, "no keys", of="keys", more="--before"))
    one = command(mine, common, "keys", "list the keys of an agent", listed)
    one.add_argument("agent", metavar="AGENT")
    one.add_argument("--status", choices=("idle", "running", "backoff", "waiting", "held"), default="")
    one.add_argument("--limit", type=int, default=100, help="rows (100)")
    one.add_argument("--before", default="", metavar="KEY", help="go on after a page: what it printed")
    one = command(mine, common, "key", "show what a key of an agent is at", asks("agent_key", _key_shown))
    one.add_argument("agent", metavar="AGENT")
    one.add_argument("key", metavar="KEY")
    one = command(mine, common, "steer", "hold or free a key, give up or replay a record of it", steer)
    one.add_argument("agent", metavar="AGENT")
    one.add_argument("key", metavar="KEY")
    one.add_argument("deed", choices=("hold", "free", "cancel", "replay"))
    one.add_argument("--visit", default="", help="which record, as `aob agent key` shows it (the one in hand)")
    one.add_argument("--again", action="store_true", help="free a parked key with the poisonous record first")
    one.add_argument("--reason", default="", help="why, for the record")


async def steer(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Holds or frees a key, gives up or replays a record of it."""
    named = ("agent", "key", "visit", "again", "reason")
    key = await aob.steer_key(act=args.deed, **{name: getattr(args, name) for name in named})
    if not screen.told(key):
        _key_shown(key, args, screen)


def _key_row(row: "AgentKeyRow") -> tuple[str, ...]:
    return row["key"], row["status"], row["reason"]


def _key_shown(key: "AgentKeyView", args: Namespace, screen: Screen) -> None:
    screen.line(f"{key['agent']} on {key['key']}: {key['status']}, {key['ended']:,} handled")
    for hold in key["holds"]:
        until = f" until {clock(hold['until'])}" if hold["until"] else ""
        screen.line(f"  held for {hold['reason']}{until}: {hold['text']}")
    if (record := key["open"]) is not None:
        due = f", again {clock(record['due'])}" if record["due"] else ""
        screen.line(
            f"  in hand: {record['visit']} ({record['record']}), {record['state']}, attempt {record['attempt']}{due}"
        )
        for each in record["waits_for"]:
            screen.line(
                f"    waits for {each['kind']} {each['id']}{' until ' + clock(each['due']) if each['due'] else ''}"
            )
    for what, count, rows in (("parked", key["parked_count"], key["parked"]), ("dead", key["dead_count"], key["dead"])):
        if count:
            screen.line(f"  {what}: {count:,}")
            screen.table(("visit", "record", "why"), ((row["visit"], row["record"], row["cause"]) for row in rows))
    if key["spent"]:
        screen.line("  spent on its last day: " + ", ".join(f"{each:g} {unit}" for unit, each in key["spent"].items()))


async def reset(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Set where an agent goes on, or tell what that would be."""
    told = await aob.reset_agent(
        args.agent, topic=args.topic, to=args.to, to_offset=args.to_offset, to_time=args.to_time,
        partition=args.partition, dry_run=not args.yes,
    )  # fmt: skip
    if not screen.told(told):
        for each in told["topics"]:
            moved(each, screen)


def _keys(agent: "answers.AgentRow") -> str:
    """How the keys are shared out: `2: 10 %, 1: 90 %`."""
    shares = [f"{each['version']}: {each['percent']:g} %" for each in agent["shares"]]
    ranges = [f"{each['version']}: {each['first']!r} to {each['end'] or 'the last'!r}" for each in agent["ranges"]]
    return ", ".join((*ranges, *shares))


def _row(agent: "answers.AgentRow") -> tuple[str, ...]:
    return (
        agent["agent"], agent["owner"], agent["kind"], agent["state"], str(agent["version"]), _keys(agent),
        str(agent["instances"]), "; ".join(agent["capabilities"]),
    )  # fmt: skip


def _hit(hit: "answers.AgentHit") -> tuple[str, ...]:
    return hit["agent"], f"{hit['score']:g}", hit["state"], "; ".join(hit["capabilities"])


def _stands(agent: "answers.AgentRow", args: Namespace, screen: Screen) -> None:
    why = f" ({agent['reason']})" if agent["reason"] else ""
    instances = f"{agent['instances']} instance{'' if agent['instances'] == 1 else 's'}"
    screen.line(f"{agent['agent']} is {agent['state']}{why}: {_keys(agent)}; {instances}")


def _shown(agent: "answers.AgentView", args: Namespace, screen: Screen) -> None:
    _stands(agent, args, screen)
    if "key_version" in agent:
        screen.line(f"  the key {agent['key']!r} belongs to version {agent['key_version']}")
    for each in agent["versions"]:
        screen.line(f"  version {each['version']}  by {each['by']}  {clock(each['at'])}")
    screen.line(f"definition of version {agent['definition_of']}")
    screen.lines(f"  {line}" for line in indented(agent["definition"]))
