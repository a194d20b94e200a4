"""What may be asked of an organisation. `by` is the name of who asks, `key` the id of their key."""

import msgspec

from aob.core.organisation.parts import Definition, TopicSpec


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
    """Declare a topic with as many partitions as the home has. `agent` asks for it while it handles a record (empty: it
    is not asked by an agent): it becomes its own."""

    topic: str
    spec: TopicSpec
    partitions: int
    agent: str = ""


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
    force: bool = False  # also one that agents consume or produce into


class RestoreTopic(_Asked, frozen=True):
    """Keep a topic that is on its way out."""

    topic: str


class PassTopic(msgspec.Struct, frozen=True):
    """The time of a topic has come: it expires, or its state ends."""

    topic: str


class NoteTopicPurged(msgspec.Struct, frozen=True):
    """The records of a deleted topic are gone."""

    topic: str
    records: int
    bytes: int


class RegisterAgent(_Asked, frozen=True):
    """Give an agent a version. `types` are those of what it consumes that contracts know as types of event."""

    agent: str
    owner: str
    definition: Definition
    types: tuple[str, ...] = ()


class DeployAgent(_Asked, frozen=True):
    """Let a version (0: the newest) have so many of 10,000 slots, or the keys from `first` on and before `end`."""

    agent: str
    version: int
    slots: int | None = None
    first: str = ""
    end: str = ""
    reason: str = ""


class RollBackAgent(_Asked, frozen=True):
    """Restore the deployment before the one that counts."""

    agent: str
    reason: str = ""


class PauseAgent(_Asked, frozen=True):
    """Let an agent begin nothing."""

    agent: str
    reason: str = ""


class ResumeAgent(_Asked, frozen=True):
    """Let a paused agent go on."""

    agent: str


class ScaleAgent(_Asked, frozen=True):
    """Let an agent have so many instances."""

    agent: str
    instances: int


class RetireAgent(_Asked, frozen=True):
    """Let an agent work no more; its topics that expire drain."""

    agent: str
    reason: str = ""


AgentCommand = RegisterAgent | DeployAgent | RollBackAgent | PauseAgent | ResumeAgent | ScaleAgent | RetireAgent
TopicCommand = RequestTopic | ChangeTopic | DeleteTopic | RestoreTopic | PassTopic | NoteTopicPurged
Command = SetNamespace | TopicCommand | AgentCommand
