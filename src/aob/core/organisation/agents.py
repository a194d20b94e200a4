"""Decides what is asked about agents: versions that never change, deployments, pause, scale, the end. Pure."""

from typing import Final

import msgspec

from aob.core.errors import Conflict, Invalid, Problem, TooLarge
from aob.core.hint import nearest
from aob.core.organisation import command as cmd
from aob.core.organisation import event as ev
from aob.core.organisation.deployment import SLOTS, with_range, with_share
from aob.core.organisation.limit import (
    AGENTS_MAX,
    DEFINITION_BYTES_MAX,
    DEFINITION_BYTES_MIN,
    DEFINITIONS_BYTES_MAX,
    DRAIN_MS,
    KEEP_MS,
    VERSIONS_MAX,
)
from aob.core.organisation.naming import DEFAULT_NAMESPACE, FEEDS, check_name, namespace_of
from aob.core.organisation.parts import Agent, Definition, Deployment, Organisation, Share
from aob.core.organisation.topics import new_namespace

Events = list[ev.OrganisationEvent]
_size: Final = msgspec.json.Encoder().encode


def registered(state: Organisation, asked: cmd.RegisterAgent, now_ms: int) -> Events:
    """The next version; the first one gets all keys. What is a version already stays that one. Raises Invalid
    `unknown_source`, TooLarge."""
    check_name(asked.agent, "an agent")
    agent, by, key = state.agents.get(asked.agent), asked.by, asked.key
    known = known_version(agent, asked.definition)
    if agent is not None and known:
        if asked.owner not in ("", agent.owner):
            raise Conflict(f"version {known} of {agent.name} is of {agent.owner}", code="agent_exists",
                           hint="an owner changes with a new version")  # fmt: skip
        if not agent.retired:
            return []
    _check_sources(state, asked, agent)
    if agent is None:
        return _first(state, asked, now_ms)
    again: Events = []
    if agent.retired:
        _has_room(state, asked.agent, agent.instances)
        again = [ev.AgentReturned(by, key, now_ms, agent.name)]
    if known:
        return again
    size, owner = _checked_size(state, asked.definition), asked.owner or agent.owner
    if len(agent.versions) >= VERSIONS_MAX:
        raise TooLarge(f"the agent {agent.name} has {VERSIONS_MAX:,} versions, and no more are taken", code="quota")
    number = len(agent.versions) + 1
    return [*again, ev.AgentRegistered(by, key, now_ms, agent.name, owner, number, asked.definition, size)]


def _first(state: Organisation, asked: cmd.RegisterAgent, now_ms: int) -> Events:
    """The first version of a new agent, with all keys."""
    by, key, name = asked.by, asked.key, asked.agent
    size = _checked_size(state, asked.definition)
    made = new_namespace(state, asked, namespace_of(name), now_ms)
    if len(state.agents) >= AGENTS_MAX:
        raise TooLarge(f"a tenant has at most {AGENTS_MAX:,} agents", code="quota")
    _has_room(state, name, 1)
    everything = Deployment((Share(1, SLOTS),))
    return [
        *made, ev.AgentRegistered(by, key, now_ms, name, asked.owner or by, 1, asked.definition, size),
        ev.AgentDeployed(by, key, now_ms, name, everything, False, "the first version"),
    ]  # fmt: skip


def known_version(agent: Agent | None, definition: Definition) -> int:
    """The number of the version with this definition; 0 if there is none."""
    versions = agent.versions if agent is not None else ()
    return next((each.number for each in versions if each.definition == definition), 0)


def _checked_size(state: Organisation, definition: Definition) -> int:
    """The bytes of a definition, counted as one KiB at least. Raises TooLarge for too many, alone or of the tenant
    together."""
    size = max(len(_size(definition)), DEFINITION_BYTES_MIN)
    if size > DEFINITION_BYTES_MAX:
        raise TooLarge(f"the definition has {size:,} bytes, at most {DEFINITION_BYTES_MAX:,} are taken")
    if size + state.definition_bytes > DEFINITIONS_BYTES_MAX:
        raise TooLarge(f"the definitions of a tenant have at most {DEFINITIONS_BYTES_MAX:,} bytes", code="quota")
    return size


def _check_sources(state: Organisation, asked: cmd.RegisterAgent, agent: Agent | None) -> None:
    """Raises Invalid `unknown_source` with every name that an agent could not start with, `not_exported` with the
    topics of other namespaces that it may not consume."""
    given, before = asked.definition, agent.newest.definition if agent is not None else Definition()
    consumes = [
        (f"/consumes/{place}", name, _wrong(state, name, name in FEEDS or name in asked.types, name in before.consumes))
        for place, name in enumerate(given.consumes)
    ]
    produces = [
        (f"/produces/{place}", name, _wrong(state, name, False, name in before.produces))
        for place, name in enumerate(given.produces)
    ]
    namespace = namespace_of(asked.agent)
    foreign = [
        Problem(f"/consumes/{place}", f"the topic {name} is not exported to the namespace {namespace}", "not_exported",
                hint=f"aob topic update {name} --export {namespace}")
        for place, name in enumerate(given.consumes)
        if (topic := state.topics.get(name)) is not None and name not in before.consumes
        and namespace_of(name) not in (namespace, DEFAULT_NAMESPACE) and not topic.spec.exported_to(namespace)
    ]  # fmt: skip
    problems = [
        Problem(path, wrong, "unknown_source", hint=_source_hint(state, name))
        for path, name, wrong in (*consumes, *produces)
        if wrong
    ]
    if foreign and not problems:
        raise Invalid(f"the agent {asked.agent} may not consume what it names", foreign, code="not_exported")
    if problems:
        raise Invalid(f"the agent {asked.agent} could not start", problems, code="unknown_source")


