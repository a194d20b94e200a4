"""What happens to an organisation. Read for ever: fields are only added, at the end."""

import re
from typing import Final

import msgspec

from aob.core.organisation.parts import Definition, Deployment, TopicSpec


class _Change(msgspec.Struct, array_like=True, frozen=True):
    """By whom (name and id of the key), and when."""

    by: str
    key: str
    at_ms: int


class NamespaceSet(_Change, frozen=True, tag=1):
    """A namespace has these quotas from now on; it is new unless it was there."""

    namespace: str
    topics: int
    agents: int
    instances: int


class TopicCreated(_Change, frozen=True, tag=2):
    """A topic is declared. It expires at `expires_ms` (0: never)."""

    topic: str
    spec: TopicSpec
    partitions: int
    expires_ms: int


class TopicRefused(_Change, frozen=True, tag=3):
    """A request for a topic was refused. `status` is that of the answer."""

    topic: str
    code: str
    reason: str
    status: int


class TopicChanged(_Change, frozen=True, tag=4):
    """A topic is declared anew."""

    topic: str
    spec: TopicSpec
    expires_ms: int


class TopicDraining(_Change, frozen=True, tag=5):
    """A topic is on its way out: what is under way ends until `until_ms`; then it is readable for `keep_ms`."""

    topic: str
    until_ms: int
    keep_ms: int
    reason: str


class TopicReadOnly(_Change, frozen=True, tag=6):
    """A topic takes no records any more; it is readable until `until_ms`."""

    topic: str
    until_ms: int


class TopicDeleted(_Change, frozen=True, tag=7):
    """A topic is declared no more."""

    topic: str


class TopicRestored(_Change, frozen=True, tag=8):
    """A topic that was on its way out is active again."""

    topic: str
    expires_ms: int


class TopicPurged(_Change, frozen=True, tag=9):
    """The records of a deleted topic are gone, and how far groups had come in it. Its name is free again."""

    topic: str
    records: int
    bytes: int


class AgentRegistered(_Change, frozen=True, tag=20):
    """An agent has one more version; `size` is that of the definition in bytes."""

    agent: str
    owner: str
    version: int
    definition: Definition
    size: int


class AgentDeployed(_Change, frozen=True, tag=21):
    """From now on keys belong to versions so. `back`: the deployment before it is restored."""

    agent: str
    deployment: Deployment
    back: bool
    reason: str


class AgentPaused(_Change, frozen=True, tag=22):
    """An agent begins nothing until it is resumed."""

    agent: str
    reason: str


class AgentResumed(_Change, frozen=True, tag=23):
    """A paused agent goes on."""

    agent: str


class AgentScaled(_Change, frozen=True, tag=24):
    """An agent may have so many instances."""

    agent: str
    instances: int


class AgentRetired(_Change, frozen=True, tag=25):
    """An agent works no more. Its versions stay."""

    agent: str
    reason: str


class AgentReturned(_Change, frozen=True, tag=26):
    """A retired agent was registered again."""

    agent: str


TopicEvent = TopicCreated | TopicChanged | TopicDraining | TopicReadOnly | TopicDeleted | TopicRestored | TopicPurged
"""Those that change a topic."""
AgentEvent = (
    AgentRegistered | AgentDeployed | AgentPaused | AgentResumed | AgentScaled | AgentRetired | AgentReturned
)  # fmt: skip
"""Those that change an agent."""
OrganisationEvent = NamespaceSet | TopicRefused | TopicEvent | AgentEvent

_SNAKE: Final = re.compile(r"(?<!^)(?=[A-Z])")


def type_of(event: OrganisationEvent) -> str:
    """The name of an event: `topic_created`."""
    return _SNAKE.sub("_", type(event).__name__).lower()


def subject_of(event: OrganisationEvent) -> str:
    """The name of the topic, agent or namespace that an event is about."""
    if isinstance(event, NamespaceSet):
        return event.namespace
    return event.topic if isinstance(event, TopicEvent | TopicRefused) else event.agent
