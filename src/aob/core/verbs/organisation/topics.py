"""Verbs of declared topics: create, list, show, update, delete, undelete. What they hold is of other verbs."""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from aob.core.organisation import answers, limits
from aob.core.verb import LIVE, Gives, Http, Verb, ok

PAGE_MAX: Final = 1_000
CONFIG_MAX: Final = 20
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]
Span: TypeAlias = Annotated[str, msgspec.Meta(max_length=50)]
Purpose: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.PURPOSE_CHARS_MAX)]
Owner: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.OWNER_CHARS_MAX)]
Types: TypeAlias = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=limits.TYPE_CHARS_MAX)], ...],
    msgspec.Meta(max_length=limits.TYPES_MAX),
]
Config: TypeAlias = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=100)], Annotated[str, msgspec.Meta(max_length=100)] | int],
    msgspec.Meta(max_length=CONFIG_MAX),
]
Depth: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=limits.DEPTH_MAX)]
RetentionClass: TypeAlias = Literal["work", "audit", "state"]
Exports: TypeAlias = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)], ...],
    msgspec.Meta(max_length=limits.EXPORTS_MAX),
]
Expiry: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=50, description="A duration such as `7d`, or an instant of RFC 3339; empty: never.")
]


class CreateTopic(msgspec.Struct, frozen=True):
    """A topic by its name (`orders`, or `org.ns.name`), whose it is (the caller's by default), what for, the types of
    event that it takes (none: any), when it expires. `retention` is a class, `config` settings under Kafka's names
    over it (`retention.ms`, `cleanup.policy`). Agents of the namespaces in `exports` may consume it, too (`*`: all)."""

    topic: Name
    owner: Owner = ""
    purpose: Purpose = ""
    types: Types = ()
    expires: Expiry = ""
    retention: RetentionClass = "work"
    config: Config = {}
    depth_max: Depth = limits.DEPTH_DEFAULT
    exports: Exports = ()


class UpdateTopic(msgspec.Struct, frozen=True):
    """A topic, and what of it is another from now on; what is left out stays. `config` is over the class that is given,
    or over that of the topic."""

    topic: Name
    owner: Owner | None = None
    purpose: Purpose | None = None
    types: Types | None = None
    expires: Expiry | None = None
    retention: RetentionClass | None = None
    config: Config | None = None
    depth_max: Depth | None = None
    exports: Exports | None = None


class ListTopics(msgspec.Struct, frozen=True):
    """Topics of a state, a namespace or an owner; of all where it is empty. `after` is `next` of the page before."""

    state: Literal["", "active", "draining", "read_only"] = ""
    namespace: Annotated[str, msgspec.Meta(max_length=limits.NAME_CHARS_MAX)] = ""
    owner: Owner = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 100
    after: Annotated[str, msgspec.Meta(max_length=limits.NAME_CHARS_MAX)] = ""


class FindTopics(msgspec.Struct, frozen=True):
    """Topics that take records of the type `accepts`; topics in which there are records of the type `emits`, as far as
    that is declared. Of both, where both are given."""

    accepts: Annotated[str, msgspec.Meta(max_length=limits.TYPE_CHARS_MAX)] = ""
    emits: Annotated[str, msgspec.Meta(max_length=limits.TYPE_CHARS_MAX)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 100


class NamedTopic(msgspec.Struct, frozen=True):
    """A topic by its name."""

    topic: Name


class DeleteTopic(msgspec.Struct, frozen=True):
    """A topic; how long it drains, and how long it is readable after that, as durations. One that agents consume or
    produce into is refused unless it is forced."""

    topic: Name
    drain: Span = "1h"
    keep: Span = "24h"
    reason: Purpose = ""
    force: bool = False


_TOPIC: Final = "/v1/topics/{topic}"
CREATE: Final = Verb(
    "create_topic", CreateTopic, "deploy", "topic", "main",
    Http("POST", "/v1/topics", "create_topic",
         "Declare a topic. The same declaration again changes nothing; a refused one is recorded with its reason.",
         (Gives(201, answers.TopicView, "It is declared."),
          Gives(200, answers.TopicView, "It was declared so already.")),
         takes="TopicBody", refuses=(409, 413)),
)  # fmt: skip
LIST: Final = Verb(
    "topics", ListTopics, "view", "topic", "main",
    Http("GET", "/v1/topics", "list_topics", "List the declared topics by name.", ok(answers.TopicList, "A page.")),
)  # fmt: skip
FIND: Final = Verb(
    "find_topics", FindTopics, "view", "topic", "main",
    Http("GET", "/v1/topics:find", "find_topics",
         "Find the topics that take records of a type, or have some.", ok(answers.TopicHits, "The topics.")),
)  # fmt: skip
SHOW: Final = Verb(
    "topic", NamedTopic, "view", "topic", "main",
    Http("GET", _TOPIC, "show_topic", "Show a declared topic, what it holds, who reads it and how far each is.",
         ok(answers.TopicDetail, "The topic."), cost=LIVE),
)  # fmt: skip
UPDATE: Final = Verb(
    "update_topic", UpdateTopic, "deploy", "topic", "main",
    Http("PATCH", _TOPIC, "update_topic", "Declare a topic anew: what is given changes, all else stays.",
         ok(answers.TopicView, "The topic as it is from now on."), takes="TopicChange", refuses=(409,)),
)  # fmt: skip
DELETE: Final = Verb(
    "delete_topic", DeleteTopic, "deploy", "topic", "main",
    Http("DELETE", _TOPIC, "delete_topic",
         "Let a topic go: it drains, then it is readable for a while, then it is deleted. Asked again this only "
         "becomes sooner. Until the end it can be undone.", ok(answers.TopicDeletion, "How it goes."), refuses=(409,)),
)  # fmt: skip
UNDELETE: Final = Verb(
    "undelete_topic", NamedTopic, "deploy", "topic", "main",
    Http("POST", f"{_TOPIC}/undelete", "undelete_topic", "Keep a topic that is on its way out.",
         ok(answers.TopicView, "The topic, active again.")),
)  # fmt: skip

VERBS: Final = (CREATE, LIST, FIND, SHOW, UPDATE, DELETE, UNDELETE)
