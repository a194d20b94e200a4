"""The answers of the API about an organisation, as shapes. Data only. Times are ms since 1970 in UTC."""

from typing import NotRequired, TypedDict

from aob.core.organisation.parts import TopicState
from aob.core.organisation.retaining import Class, Cleanup


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
    state: TopicState
    expires: int | None
    until: int | None
    reason: str
    created_by: str
    created_at: int
    created: NotRequired[bool]


class TopicDeletion(TypedDict):
    """A topic on its way out, or `deleted` at once."""

    topic: str
    deleted: bool
    state: TopicState | None
    until: int | None


class TopicList(TypedDict):
    """Declared topics by name; `next` is the cursor of the next page, or null."""

    topics: list[TopicView]
    next: str | None
