"""The law of agents' keys as the journal calls it: what core decides becomes events, records of topics, marks of the
agent's group, messages to other keys and durable timers, all of one commit."""

import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.agent import Decision, Effects, Key, Rules, decide, decode_key, encode_key, fold, keys, react
from aob.core.agent.record import Input, Output, Reply, decode_events, encode_events
from aob.core.agent.record import commands as cmd
from aob.core.agent.record import events as ev
from aob.core.agent_name import AGENT, agent_stream, tenant_of
from aob.core.asked import Answered
from aob.core.decision import Maker
from aob.core.errors import AobError, NotFound
from aob.core.event import PARTITIONS, Message, partition_of
from aob.core.value import digest_of
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes, Made, Passed
from aob.journal.messages import Outgoing
from aob.ports.log import Record
from aob.ports.store import Head, TicketRow, TimerRow
from aob.work.agent import recorded

_REPORTS: Final = (cmd.End, cmd.Fail, cmd.Lost, cmd.Suspend)
_NONE: Final[Mapping[str, int]] = MappingProxyType({})
RESTING: Final = frozenset({"IDLE", "WAITING", "BACKOFF", "HELD"})


class Appended(msgspec.Struct, tag="append"):
    """A record for a topic in a partition of another shard. Its target is the stream of no agent on its key."""

    topic: str
    record: Record
    repeated: bool


_encode: Final = msgspec.json.Encoder().encode
_messages: Final = msgspec.json.Decoder(Appended | Answered)


def fold_version() -> str:
    """A word that differs whenever a page of a key might be read in another way: a hash of what is read."""
    found = hashlib.sha256()
    core = files("aob.core")
    folders = (core.joinpath("agent"), core.joinpath("agent", "record"))
    within = [file for folder in folders for file in sorted(folder.iterdir(), key=lambda file: file.name)]
    for file in (*within, core.joinpath("intents", "intents.py")):
        if file.name.endswith(".py"):
            found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


