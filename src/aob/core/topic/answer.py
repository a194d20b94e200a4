"""The answers of the API about records of topics and the groups that read them, as shapes. Data only."""

from typing import TypedDict

from aob.core.answers import JsonValue


class RecordPlace(TypedDict):
    """Where a produced record lies. `position` is the place behind it; `repeated`: it was there before, under its
    id."""

    id: str
    partition: int
    offset: int
    position: str
    repeated: bool


class Produced(TypedDict):
    """The places of produced records, in their order; `notes` say what their producer should know: the topic is on its
    way out."""

    records: list[RecordPlace]
    notes: list[str]


class RecordView(TypedDict):
    """A record: its place, when it was appended (RFC 3339), and what it says."""

    partition: int
    offset: int
    at: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: JsonValue
    correlationid: str
    causationid: str
    depth: int
    extensions: dict[str, str]


class Consumed(TypedDict):
    """Records in the order of each partition. `position` is the place behind all of them, `begun` the one before:
    a group commits from `begun` to `position`. `behind` is how many offsets lie behind. `removed` is how many records
    where the reader began are no longer kept; `notes` say that, and that the topic is on its way out."""

    records: list[RecordView]
    begun: str
    position: str
    behind: int
    removed: int
    notes: list[str]


class GroupPlace(TypedDict):
    """How far a group is in a partition: the offset of the next record, and the partition's end."""

    partition: int
    offset: int
    end: int
    behind: int


class GroupTopic(TypedDict):
    """How far a group is in a topic; `at` is when it last moved (ms)."""

    topic: str
    behind: int
    at: int
    partitions: list[GroupPlace]


class GroupView(TypedDict):
    """A group and its topics."""

    group: str
    topics: list[GroupTopic]


class GroupRow(TypedDict):
    """A group in a list: a row for each topic."""

    group: str
    topic: str
    behind: int
    at: int


class GroupList(TypedDict):
    """Groups by name, a row for each topic."""

    groups: list[GroupRow]


class GroupMove(TypedDict):
    """A partition that a group is set to another offset of: how many records would be read `again`, or are passed
    over (`skipped`)."""

    partition: int
    before: int
    after: int
    again: int
    skipped: int


class GroupMoved(TypedDict):
    """What moves, or would: `done` is false for a preview."""

    group: str
    topic: str
    done: bool
    again: int
    skipped: int
    partitions: list[GroupMove]


class AgentReset(TypedDict):
    """What moves of an agent's group, or would, in each of its topics."""

    agent: str
    done: bool
    again: int
    skipped: int
    topics: list[GroupMoved]
