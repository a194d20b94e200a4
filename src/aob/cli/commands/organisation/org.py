"""`aob org`: what the tenant has declared, as it is or was; its history; what changed; quotas of namespaces."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from aob.cli.picture import clock, short
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, asks, command, group

if TYPE_CHECKING:
    from aob.core.organisation import answers

INSTANT = "an instant of RFC 3339 or in ms, so long ago (1h), or a position"
NAMESPACES = ("namespace", "topics", "agents", "instances")
TOPICS = ("topic", "owner", "state")
AGENTS = ("agent", "owner", "state", "version", "instances")
ORPHANS = ("orphan", "kind", "why")
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob org`."""
    mine = group(commands, common, "org", "see the organisation as it is and was, set quotas")
    one = command(mine, common, "show", "show namespaces, topics, agents and orphans", asks("org", _shown))
    one.add_argument("--as-of", default="", metavar="WHEN", help=f"as it was: {INSTANT}")
    command(mine, common, "orphans", "list what belongs to nobody or needs what is not there", orphans)
    one = command(mine, common, "history", "list changes, newest first", asks("org_history", _history))
    one.add_argument("name", metavar="NAME", nargs="?", default="", help="only of this topic, agent or namespace")
    one.add_argument("--limit", type=int, default=50, help="rows (50)")
    one.add_argument("--before", default="", metavar="CURSOR", help="go on after a page: what it printed")
    one.add_argument("--as-of", default="", metavar="WHEN", help=f"as it was: {INSTANT}")
    one = command(mine, common, "diff", "say what changed since an instant", asks("org_diff", _differs))
    one.add_argument("--as-of", dest="since", required=True, metavar="WHEN", help=f"since when: {INSTANT}")
    one.add_argument("--to", dest="until", default="", metavar="WHEN", help="until when (now)")
    one = command(mine, common, "follow", "print changes as they happen", follow)
    one.add_argument("--position", default=None, metavar="POSITION", help="go on after this one (from now on)")
    one.add_argument("--count", type=int, default=0, metavar="N", help="end after so many")
    one = command(mine, common, "namespace", "show or set the quotas of a namespace", namespace)
    one.add_argument("namespace", metavar="NAMESPACE", help="ORG.NS, or default")
    for name in ("topics", "agents", "instances"):
        one.add_argument(f"--{name}", type=int, metavar="N", default=None, help="at most so many")


async def orphans(aob: Aob, args: Namespace, screen: Screen) -> None:
    """List orphans."""
    found = (await aob.org())["orphans"]
    rows = [(each["name"], each["kind"], each["why"]) for each in found]
    screen.listing(found, ORPHANS, rows, none="no orphans")


async def follow(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Print arriving changes."""
    seen = 0
    async for event in aob.follow_org(position=args.position):
        entry: Any = event.data
        if not screen.told(entry):
            screen.line("  ".join(filter(None, _change(entry))))
        seen += 1
        if args.count and seen >= args.count:
            return


async def namespace(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Set quotas; without any, show what they are."""
    quotas = {name: getattr(args, name) for name in ("topics", "agents", "instances")}
    if any(count is not None for count in quotas.values()):
        found = [await aob.set_namespace(args.namespace, **quotas)]
    else:
        found = [row for row in (await aob.org())["namespaces"] if row["namespace"] == args.namespace]
    screen.listing(found, NAMESPACES, map(_namespace, found), none=f"nothing is in {args.namespace} yet")


def _namespace(row: "answers.NamespaceView") -> tuple[str, ...]:
    used = (row["topics"], row["agents"], row["instances"])
    return row["namespace"], *(f"{each['used']:,} of {each['quota']:,}" for each in used)


def _shown(org: "answers.OrgView", args: Namespace, screen: Screen) -> None:
    since = f", the last one at {clock(org['at'])}" if org["events"] else ""
    screen.line(f"after {org['events']:,} change{'' if org['events'] == 1 else 's'}{since}")
    screen.table(NAMESPACES, map(_namespace, org["namespaces"]))
    if org["topics"]:
        screen.table(TOPICS, ((each["topic"], each["owner"], each["state"]) for each in org["topics"]))
    if org["agents"]:
        screen.table(AGENTS, map(_agent, org["agents"]))
    if org["orphans"]:
        screen.table(ORPHANS, ((each["name"], each["kind"], each["why"]) for each in org["orphans"]))


def _agent(row: "answers.AgentRow") -> tuple[str, ...]:
    return row["agent"], row["owner"], row["state"], str(row["version"]), str(row["instances"])


def _history(page: "answers.OrgHistory", args: Namespace, screen: Screen) -> None:
    rows = (
        (clock(e["at"]), e["by"], e["type"].replace("_", " "), e["name"], short(e["data"])) for e in page["entries"]
    )
    screen.table(("at", "by", "what", "name", "more"), rows, none="no changes")
    if page["next"]:
        screen.note(f"more: --before {page['next']}")


def _change(entry: "answers.OrgEntry") -> tuple[str, ...]:
    what = entry["type"].replace("_", " ")
    return clock(entry["at"]), entry["by"], what, entry["name"], short(entry["data"]) if entry["data"] else ""


def _differs(found: "answers.OrgDiff", args: Namespace, screen: Screen) -> None:
    for each in found["changes"]:
        fields = [f"{f['field']}: {short(f['before'])} → {short(f['after'])}" for f in each.get("fields", ())]
        screen.diff([f"{SIGNS[each['change']]} {each['kind']} {each['name']}  {'; '.join(fields)}".rstrip()])
    if not found["changes"]:
        screen.line("no difference")