class AgentLaw(Law):
    """Streams `agent/TENANT/AGENT/KEY`. `rules_of` are the rules of an agent of a tenant."""

    kind = "agent"
    prefix = AGENT
    spread = True
    fold_version = fold_version()

    def __init__(self, rules_of: Callable[[str, str], Rules]) -> None:
        self.rules_of = rules_of
        self.generation: Callable[[str, str, str, int], int] = lambda tenant, group, topic, partition: 0
        """The generation in which a group reads a partition of a topic, as far as it is in memory (0: it is not; what
        marks a record then waits until it is)."""
        self.dropped: Callable[[str, Input], None] = lambda name, given: None
        """Called for each report about a record that does not count: outdated, or of a group set back since."""
        self.partitions_of: Callable[[], int] = lambda: PARTITIONS
        self.here: Callable[[int], bool] = lambda partition: True
        """Whether the shard of this law holds a partition."""

    def fresh(self, name: str) -> Key:
        return Key(name)

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        tenant = stream.tenant = tenant_of(stream.name)
        key: Key = stream.state
        agent = key.agent
        given: Input | None = getattr(command, "input", None)
        reads = _NONE if given is None or given.behind else self._reads(tenant, agent, given.source)
        try:
            decision = decide(key, command, self.rules_of(tenant, agent), now_ms, reads)
        except AobError:
            if isinstance(command, cmd.Suspend):
                self.dropped(stream.name, command.input)
            raise
        if not decision.events and isinstance(command, _REPORTS):
            self.dropped(stream.name, command.input)
        verdict = self._verdict(tenant, key, decision)
        if type(command) is cmd.Settle and verdict.events:
            if command.beside is not None:
                verdict.values = {digest_of(command.beside): command.beside}
            verdict.records = [*verdict.records, *self._decided_by_model(tenant, key, command)]
        return verdict

    def _reads(self, tenant: str, agent: str, source: str) -> Mapping[str, int]:
        topic, _, partition = source.rpartition("/")
        return {source: self.generation(tenant, agent, topic, int(partition))} if topic else _NONE

    def _decided_by_model(self, tenant: str, key: Key, command: cmd.Settle) -> list[Made]:
        """The record of a call of a model, in the commit of its result."""
        given = command.input
        maker = Maker(
            key.name, key.subject, given.visit, command.attempt, command.number,
            {"agent": key.agent, "key": key.subject, "version": command.version},
            given.correlation or given.id, given.id, given.depth,
        )  # fmt: skip
        return [Made(*each) for each in recorded(maker, command, tenant, self.partitions_of())]

    def _verdict(self, tenant: str, key: Key, decision: Decision) -> Verdict:
        verdict = Verdict(list(decision.events), {})
        if decision.marks:
            placed = ((mark, mark.source.rpartition("/")) for mark in decision.marks)
            verdict.passed = [
                Passed(key.agent, topic, int(number), mark.offset, mark.generation)
                for mark, (topic, _, number) in placed
            ]
        if decision.outputs:
            again = any(mark.generation > 1 for mark in decision.marks) or not decision.marks
            self._produce(verdict, tenant, key, decision.outputs, again)
        if decision.replies:
            verdict.messages = [*verdict.messages, *map(_reply, decision.replies)]
        return verdict

    def _produce(self, verdict: Verdict, tenant: str, key: Key, outputs: list[Output], again: bool) -> None:
        """Records for the partitions of this shard; messages to the owners of the others. A record that was made for
        the first time is new; one that is made `again` may be there."""
        here, beyond = list[Made](), list[Outgoing]()
        for output in outputs:
            record = record_of(tenant, key, output)
            subject = output.subject or output.id
            partition = partition_of(subject, self.partitions_of())
            if self.here(partition):
                here.append(Made(output.topic, partition, record, again))
            else:
                told = Appended(output.topic, record, again)
                beyond.append(Outgoing(agent_stream(tenant, "", subject), _encode(told)))
        verdict.records, verdict.messages = here, beyond

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        """A record of another shard, or the reply to an ask."""
        stream.tenant = tenant_of(stream.name)
        if message.refused:
            return Verdict([], {})  # nobody reads a reply any more
        told = _messages.decode(message.body)
        if isinstance(told, Appended):
            subject = told.record.subject or told.record.id
            made = Made(told.topic, partition_of(subject, self.partitions_of()), told.record, told.repeated)
            return Verdict([], {}, records=[made])
        if not stream.seq:
            raise NotFound(f"nobody has asked at {stream.name}")
        return self.decide(stream, cmd.Replied(told.ask, told.data, told.failed), now_ms)

    def fold(self, stream: Stream, events: list[Any]) -> None:
        fold(stream.state, events)

    def page(self, stream: Stream) -> bytes | None:
        return encode_key(stream.state)

    def unpage(self, data: bytes) -> Key:
        return decode_key(data)

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        key: Key = stream.state
        effects: Effects = react(key, events)
        timers = [TimerRow(stream.name, id, due) for id, due in effects.timers.items()] or None
        done = [(stream.name, id) for id in effects.timers_done] or None
        changes = Changes(effects, key.status, timers, done)
        if effects.tickets or effects.tickets_done:
            told = dict.fromkeys(effects.tickets)
            changes.tickets = [_row(stream, key.tickets[id]) for id in told if id in key.tickets]
            changes.tickets_done = [(stream.name, id) for id in effects.tickets_done]
        return changes

    def tickets(self, stream: Stream) -> list[TicketRow]:
        """The open tickets of a key."""
        return [_row(stream, ticket) for ticket in stream.state.tickets.values()]

    def fire(self, timer: str) -> cmd.Ring:
        return cmd.Ring(timer)

    def head(self, stream: Stream) -> Head:
        key: Key = stream.state
        reason = next((hold.text for hold in key.holds.values()), "")[:200]
        return Head(stream.name, self.kind, stream.tenant, key.agent, key.status, reason, 0, 0, stream.seq)

    def rests(self, stream: Stream) -> bool:
        key: Key = stream.state
        return key.open is None or key.open.state != keys.READY or keys.FAULT in key.holds

    def rests_as(self, head: Head) -> bool:
        return head.status in RESTING

    def quarantine(self, stream: Stream, reason: str) -> list[Any]:
        key: Key = stream.state
        return [] if keys.FAULT in key.holds else [ev.Held(keys.FAULT, reason[:1_000], 0)]

    def encode(self, events: list[Any]) -> bytes:
        return encode_events(events)

    def decode(self, data: bytes | Raw) -> list[Any]:
        return list(decode_events(data))

    async def restore(self, stream: Stream) -> None:
        stream.tenant = tenant_of(stream.name)


def _row(stream: Stream, ticket: keys.Ticket) -> TicketRow:
    roles = "\n".join(ticket.needed)
    return TicketRow(stream.name, ticket.id, tenant_of(stream.name), ticket.question.due_ms, roles)


def _reply(reply: Reply) -> Outgoing:
    return Outgoing(reply.stream, _encode(Answered(reply.ask, reply.data, reply.failed)))


def record_of(tenant: str, key: Key, output: Output) -> Record:
    """An output as a record of a topic; whom its reply goes to are extensions of the event."""
    more = {name: text for name, text in (
        ("traceparent", output.trace), ("asker", output.asker), ("ask", output.ask)
    ) if text}  # fmt: skip
    return Record(
        output.id, f"{key.agent}@{key.version or 1}", output.type, tenant, output.subject, Raw(bytes(output.data)), "",
        output.correlation, output.causation, output.depth, more,
    )  # fmt: skip
