"""What may be asked of an organisation. `by` is the name of who asks, `key` the id of their key."""

import msgspec

from aob.core.organisation.parts import TopicSpec


class _Asked(msgspec.Struct, frozen=True):
    by: str
    key: str


class SetNamespace(_Asked, frozen=True):
    """Give a namespace quotas; None leaves one as it is."""

    namespace: str
    topics: int | None = None
    agents: int | None = None
    instances: int | None = None


class RequestTopic(_Asked, frozen=True):
    """Declare a topic with as many partitions as the home has."""

    topic: str
    spec: TopicSpec
    partitions: int


class ChangeTopic(_Asked, frozen=True):
    """Declare a topic anew."""

    topic: str
    spec: TopicSpec


class DeleteTopic(_Asked, frozen=True):
    """Let a topic drain for `drain_ms`, stay readable for `keep_ms`, and then go."""

    topic: str
    drain_ms: int
    keep_ms: int
    reason: str = ""


class RestoreTopic(_Asked, frozen=True):
    """Keep a topic that is on its way out."""

    topic: str


class PassTopic(msgspec.Struct, frozen=True):
    """The time of a topic has come: it expires, or its state ends."""

    topic: str


Command = SetNamespace | RequestTopic | ChangeTopic | DeleteTopic | RestoreTopic | PassTopic
