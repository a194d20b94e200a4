"""The answers of the API about an organisation, as shapes. Data only. Times are ms since 1970 in UTC."""

from typing import Literal, NotRequired, TypedDict

from aob.core.answers import JsonObject, JsonValue
from aob.core.organisation.parts import TopicState
from aob.core.organisation.retaining import Class, Cleanup

AgentState = Literal["active", "paused", "retired"]


class RetentionView(TypedDict):
    """How long (`ms`) and how much (`bytes`, of a partition) of a topic is kept, -1 without a bound; `cleanup` as
    Kafka's `cleanup.policy`."""

    of: Class
    ms: int
    bytes: int
    cleanup: Cleanup


class TopicView(TypedDict):
    """A declared topic. It `expires` at an instant, or never (null); `until` is when its present state ends. `created`
    is false when a request found it declared so already."""

    topic: str
    namespace: str
    owner: str
    purpose: str
    types: list[str]
    partitions: int
    retention: RetentionView
    depth_max: int
    exports: list[str]
    state: TopicState
    expires: int | None
    until: int | None
    reason: str
    created_by: str
    created_at: int
    created: NotRequired[bool]


class TopicReader(TypedDict):
    """A group that reads a topic: how many records it is behind, when it last moved."""

    group: str
    behind: int
    at: int


class TopicDetail(TopicView):
    """A declared topic with what it holds: how many `records` are kept; the agents that consume it (`consumers`) and
    produce into it (`producers`); the `groups` that have read it."""

    records: int
    consumers: list[str]
    producers: list[str]
    groups: list[TopicReader]


class TopicDeletion(TypedDict):
    """A topic on its way out, or `deleted` at once. `users` are agents that consume it or produce into it, `groups`
    those that have read it: whoever should know."""

    topic: str
    deleted: bool
    state: TopicState | None
    until: int | None
    users: list[str]
    groups: list[str]


class TopicList(TypedDict):
    """Declared topics by name; `next` is the cursor of the next page, or null."""

    topics: list[TopicView]
    next: str | None


class TopicHit(TypedDict):
    """A topic that has to do with a type of event. `declared`: it names the type; else it takes any. `subject` of the
    registry speaks of such records (empty: none)."""

    topic: str
    state: TopicState
    declared: bool
    subject: str


class TopicHits(TypedDict):
    """Topics, those that name the type first, then by name."""

    topics: list[TopicHit]


class VersionView(TypedDict):
    """A version of an agent: by whom, and when."""

    version: int
    by: str
    at: int


class ShareView(TypedDict):
    """The share of keys that a version has, in percent."""

    version: int
    percent: float


class RangeView(TypedDict):
    """Keys from `first` on and before `end` (empty: to the last) belong to a version, whatever their share."""

    version: int
    first: str
    end: str


class KeysView(TypedDict):
    """How the keys of an agent are shared out."""

    shares: list[ShareView]
    ranges: list[RangeView]


class AgentRow(KeysView):
    """An agent as lists show it: its newest version, and how its keys are shared out."""

    agent: str
    namespace: str
    owner: str
    kind: Literal["event", "service"]
    description: str
    capabilities: list[str]
    version: int
    instances: int
    state: AgentState
    reason: str


class KeyVersion(TypedDict, total=False):
    """The version that a key belongs to."""

    key: str
    key_version: int


class AgentView(AgentRow, KeyVersion):
    """An agent whole: the definition of one version, all `versions`, and that of a `key` where one was asked for."""

    definition: JsonObject
    definition_of: int
    versions: list[VersionView]
    created_by: str
    created_at: int


class AgentRegistered(AgentRow):
    """An agent with the version that was registered. `created` is false when it was a version already."""

    registered: int
    created: bool


class AgentList(TypedDict):
    """Agents by name; `next` is the cursor of the next page, or null."""

    agents: list[AgentRow]
    next: str | None


class AgentHit(TypedDict):
    """An agent that can do what was asked for, with a score and the words that say so."""

    agent: str
    score: float
    snippet: str
    capabilities: list[str]
    state: AgentState


class AgentHits(TypedDict):
    """Agents, best first."""

    agents: list[AgentHit]


class Used(TypedDict):
    """How many there are, and how many there may be."""

    used: int
    quota: int


class NamespaceView(TypedDict):
    """A namespace: its topics, its agents that are not retired, and the instances of these."""

    namespace: str
    topics: Used
    agents: Used
    instances: Used


class Orphan(TypedDict):
    """A topic, an agent or a group that somebody should look at, and why."""

    kind: Literal["topic", "agent", "group"]
    name: str
    why: str


class OrgView(TypedDict):
    """An organisation at an instant: after `events` events, the last one at `position` (empty: none)."""

    at: int
    events: int
    position: str
    namespaces: list[NamespaceView]
    topics: list[TopicView]
    agents: list[AgentRow]
    orphans: list[Orphan]


class OrgEntry(TypedDict):
    """A change: its place, when, its type, by whom (name and key), and what else it says under `data`."""

    seq: int
    position: str
    at: int
    type: str
    by: str
    key: str
    name: str
    data: JsonObject


class OrgHistory(TypedDict):
    """Changes, newest first; `next` is the cursor of the next page, or null."""

    entries: list[OrgEntry]
    next: str | None


class FieldChange(TypedDict):
    """A field with both values."""

    field: str
    before: JsonValue
    after: JsonValue


class OrgChange(TypedDict):
    """A namespace, topic or agent that was added, changed or removed; `fields` are those that changed."""

    kind: str
    name: str
    change: Literal["added", "changed", "removed"]
    fields: NotRequired[list[FieldChange]]


class OrgDiff(TypedDict):
    """What changed between two instants."""

    since: int
    until: int
    changes: list[OrgChange]
