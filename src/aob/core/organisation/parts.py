"""What an organisation is: its namespaces with quotas and its declared topics. Plain data."""

from typing import Literal

import msgspec

from aob.core.errors import NotFound
from aob.core.hint import meant
from aob.core.organisation.limit import DEPTH_DEFAULT
from aob.core.organisation.retaining import Retention

TopicState = Literal["active", "draining", "read_only"]
"""`active` takes records. `draining` still does, so that what is under way ends, and nothing new may name it.
`read_only` takes none. A deleted topic is declared no more."""


class Namespace(msgspec.Struct, frozen=True):
    """How much a namespace may hold: topics, agents, and instances of all its agents together."""

    name: str
    topics: int = 1_000
    agents: int = 1_000
    instances: int = 10_000


class TopicSpec(msgspec.Struct, frozen=True):
    """A topic as it was asked for. `types` are the types of event that it takes (none: any). It lives for `lives_ms`,
    or until `expires_at_ms`, or for ever when both are 0. `depth_max` bounds how deep records follow from one
    another."""

    owner: str
    purpose: str = ""
    types: tuple[str, ...] = ()
    retention: Retention = Retention()
    lives_ms: int = 0
    expires_at_ms: int = 0
    depth_max: int = DEPTH_DEFAULT


class Topic(msgspec.Struct, frozen=True):
    """A declared topic. `until_ms` is when its present state ends (0: it does not), `keep_ms` how long it stays
    readable after it drained."""

    name: str
    spec: TopicSpec
    partitions: int
    created_by: str
    created_ms: int
    expires_ms: int = 0
    state: TopicState = "active"
    until_ms: int = 0
    keep_ms: int = 0
    reason: str = ""

    @property
    def due_ms(self) -> int:
        """When something is to happen to it (0: nothing)."""
        return self.expires_ms if self.state == "active" else self.until_ms


class Organisation(msgspec.Struct):
    """All that a tenant has declared, by name."""

    namespaces: dict[str, Namespace] = {}
    topics: dict[str, Topic] = {}

    def namespace(self, name: str) -> Namespace:
        """A namespace; one that nobody has set has the usual quotas."""
        return self.namespaces.get(name) or Namespace(name)

    def topic(self, name: str) -> Topic:
        """A declared topic. Raises NotFound with the names that are near."""
        topic = self.topics.get(name)
        if topic is None:
            hint = meant(name, self.topics, "topics") or "declare it: aob topic create NAME"
            raise NotFound(f"there is no topic {name[:80]!r}", code="topic_not_found", hint=hint)
        return topic
