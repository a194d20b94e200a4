"""What an organisation is: its namespaces with quotas, its declared topics, its agents. Plain data."""

from typing import Final, Literal

import msgspec

from aob.core.errors import NotFound
from aob.core.hint import meant
from aob.core.organisation.limit import CONCURRENCY_DEFAULT, DEPTH_DEFAULT
from aob.core.organisation.retaining import Retention

EVERYBODY: Final = "*"
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
    exports: tuple[str, ...] = ()
    """The other namespaces whose agents may consume it; `*`: all."""

    def exported_to(self, namespace: str) -> bool:
        """Whether agents of another namespace may consume it."""
        return namespace in self.exports or EVERYBODY in self.exports


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


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an agent is: `event` works on records, `service` runs by itself with one owner. `consumes` are topics, types
    of event that pass the gate, or feeds of the platform; `capabilities` say in words what it can do. `code` is the
    hash of its code, `limits` are bounds by name (attempts, money, time). A definition never changes."""

    kind: Literal["event", "service"] = "event"
    description: str = ""
    consumes: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    handler: str = ""
    concurrency: int = CONCURRENCY_DEFAULT
    on_poison: Literal["skip", "park"] = "skip"
    while_waiting: Literal["enqueue", "reject", "rollback", "interrupt"] = "enqueue"
    limits: dict[str, int] = {}
    code: str = ""


class Version(msgspec.Struct, frozen=True):
    """A numbered definition, the first is 1; by whom, and when. `size` is that of the definition in bytes."""

    number: int
    definition: Definition
    size: int
    by: str
    at_ms: int


class Share(msgspec.Struct, frozen=True, array_like=True):
    """The slots up to `end` (of 10,000), from the end of the share before, belong to a version."""

    version: int
    end: int


class KeyRange(msgspec.Struct, frozen=True, array_like=True):
    """Keys from `first` on and before `end` (empty: to the last) belong to a version."""

    version: int
    first: str
    end: str


class Deployment(msgspec.Struct, frozen=True, array_like=True):
    """Which version a key belongs to: that of the first range that has it, else that of the share that has its slot."""

    shares: tuple[Share, ...]
    ranges: tuple[KeyRange, ...] = ()

    def versions(self) -> set[int]:
        """The versions that have keys."""
        return {each.version for each in self.shares} | {each.version for each in self.ranges}


class Agent(msgspec.Struct, frozen=True):
    """A registered agent: its versions, its newest deployments (the last one counts), why it is paused (None: it is
    not), how many instances it may have, whether it is retired. How well it is follows from what it does and is never
    kept here."""

    name: str
    owner: str
    created_by: str
    created_ms: int
    versions: tuple[Version, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    paused: str | None = None
    instances: int = 1
    retired: bool = False

    @property
    def newest(self) -> Version:
        """The newest version."""
        return self.versions[-1]

    @property
    def deployment(self) -> Deployment:
        """The deployment that counts; none has keys before the first."""
        return self.deployments[-1] if self.deployments else Deployment(())

    def version(self, number: int) -> Version:
        """A version by its number; 0: the newest. Raises NotFound `version_not_found`."""
        if not 0 <= number <= len(self.versions):
            raise NotFound(f"the agent {self.name} has no version {number}", code="version_not_found",
                           hint=f"its versions are 1 to {len(self.versions)}")  # fmt: skip
        return self.versions[number - 1]

    def running(self) -> list[Definition]:
        """The definitions of the versions that have keys; none when it is retired."""
        numbers = [] if self.retired else sorted(self.deployment.versions())
        return [self.versions[number - 1].definition for number in numbers]


class Organisation(msgspec.Struct):
    """All that a tenant has declared, by name."""

    namespaces: dict[str, Namespace] = {}
    topics: dict[str, Topic] = {}
    agents: dict[str, Agent] = {}
    definition_bytes: int = 0  # of all versions of all agents
    purging: dict[str, int] = {}
    """Deleted topics whose records are still to be removed, and when each was deleted (ms)."""

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

    def agent(self, name: str) -> Agent:
        """A registered agent. Raises NotFound with the names that are near."""
        agent = self.agents.get(name)
        if agent is None:
            hint = meant(name, self.agents, "agents") or "register it: aob agent register NAME FILE"
            raise NotFound(f"there is no agent {name[:80]!r}", code="agent_not_found", hint=hint)
        return agent

    def users_of(self, topic: str) -> list[str]:
        """The agents of which a version with keys consumes a topic or produces into it."""
        return [
            name for name, agent in self.agents.items()
            if any(topic in each.consumes or topic in each.produces for each in agent.running())
        ]  # fmt: skip
