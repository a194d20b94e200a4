"""What an event makes of an organisation. Total: every event ever written is taken, also about what is not there."""

from collections.abc import Iterable

from msgspec.structs import replace

from aob.core.organisation import event as ev
from aob.core.organisation.limit import DEPLOYMENTS_KEPT
from aob.core.organisation.parts import Agent, Namespace, Organisation, Topic, Version


def evolve(state: Organisation, events: Iterable[ev.OrganisationEvent]) -> Organisation:
    """Folds events into a state, which it changes and returns."""
    for event in events:
        match event:
            case ev.NamespaceSet():
                state.namespaces[event.namespace] = Namespace(
                    event.namespace, event.topics, event.agents, event.instances
                )
            case ev.TopicRefused():
                pass  # for the history
            case (
                ev.AgentRegistered() | ev.AgentDeployed() | ev.AgentPaused() | ev.AgentResumed() | ev.AgentScaled()
                | ev.AgentRetired() | ev.AgentReturned()
            ):  # fmt: skip
                agent = agent_after(state.agents.get(event.agent), event)
                if agent is not None:
                    state.agents[event.agent] = agent
                if isinstance(event, ev.AgentRegistered):
                    state.definition_bytes += event.size
            case _:
                known = event.topic in state.topics
                after = topic_after(state.topics.get(event.topic), event)
                if after is not None:
                    state.topics[event.topic] = after
                else:
                    state.topics.pop(event.topic, None)
                if isinstance(event, ev.TopicDeleted) and known:
                    state.purging[event.topic] = event.at_ms
                elif isinstance(event, ev.TopicPurged | ev.TopicCreated):
                    state.purging.pop(event.topic, None)
    return state


def topic_after(topic: Topic | None, event: ev.TopicEvent) -> Topic | None:
    """A topic after an event; None when it is not declared."""
    if isinstance(event, ev.TopicCreated):
        return Topic(event.topic, event.spec, event.partitions, event.by, event.at_ms, event.expires_ms)
    if topic is None:
        return None
    match event:
        case ev.TopicChanged():
            return replace(topic, spec=event.spec, expires_ms=event.expires_ms)
        case ev.TopicDraining():
            return replace(topic, state="draining", until_ms=event.until_ms, keep_ms=event.keep_ms, reason=event.reason)
        case ev.TopicReadOnly():
            return replace(topic, state="read_only", until_ms=event.until_ms)
        case ev.TopicRestored():
            return replace(topic, state="active", until_ms=0, keep_ms=0, reason="", expires_ms=event.expires_ms)
        case ev.TopicDeleted():
            return None
        case ev.TopicPurged():
            return topic


def agent_after(agent: Agent | None, event: ev.AgentEvent) -> Agent | None:
    """An agent after an event; None when there is none."""
    if isinstance(event, ev.AgentRegistered):
        known = agent or Agent(event.agent, event.owner, event.by, event.at_ms)
        version = Version(event.version, event.definition, event.size, event.by, event.at_ms)
        return replace(known, owner=event.owner, versions=(*known.versions, version))
    if agent is None:
        return None
    match event:
        case ev.AgentDeployed():
            before = agent.deployments[:-2] if event.back else agent.deployments
            return replace(agent, deployments=(*before, event.deployment)[-DEPLOYMENTS_KEPT:])
        case ev.AgentPaused():
            return replace(agent, paused=event.reason)
        case ev.AgentResumed():
            return replace(agent, paused=None)
        case ev.AgentScaled():
            return replace(agent, instances=event.instances)
        case ev.AgentRetired():
            return replace(agent, retired=True)
        case ev.AgentReturned():
            return replace(agent, retired=False)
