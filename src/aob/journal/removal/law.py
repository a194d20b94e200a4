"""The law of removals: streams `removal/ID`, each one record of what was removed, by whom, when and why. The record and
the removal are one commit, so that a crash leaves both or neither. Removed streams leave a line in the store, and gaps
in the journal rows so that the other events keep their places."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from aob.core.errors import NotFound
from aob.journal.law.law import Beside, RecordLaw, Verdict
from aob.journal.law.stream import Stream
from aob.ports.store import Batch, Head, Leftover, Removal

PREFIX: Final = "removal/"


class StreamsRemoved(msgspec.Struct, array_like=True, tag=1):
    """Streams that had ended before an instant are removed: their names, number of events and bytes, when the first and
    the last of them ended, and the request (`name` and `status` filter as in lists)."""

    tenant: str
    by: str
    key: str
    at_ms: int
    before_ms: int
    reason: str
    name: str
    status: str
    streams: list[str]
    events: int
    bytes: int
    first_ms: int
    last_ms: int


class ValuesRemoved(msgspec.Struct, array_like=True, tag=2):
    """Unreferenced values are removed: their hashes and total bytes. The record refers to nothing: it encodes hashes
    differently from references."""

    tenant: str
    at_ms: int
    hashes: list[bytes]
    bytes: int


Removed: TypeAlias = StreamsRemoved | ValuesRemoved


class Removals(Beside):
    """What a prepared removal writes into the store: see `aob.ports.store.Batch`."""

    rewritten: Sequence[tuple[int, bytes]] = ()
    leftovers: Sequence[Leftover] = ()
    settled: Sequence[Leftover] = ()
    dropped: Sequence[tuple[str, bytes]] = ()
    unless_after: int = 0
    streams: Sequence[Removal] = ()

    def fill(self, batch: Batch) -> None:
        batch.removals = [*batch.removals, *self.streams]
        batch.rewritten = [*batch.rewritten, *self.rewritten]
        batch.leftovers = [*batch.leftovers, *self.leftovers]
        batch.settled = [*batch.settled, *self.settled]
        batch.dropped = [*batch.dropped, *self.dropped]
        batch.unless_after = self.unless_after if self.dropped else batch.unless_after

    def gone(self) -> set[str]:
        return {removal.stream for removal in self.streams}


class Remove(msgspec.Struct, eq=False):
    """Write the record and remove. The caller ensures that the content can no longer change, and runs one removal at a
    time."""

    record: Removed
    prepared: Removals


class Settle(msgspec.Struct, eq=False):
    """Marks leftovers as done; nothing is removed or recorded."""

    prepared: Removals


class RemovalLaw(RecordLaw):
    """The law of removals."""

    kind = "removal"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[Removed])

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """Returns the record; a repeated command changes nothing."""
        if isinstance(command, Settle):
            return Verdict([], {}, command.prepared)
        if not isinstance(command, Remove):
            raise NotFound("this removes nothing")
        if stream.state is not None:
            return Verdict([], {})
        record: Removed = command.record
        record.at_ms = now_ms
        stream.tenant = record.tenant
        if isinstance(record, StreamsRemoved):
            command.prepared.streams = [
                Removal(name, stream.name, record.tenant, record.by, now_ms, record.before_ms)
                for name in record.streams
            ]
        return Verdict([record], {}, command.prepared)

    def head(self, stream: Stream) -> Head:
        record: Removed = stream.state
        runs = isinstance(record, StreamsRemoved)
        reason = record.reason if isinstance(record, StreamsRemoved) else ""
        return Head(
            stream.name, "removal", record.tenant, "runs" if runs else "values", "COMPLETED", reason, record.at_ms,
            record.at_ms, stream.seq,
        )  # fmt: skip

    async def restore(self, stream: Stream) -> None:
        stream.tenant = stream.state.tenant if stream.state is not None else stream.tenant
