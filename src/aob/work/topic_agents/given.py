"""A record as an agent sees it, and how one goes to an agent of another process and its end comes back."""

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.value import decode
from aob.ports.log import Record
from aob.ports.workers import OF_AGENT
from aob.work.topic_agents.collecting import Collecting
from aob.work.topic_agents.marking import Agent


class Received(msgspec.Struct, frozen=True):
    """A record as an agent sees it. `data` is a value of its own: it may be changed."""

    topic: str
    offset: int
    id: str
    type: str
    subject: str
    source: str
    time: str
    data: JsonValue
    correlationid: str = ""
    causationid: str = ""
    depth: int = 1


def received(topic: str, offset: int, record: Record) -> Received:
    """A record of a topic for an agent."""
    return Received(
        topic, offset, record.id, record.type, record.subject, record.source, record.time, decode(record.data),
        record.correlationid, record.causationid, record.depth,
    )  # fmt: skip


class Given(msgspec.Struct, frozen=True):
    """What an agent of another process is given: the record, the state and subject of its key, the time of the home in
    ms, whether the budget of the day is spent, and the last checkpoint of the record that this one has interrupted."""

    record: Received
    key: str
    state: JsonValue
    now_ms: int
    degraded: bool = False
    left: JsonValue = None


class Sent(msgspec.Struct, frozen=True):
    """A record that it sends."""

    topic: str
    type: str
    subject: str
    data: JsonValue


class Told(msgspec.Struct, frozen=True):
    """What it tells itself, at an instant; with `forget` it takes that back."""

    due_ms: int
    name: str
    data: JsonValue
    forget: bool = False


class Handled(msgspec.Struct, frozen=True):
    """What it tells at the end of a record. `state` counts if it has `changed`, `reply` if it has `replied`."""

    outputs: tuple[Sent, ...] = ()
    later: tuple[Told, ...] = ()
    changed: bool = False
    state: JsonValue = None
    replied: bool = False
    reply: JsonValue = None


def offered_as(agent: Agent) -> str:
    """The name under which a worker offers an agent: a worker with other code does not serve it."""
    return f"{OF_AGENT}{agent.name}@{agent.code}"


def handled(context: Collecting) -> JsonObject:
    """The end of a record as plain JSON."""
    outputs = tuple(Sent(each.topic, each.type, each.subject, decode(each.data)) for each in context.outputs)
    state, reply = context.state_data(), context.replied
    later = tuple(
        Told(each.due_ms, each.name, None if each.data is None else decode(each.data), each.data is None)
        for each in context.later_ones
    )
    made: JsonObject = msgspec.to_builtins(Handled(
        outputs, later, state is not None, None if state is None else decode(state), reply is not None,
        None if reply is None else decode(reply),
    ))  # fmt: skip
    return made