def _wrong(state: Organisation, name: str, otherwise: bool, had: bool) -> str:
    """What is wrong with the name of a topic: it is none, nor known `otherwise` (a feed, a type of event); or it is on
    its way out, and the agent had it not before."""
    topic = state.topics.get(name)
    if topic is None:
        return "" if otherwise else f"there is no topic {name[:80]!r}, nor a feed or a type of event to consume"
    return "" if topic.state == "active" or had else f"the topic {name} is {topic.state}"


def _source_hint(state: Organisation, name: str) -> str:
    if name in state.topics:
        return f"aob topic undelete {name}"
    if name in FEEDS:
        return f"{name} is a feed of the platform: nobody writes into it"
    near, declared = nearest(name, [*state.topics, *FEEDS]), f"aob topic create {name[:80]}"
    return f"did you mean {near}? Or declare it: {declared}" if near else declared


def _has_room(state: Organisation, name: str, instances: int) -> None:
    """Raises TooLarge `quota` when one more agent with so many instances is too much for its namespace."""
    namespace = namespace_of(name)
    others = _living(state, namespace, name)
    quota = state.namespace(namespace)
    if len(others) >= quota.agents:
        raise TooLarge(f"the namespace {namespace} has its {quota.agents:,} agents", code="quota",
                       hint=f"aob org namespace {namespace} --agents N, with the role admin")  # fmt: skip
    if sum(each.instances for each in others) + instances > quota.instances:
        raise TooLarge(f"the agents of {namespace} would have more than {quota.instances:,} instances", code="quota",
                       hint=f"aob org namespace {namespace} --instances N, with the role admin")  # fmt: skip


def _living(state: Organisation, namespace: str, without: str) -> list[Agent]:
    return [
        each for name, each in state.agents.items()
        if not each.retired and name != without and namespace_of(name) == namespace
    ]  # fmt: skip


def working(state: Organisation, name: str) -> Agent:
    """An agent that is not retired. Raises NotFound, Conflict `agent_retired`."""
    agent = state.agent(name)
    if agent.retired:
        raise Conflict(f"the agent {name} is retired", code="agent_retired", hint="register it again")
    return agent


def deployed(state: Organisation, asked: cmd.DeployAgent, now_ms: int) -> Events:
    """The deployment with another share or range of a version. Raises NotFound, Conflict, Invalid, TooLarge."""
    agent = working(state, asked.agent)
    number = agent.version(asked.version).number
    if asked.slots is None:
        if asked.end and asked.end <= asked.first:
            raise Invalid(
                "the range is empty", [Problem("/end", "is not after `first`", "bad_range")], code="bad_range"
            )
        after = with_range(agent.deployment, number, asked.first, asked.end)
    else:
        after = with_share(agent.deployment, number, asked.slots)
    if after == agent.deployment:
        return []
    return [ev.AgentDeployed(asked.by, asked.key, now_ms, agent.name, after, False, asked.reason)]


def rolled_back(state: Organisation, asked: cmd.RollBackAgent, now_ms: int) -> Events:
    """The deployment before the one that counts. Raises NotFound, Conflict `nothing_before`."""
    agent = working(state, asked.agent)
    if len(agent.deployments) < 2:
        raise Conflict(f"there is no deployment of {agent.name} before this one", code="nothing_before")
    before = agent.deployments[-2]
    return [ev.AgentDeployed(asked.by, asked.key, now_ms, agent.name, before, True, asked.reason)]


def paused(state: Organisation, asked: cmd.PauseAgent, now_ms: int) -> Events:
    """A pause; a paused agent stays so, for the same reason. Raises NotFound, Conflict `agent_retired`."""
    agent = working(state, asked.agent)
    return [] if agent.paused is not None else [ev.AgentPaused(asked.by, asked.key, now_ms, agent.name, asked.reason)]


def resumed(state: Organisation, asked: cmd.ResumeAgent, now_ms: int) -> Events:
    """The end of a pause. Raises NotFound, Conflict `agent_retired`."""
    agent = working(state, asked.agent)
    return [] if agent.paused is None else [ev.AgentResumed(asked.by, asked.key, now_ms, agent.name)]


def scaled(state: Organisation, asked: cmd.ScaleAgent, now_ms: int) -> Events:
    """The number of instances. Raises NotFound, Conflict `agent_retired`, TooLarge `quota`."""
    agent = working(state, asked.agent)
    if agent.instances == asked.instances:
        return []
    if asked.instances > agent.instances:
        _has_room(state, agent.name, asked.instances)
    return [ev.AgentScaled(asked.by, asked.key, now_ms, agent.name, asked.instances)]


def retired(state: Organisation, asked: cmd.RetireAgent, now_ms: int) -> Events:
    """The end of an agent. Its own topics that expire drain at once; those that do not stay, and are orphans. Raises
    NotFound."""
    agent = state.agent(asked.agent)
    if agent.retired:
        return []
    by, key, why = asked.by, asked.key, f"{agent.name} is retired"
    drained = [
        ev.TopicDraining(by, key, now_ms, topic.name, now_ms + DRAIN_MS, KEEP_MS, why)
        for topic in state.topics.values()
        if topic.spec.owner == agent.name and topic.expires_ms and topic.state == "active"
    ]
    return [ev.AgentRetired(by, key, now_ms, agent.name, asked.reason), *drained]
