"""What an event makes of an organisation. Total: every event ever written is taken, also about what is not there."""

from collections.abc import Iterable

from msgspec.structs import replace

from aob.core.organisation import event as ev
from aob.core.organisation.parts import Namespace, Organisation, Topic


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
            case _:
                after = topic_after(state.topics.get(event.topic), event)
                if after is not None:
                    state.topics[event.topic] = after
                else:
                    state.topics.pop(event.topic, None)
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
