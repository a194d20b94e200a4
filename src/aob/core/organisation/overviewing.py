"""An organisation as people see it: what it has as plain rows, how full its namespaces are, what belongs to nobody, and
what differs between two of them. Pure."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from msgspec import to_builtins

from aob.core.answers import JsonObject
from aob.core.organisation.answer import (
    AgentRow,
    AgentState,
    FieldChange,
    KeysView,
    NamespaceView,
    OrgChange,
    Orphan,
    RangeView,
    ShareView,
    TopicView,
)
from aob.core.organisation.deployment import SLOTS
from aob.core.organisation.naming import DEFAULT_NAMESPACE, namespace_of
from aob.core.organisation.parts import Agent, Deployment, Organisation, Topic

PERCENT = SLOTS // 100  # slots of a percent


def topic_row(topic: Topic) -> TopicView:
    """A topic as lists show it."""
    spec, kept = topic.spec, topic.spec.retention
    return {
        "topic": topic.name, "namespace": namespace_of(topic.name), "owner": spec.owner, "purpose": spec.purpose,
        "types": list(spec.types), "partitions": topic.partitions,
        "retention": {"of": kept.of, "ms": kept.ms, "bytes": kept.bytes, "cleanup": kept.cleanup},
        "depth_max": spec.depth_max, "exports": list(spec.exports), "state": topic.state,
        "expires": topic.expires_ms or None,
        "until": topic.until_ms or None, "reason": topic.reason, "created_by": topic.created_by,
        "created_at": topic.created_ms,
    }  # fmt: skip


def state_of(agent: Agent) -> AgentState:
    """The state of an agent in a word."""
    return "retired" if agent.retired else "active" if agent.paused is None else "paused"


def keys_of(deployment: Deployment) -> KeysView:
    """Which version has which keys."""
    begin = 0
    shares: list[ShareView] = []
    for share in deployment.shares:
        shares.append({"version": share.version, "percent": (share.end - begin) / PERCENT})
        begin = share.end
    ranges: list[RangeView] = [
        {"version": each.version, "first": each.first, "end": each.end} for each in deployment.ranges
    ]
    return {"shares": shares, "ranges": ranges}


def agent_row(agent: Agent) -> AgentRow:
    """An agent as lists show it."""
    newest = agent.newest.definition
    return {
        "agent": agent.name, "namespace": namespace_of(agent.name), "owner": agent.owner, "kind": newest.kind,
        "description": newest.description, "capabilities": list(newest.capabilities),
        "version": agent.newest.number, **keys_of(agent.deployment),
        "instances": agent.instances, "state": state_of(agent), "reason": agent.paused or "",
    }  # fmt: skip


def namespace_rows(state: Organisation) -> list[NamespaceView]:
    """Each namespace with what it has of what it may have."""
    used: dict[str, dict[str, int]] = {name: {} for name in (DEFAULT_NAMESPACE, *sorted(state.namespaces))}
    for name in state.topics:
        _count(used, name, "topics", 1)
    for agent in state.agents.values():
        if not agent.retired:
            _count(used, agent.name, "agents", 1)
            _count(used, agent.name, "instances", agent.instances)
    found: list[NamespaceView] = []
    for name, counts in used.items():
        quota = state.namespace(name)
        found.append({
            "namespace": name,
            "topics": {"used": counts.get("topics", 0), "quota": quota.topics},
            "agents": {"used": counts.get("agents", 0), "quota": quota.agents},
            "instances": {"used": counts.get("instances", 0), "quota": quota.instances},
        })  # fmt: skip
    return found


def _count(used: dict[str, dict[str, int]], name: str, what: str, count: int) -> None:
    counts = used.setdefault(namespace_of(name), {})
    counts[what] = counts.get(what, 0) + count


def users_of(state: Organisation, topic: str) -> tuple[list[str], list[str]]:
    """The agents of which a version with keys consumes a topic, and those of which one produces into it, by name."""
    running = {name: agent.running() for name, agent in sorted(state.agents.items())}
    consumers = [name for name, definitions in running.items() if any(topic in each.consumes for each in definitions)]
    producers = [name for name, definitions in running.items() if any(topic in each.produces for each in definitions)]
    return consumers, producers


def orphans(
    state: Organisation, known: Collection[str], groups: Mapping[str, Collection[str]] = MappingProxyType({})
) -> list[Orphan]:  # fmt: skip
    """What belongs to nobody, or needs what is not there: topics whose owner is a retired agent, topics that no agent
    consumes or produces into and no group reads, agents with a topic that is declared no more or is on its way out,
    groups of retired agents. `known` are what else agents may consume: feeds and types of event; `groups` are the
    topics that each group has read. Reported, never removed."""
    used, found = {topic for topics in groups.values() for topic in topics}, list[Orphan]()
    for name, agent in sorted(state.agents.items()):
        running = agent.running()
        consumed = {each for definition in running for each in definition.consumes}
        produced = {each for definition in running for each in definition.produces}
        used |= consumed | produced
        gone = sorted(each for each in (consumed.difference(known) | produced) if each not in state.topics)
        if gone:
            found.append({"kind": "agent", "name": name, "why": f"there is no topic {', '.join(gone)}"})
        going = sorted(
            each for each in consumed | produced if each in state.topics and state.topics[each].state != "active"
        )
        if going:
            found.append({"kind": "agent", "name": name, "why": f"on its way out is the topic {', '.join(going)}"})
        if agent.retired and name in groups:
            found.append({"kind": "group", "name": name, "why": f"the agent {name} is retired"})
    for name, topic in sorted(state.topics.items()):
        owner = state.agents.get(topic.spec.owner)
        if owner is not None and owner.retired:
            found.append({"kind": "topic", "name": name, "why": f"its owner {owner.name} is retired"})
        elif name not in used:
            found.append(
                {"kind": "topic", "name": name, "why": "no agent consumes it or produces into it, no group reads it"}
            )
    return found


def difference(before: Organisation, after: Organisation) -> list[OrgChange]:
    """What was added, changed and removed, by kind and name; of what changed each field with both values."""
    found: list[OrgChange] = []
    one, other = _rows(before), _rows(after)
    for kind in one:
        for name in sorted(one[kind].keys() | other[kind].keys()):
            was, is_now = one[kind].get(name), other[kind].get(name)
            if was is None or is_now is None:
                found.append({"kind": kind, "name": name, "change": "added" if was is None else "removed"})
            elif was != is_now:
                found.append({"kind": kind, "name": name, "change": "changed", "fields": _fields(was, is_now)})
    return found


def _fields(was: JsonObject, is_now: JsonObject) -> list[FieldChange]:
    return [{"field": name, "before": was[name], "after": is_now[name]} for name in was if was[name] != is_now[name]]


def _rows(state: Organisation) -> dict[str, dict[str, JsonObject]]:
    """All parts as plain rows, by kind and name."""
    return {
        "namespace": {name: to_builtins(each) for name, each in state.namespaces.items()},
        "topic": {name: dict(topic_row(each)) for name, each in state.topics.items()},
        "agent": {name: dict(agent_row(each)) for name, each in state.agents.items()},
    }
