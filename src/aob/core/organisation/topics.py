"""Decides what is asked about topics: by name, quota, owner and expiry. Pure."""

from collections.abc import Iterator

from msgspec.structs import replace

from aob.core.duration import format_duration
from aob.core.errors import CallerError, Conflict, Invalid, Problem, TooLarge
from aob.core.instant import iso
from aob.core.organisation import command as cmd
from aob.core.organisation import event as ev
from aob.core.organisation.evolving import topic_after
from aob.core.organisation.limit import (
    AGENT_TOPICS_MAX,
    DRAIN_MS,
    KEEP_MS,
    LIFE_MIN_MS,
    NAMESPACES_MAX,
    REFUSAL_CHARS_MAX,
    TOPICS_MAX,
)
from aob.core.organisation.naming import DEFAULT_NAMESPACE, check_name, namespace_of
from aob.core.organisation.parts import Namespace, Organisation, Topic, TopicSpec

USERS_SHOWN = 5
PLATFORM = "aob"  # who does what time brings about


def requested(state: Organisation, asked: cmd.RequestTopic, now_ms: int) -> list[ev.OrganisationEvent]:
    """The topic, or why it is refused; nothing when it is declared so already."""
    try:
        return _created(state, asked, now_ms)
    except CallerError as refused:
        reason = str(refused.detail)[:REFUSAL_CHARS_MAX]
        return [ev.TopicRefused(asked.by, asked.key, now_ms, asked.topic, refused.code, reason, refused.status)]


def _created(state: Organisation, asked: cmd.RequestTopic, now_ms: int) -> list[ev.OrganisationEvent]:
    check_name(asked.topic, "a topic")
    if asked.agent:
        _may_ask(state, asked)
    known = state.topics.get(asked.topic)
    if known is not None:
        if known.state != "active":
            raise Conflict(f"the topic {known.name} is {known.state} until {iso(known.until_ms)}",
                           code="topic_leaving", hint=f"aob topic undelete {known.name}")  # fmt: skip
        if known.spec == asked.spec:
            return []
        different = [
            "expiry" if name in ("lives_ms", "expires_at_ms") else name for name in TopicSpec.__struct_fields__
            if getattr(known.spec, name) != getattr(asked.spec, name)
        ]  # fmt: skip
        raise Conflict(f"the topic {known.name} is declared with another {', '.join(different)}", code="topic_exists",
                       hint=f"aob topic update {known.name}", differs=different)  # fmt: skip
    if asked.topic in state.purging:
        raise Conflict(f"the records of the topic {asked.topic} that was deleted are being removed",
                       code="topic_leaving", hint="try again in a minute")  # fmt: skip
    expires_ms = _expiry(asked.spec, now_ms)
    made = new_namespace(state, asked, namespace_of(asked.topic), now_ms)
    _has_room(state, asked.topic)
    return [*made, ev.TopicCreated(asked.by, asked.key, now_ms, asked.topic, asked.spec, asked.partitions, expires_ms)]


def _may_ask(state: Organisation, asked: cmd.RequestTopic) -> None:
    """Raises what an agent may not ask for: it gets topics of its own namespace that expire, a bounded number."""
    agent = state.agents.get(asked.agent)
    if agent is None or agent.retired:
        raise Conflict(f"{asked.agent} is no agent at work", code="agent_retired")
    own = namespace_of(asked.agent)
    if namespace_of(asked.topic) != own:
        raise Invalid(
            f"an agent of the namespace {own} gets no topic in another: {asked.topic}", code="other_namespace"
        )
    if not (asked.spec.lives_ms or asked.spec.expires_at_ms):
        raise Invalid("a topic that an agent asks for expires", code="bad_expiry")
    owned = sum(topic.spec.owner == asked.agent for topic in state.topics.values())
    if asked.topic not in state.topics and owned >= AGENT_TOPICS_MAX:
        raise TooLarge(f"the agent {asked.agent} has {owned:,} topics of its own", code="quota",
                       hint="a topic is a contract; what is one conversation's is a key: use the subject")  # fmt: skip


def new_namespace(
    state: Organisation, asked: cmd.RequestTopic | cmd.RegisterAgent, namespace: str, now_ms: int
) -> list[ev.OrganisationEvent]:
    """A namespace begins with the first name in it, with the usual quotas."""
    if namespace in state.namespaces or namespace == DEFAULT_NAMESPACE:
        return []
    check_namespaces(state, namespace)
    made = Namespace(namespace)
    return [ev.NamespaceSet(asked.by, asked.key, now_ms, namespace, made.topics, made.agents, made.instances)]


def check_namespaces(state: Organisation, namespace: str) -> None:
    """Raises TooLarge when a further namespace is one too many."""
    if namespace not in state.namespaces and len(state.namespaces) >= NAMESPACES_MAX:
        raise TooLarge(f"a tenant has at most {NAMESPACES_MAX:,} namespaces", code="quota")


def _has_room(state: Organisation, name: str) -> None:
    if len(state.topics) + len(state.purging) >= TOPICS_MAX:
        raise TooLarge(f"a tenant has at most {TOPICS_MAX:,} topics", code="quota",
                       hint="a topic is a contract; what is one conversation's is a key: use the subject")  # fmt: skip
    namespace = namespace_of(name)
    quota = state.namespace(namespace).topics
    if sum(namespace_of(each) == namespace for each in state.topics) >= quota:
        raise TooLarge(f"the namespace {namespace} has its {quota:,} topics", code="quota",
                       hint=f"aob org namespace {namespace} --topics N, with the role admin")  # fmt: skip


