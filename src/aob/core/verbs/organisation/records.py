"""Verbs of records in topics and of the groups that read them: produce, consume, commit; list, show, reset."""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from aob.core.answers import JsonValue
from aob.core.organisation import limits
from aob.core.topic import answers
from aob.core.verb import LIVE, Http, Verb, ok

RECORDS_MAX: Final = 1_000  # records of one request
WAIT_MS_MAX: Final = 30_000
OFFSET_MAX: Final = 2**53
NAME_MAX: Final = 200
EXTENSIONS_MAX: Final = 32

Topic: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX)]
Group: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX, pattern=r"^[^\s/]+$")]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=NAME_MAX)]
Token: TypeAlias = Annotated[str, msgspec.Meta(max_length=8_000)]
Offset: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MAX)]
Partition: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_023)]
Instant: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=50, description="An instant of RFC 3339, or a duration back from now such as `1h`.")
]


class ProducedRecord(msgspec.Struct, frozen=True):
    """A record. With an `id` it is written once: the same id of the same source, with the same content, is answered
    with its place. `subject` decides the partition (without one, its id). `time` is that of the append by default."""

    type: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.TYPE_CHARS_MAX)]
    data: JsonValue = None
    subject: Text = ""
    id: Text = ""
    source: Text = ""
    time: Annotated[str, msgspec.Meta(max_length=50)] = ""
    correlationid: Text = ""
    causationid: Text = ""
    depth: Annotated[int, msgspec.Meta(ge=1, le=limits.DEPTH_MAX)] = 1
    extensions: Annotated[dict[Text, Text], msgspec.Meta(max_length=EXTENSIONS_MAX)] = {}


class Produce(msgspec.Struct, frozen=True):
    """A topic, and records for it, at most 1,000."""

    topic: Topic
    records: Annotated[tuple[ProducedRecord, ...], msgspec.Meta(min_length=1, max_length=RECORDS_MAX)]


class Consume(msgspec.Struct, frozen=True):
    """A topic, and from where: behind a `position`; else where a `group` is; else `from_offset` of each partition, or
    `from_time`; else its beginning. Of one `partition`, or of all. Without records it waits up to `wait_ms`."""

    topic: Topic
    position: Token | None = None
    group: Annotated[str, msgspec.Meta(max_length=NAME_MAX)] = ""
    from_offset: Offset | None = None
    from_time: Instant = ""
    partition: Partition | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=RECORDS_MAX)] = 100
    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=WAIT_MS_MAX)] = 0


class CommitGroup(msgspec.Struct, frozen=True):
    """A group has dealt with all records of a topic from the position `begun` up to `position`, both as an answer of
    `consume` named them."""

    group: Group
    topic: Topic
    begun: Token
    position: Token


class ListGroups(msgspec.Struct, frozen=True):
    """Groups of all topics, or of one."""

    topic: Text = ""


class NamedGroup(msgspec.Struct, frozen=True):
    """A group by its name."""

    group: Group


class ResetGroup(msgspec.Struct, frozen=True):
    """Where a group goes on in a topic: at the `begin` or `end`, at an offset, at an instant, or at a `position`; in
    one partition or in all. A dry run only tells what would be read again."""

    group: Group
    topic: Topic
    to: Literal["", "begin", "end"] = ""
    to_offset: Offset | None = None
    to_time: Instant = ""
    position: Token | None = None
    partition: Partition | None = None
    dry_run: bool = False


class ResetAgent(msgspec.Struct, frozen=True):
    """Where an agent goes on in its topics, or in one: at the `begin` or `end`, at an offset of each partition, or at
    an instant. A dry run only tells what would be handled again."""

    agent: Group
    topic: Text = ""
    to: Literal["", "begin", "end"] = ""
    to_offset: Offset | None = None
    to_time: Instant = ""
    partition: Partition | None = None
    dry_run: bool = False


_TOPIC: Final = "/v1/topics/{topic}/records"
_GROUP: Final = "/v1/groups/{group}"
PRODUCE: Final = Verb(
    "produce", Produce, "run", "topic", "main",
    Http("POST", _TOPIC, "produce_records",
         "Append records to a declared topic; answered once they are durable. Those of one partition are appended "
         "all or none. A record of a type with a contract passes the gate.",
         ok(answers.Produced, "Where each lies."), takes="RecordsBody", refuses=(404, 409, 413)),
)  # fmt: skip
CONSUME: Final = Verb(
    "consume", Consume, "view", "topic", "main",
    Http("GET", _TOPIC, "consume_records",
         "Read records of a topic, in the order of each partition. Ask again with the `position` of the answer; with "
         "`wait_ms` an answer without records waits for some.",
         ok(answers.Consumed, "Records, and where to go on."), refuses=(404, 409)),
)  # fmt: skip
COMMIT: Final = Verb(
    "commit_group", CommitGroup, "run", "group", "main",
    Http("POST", f"{_GROUP}/commit", "commit_group",
         "Say that a group has dealt with records. Refused with `group_moved` when another consumer of the group "
         "went on meanwhile, or it was reset.",
         ok(answers.GroupMoved, "What moved."), takes="CommitBody", refuses=(404, 409)),
)  # fmt: skip
GROUPS: Final = Verb(
    "groups", ListGroups, "view", "group", "main",
    Http("GET", "/v1/groups", "list_groups", "List the groups and how far each is behind.",
         ok(answers.GroupList, "A row for each group and topic.")),
)  # fmt: skip
GROUP: Final = Verb(
    "group", NamedGroup, "view", "group", "main",
    Http("GET", _GROUP, "show_group", "Show how far a group is in each partition of its topics.",
         ok(answers.GroupView, "The group."), cost=LIVE),
)  # fmt: skip
RESET: Final = Verb(
    "reset_group", ResetGroup, "deploy", "group", "main",
    Http("POST", f"{_GROUP}/reset", "reset_group",
         "Set where a group goes on. With `dry_run` it only tells what would be read again, or passed over.",
         ok(answers.GroupMoved, "What moved, or would."), takes="ResetBody", refuses=(404, 409)),
)  # fmt: skip
RESET_AGENT: Final = Verb(
    "reset_agent", ResetAgent, "deploy", "agent", "main",
    Http("POST", "/v1/agents/{agent}/reset", "reset_agent",
         "Set where an agent goes on in its topics. Records before are handled again: their outputs have the same ids "
         "and are not appended twice, and settled effects answer from what was recorded.",
         ok(answers.AgentReset, "What moved, or would."), takes="ResetAgentBody", refuses=(404, 409)),
)  # fmt: skip

VERBS: Final = (PRODUCE, CONSUME, COMMIT, GROUPS, GROUP, RESET, RESET_AGENT)