def _expiry(spec: TopicSpec, now_ms: int) -> int:
    """When a topic expires; 0: never. Raises Invalid `bad_expiry` for what is over or too soon."""
    expires_ms = now_ms + spec.lives_ms if spec.lives_ms else spec.expires_at_ms
    if expires_ms and expires_ms < now_ms + LIFE_MIN_MS:
        why = f"{iso(expires_ms)} is not at least {format_duration(LIFE_MIN_MS)} ahead"
        raise Invalid("the topic would be over at once", [Problem("/expires", why, "bad_expiry")], code="bad_expiry")
    return expires_ms


def changed(state: Organisation, asked: cmd.ChangeTopic, now_ms: int) -> list[ev.OrganisationEvent]:
    """The topic as it is declared from now on. Raises NotFound, Conflict when it is on its way out, Invalid."""
    topic = state.topic(asked.topic)
    if topic.state != "active":
        raise Conflict(f"the topic {topic.name} is {topic.state}", code="topic_leaving",
                       hint=f"aob topic undelete {topic.name}")  # fmt: skip
    lives = (topic.spec.lives_ms, topic.spec.expires_at_ms) != (asked.spec.lives_ms, asked.spec.expires_at_ms)
    expires_ms = _expiry(asked.spec, now_ms) if lives else topic.expires_ms
    if topic.spec == asked.spec:
        return []
    return [ev.TopicChanged(asked.by, asked.key, now_ms, topic.name, asked.spec, expires_ms)]


def deleted(state: Organisation, asked: cmd.DeleteTopic, now_ms: int) -> list[ev.OrganisationEvent]:
    """The way out of a topic. Asked again it only becomes shorter. Raises NotFound, and Conflict `topic_in_use` unless
    it is forced."""
    topic = state.topic(asked.topic)
    if not asked.force and (users := state.users_of(topic.name)):
        raise Conflict(f"the topic {topic.name} is used by {', '.join(users[:USERS_SHOWN])}", code="topic_in_use",
                       hint="let these agents do without it, or use --force")  # fmt: skip
    until_ms = now_ms + asked.drain_ms
    first: list[ev.TopicEvent]
    if topic.state == "active":
        first = [ev.TopicDraining(asked.by, asked.key, now_ms, topic.name, until_ms, asked.keep_ms, asked.reason)]
    elif topic.state == "draining":
        until_ms, keep_ms = min(until_ms, topic.until_ms), min(asked.keep_ms, topic.keep_ms)
        if (until_ms, keep_ms) == (topic.until_ms, topic.keep_ms):
            return []
        reason = asked.reason or topic.reason
        first = [ev.TopicDraining(asked.by, asked.key, now_ms, topic.name, until_ms, keep_ms, reason)]
    else:
        until_ms = now_ms + asked.keep_ms
        first = (
            [ev.TopicReadOnly(asked.by, asked.key, now_ms, topic.name, until_ms)] if until_ms < topic.until_ms else []
        )
    for event in first:
        topic = topic_after(topic, event) or topic
    return [*first, *_passed(topic, asked.by, asked.key, now_ms)] if first else []


def restored(state: Organisation, asked: cmd.RestoreTopic, now_ms: int) -> list[ev.OrganisationEvent]:
    """A topic stays. One whose time is over lives as long again, or for ever if it ended at an instant. Raises
    NotFound."""
    topic = state.topic(asked.topic)
    if topic.state == "active":
        return []
    over = topic.expires_ms and topic.expires_ms < now_ms + LIFE_MIN_MS
    again_ms = now_ms + topic.spec.lives_ms if topic.spec.lives_ms else 0
    return [ev.TopicRestored(asked.by, asked.key, now_ms, topic.name, again_ms if over else topic.expires_ms)]


def passed(state: Organisation, asked: cmd.PassTopic, now_ms: int) -> list[ev.OrganisationEvent]:
    """What time makes of a topic."""
    topic = state.topics.get(asked.topic)
    return [*_passed(topic, PLATFORM, "", now_ms)] if topic is not None else []


def purged(state: Organisation, asked: cmd.NoteTopicPurged, now_ms: int) -> list[ev.OrganisationEvent]:
    """The name of a deleted topic is free."""
    if asked.topic not in state.purging:
        return []
    return [ev.TopicPurged(PLATFORM, "", now_ms, asked.topic, asked.records, asked.bytes)]


def _passed(topic: Topic, by: str, key: str, now_ms: int) -> Iterator[ev.TopicEvent]:
    left: Topic | None = topic
    while left is not None and left.due_ms and left.due_ms <= now_ms:
        event: ev.TopicEvent
        if left.state == "active":
            event = ev.TopicDraining(by, key, now_ms, left.name, now_ms + DRAIN_MS, KEEP_MS, "expired")
        elif left.state == "draining":
            event = ev.TopicReadOnly(by, key, now_ms, left.name, now_ms + left.keep_ms)
        else:
            event = ev.TopicDeleted(by, key, now_ms, left.name)
        yield event
        left = topic_after(left, event)


def namespace_set(state: Organisation, asked: cmd.SetNamespace, now_ms: int) -> list[ev.OrganisationEvent]:
    """The quotas of a namespace. What is over a smaller quota stays, and nothing is added to it."""
    check_namespaces(state, asked.namespace)
    known = state.namespace(asked.namespace)
    given = {name: getattr(asked, name) for name in ("topics", "agents", "instances")}
    after = replace(known, **{name: count for name, count in given.items() if count is not None})
    if after == known and asked.namespace in state.namespaces:
        return []
    return [ev.NamespaceSet(asked.by, asked.key, now_ms, after.name, after.topics, after.agents, after.instances)]
