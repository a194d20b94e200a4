"""A batch as it travels to the function `commit_runs`: its line, its other parts as JSON, its bytes."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from zlib import crc32

import msgspec

from aob.ports.store import Batch, Entry, Head, Segment

T = TypeVar("T")
WRITTEN: Final = -1
NO_ROW: Final = -2
NO_SHARD: Final = -3
"""What the function answers of a batch; the epoch that is held if it is another."""
REMOVES: Final = 0
(HEADS, SEGMENTS, POINTERS, TIMERS, TIMERS_DONE, TICKETS, TICKETS_DONE, VALUES, OUTBOX, DELIVERED, SENT, RECEIVED,
 EXTENTS, REMOVALS, MOVED, REWRITTEN, LEFTOVERS, SETTLED, DROPPED, UNLESS_AFTER) = range(2, 22)  # fmt: skip
RECORDS, RECORD_KEYS, RECORD_ENDS, MARKS, TRIMS = range(22, 27)
"""Places of the parts. A bit of `kinds` says that a part is there; `REMOVES` is that of all from `REMOVALS` on,
`OUTBOX` that of all messages and marks, and `RECORDS` that of all of topics."""


class Told(NamedTuple):
    """A batch as it travels. `line` lacks where its bytes will be. `parts` has all of `HEADS` to `UNLESS_AFTER`, if
    there are any, and those of topics after them; `entries` are the rows beside events, which travel by themselves."""

    shard: int
    line: str
    kinds: int
    parts: Sequence[Any]
    bytes: Sequence[bytes]
    size: int
    entries: Sequence[Any] = ()


class _Bytes:
    """What the JSON refers to by offset and length."""

    def __init__(self, *first: bytes) -> None:
        self.held, self.size = list(first), sum(map(len, first))

    def put(self, data: bytes) -> tuple[int, int]:
        """Where these bytes are."""
        self.held.append(data)
        self.size += len(data)
        return self.size - len(data), len(data)


def row_crc(row: int, epoch: int, at_ms: int, count: int, counts: bytes) -> int:
    """The checksum of what stands beside the data of a row."""
    return crc32(b"%d,%d,%d,%d,%b" % (row, epoch, at_ms, count, counts))


def tell(shard: int, batch: Batch) -> Told:
    """Of rows with the same key the last one counts, as if they were written one after the other."""
    held = _Bytes(batch.data, batch.counts)
    crc = row_crc(batch.row, batch.epoch, batch.at_ms, batch.count, batch.counts)
    line = (
        f"{shard},{batch.epoch},{batch.row},{batch.at_ms},{batch.count},{batch.cut},{batch.tickets_whole:d},{crc},%d,"
        f"{len(batch.data)},{len(batch.counts)}"
    )
    parts: dict[int, Sequence[Any]] = {}
    if batch.heads:
        parts[HEADS] = _heads(batch.heads)
    if batch.segments:
        parts |= _segments(batch.segments, held)
    if batch.timers:
        parts[TIMERS] = _last(batch.timers, [(timer.stream, timer.id) for timer in batch.timers])
    if batch.tickets:
        parts[TICKETS] = _last(batch.tickets, [(ticket.stream, ticket.id) for ticket in batch.tickets])
    if batch.timers_done:
        parts[TIMERS_DONE] = batch.timers_done
    if batch.tickets_done:
        parts[TICKETS_DONE] = batch.tickets_done
    if batch.values:
        parts[VALUES] = [(value.tenant, value.digest, *held.put(value.data)) for value in batch.values]
    if batch.extents:
        parts[EXTENTS] = _last(batch.extents, [(each.partition, each.epoch) for each in batch.extents])
    kinds = sum(1 << place for place in parts)
    if batch.outbox or batch.delivered or batch.sent or batch.received:
        parts |= _messages(batch)
        kinds |= 1 << OUTBOX
    if batch.removals or batch.moved or batch.rewritten or batch.leftovers or batch.settled or batch.dropped:
        parts |= _removed(batch, held)
        kinds |= 1 << REMOVES
    topics = _topics(batch, held)
    kinds |= bool(topics) << RECORDS
    every = [parts.get(place, ()) for place in range(HEADS, UNLESS_AFTER)] if kinds else []
    beside = [_entry(entry, held) for entry in batch.entries]
    return Told(
        shard, line, kinds, [*every, batch.unless_after, *topics] if kinds else (), held.held, held.size, beside
    )


def _entry(entry: Entry, held: _Bytes) -> tuple[Any, ...]:
    """A row beside events, or the removal of some, which has a length of -1."""
    if entry.data is None:
        return entry.stream, entry.key, 0, -1, entry.before
    return entry.stream, entry.key, *held.put(entry.data), b""


def _last(rows: Sequence[T], keys: Iterable[Hashable]) -> Sequence[T]:
    """The rows, of several with the same key the last."""
    kept = dict(zip(keys, rows, strict=True))
    return rows if len(kept) == len(rows) else list(kept.values())


def _heads(heads: Sequence[Head]) -> Sequence[Head]:
    """The heads; one that is there twice keeps how it began."""
    kept: dict[str, Head] = {}
    for head in heads:
        if (first := kept.get(head.stream)) is not None:
            head = msgspec.structs.replace(head, tenant=first.tenant, name=first.name, started_ms=first.started_ms)
        kept[head.stream] = head
    return list(kept.values())


def _segments(segments: Sequence[Segment], held: _Bytes) -> dict[int, Sequence[Any]]:
    copies = [each for each in segments if not each.pointers]
    pointers = [each for each in segments if each.pointers]
    found: dict[int, Sequence[Any]] = {}
    if copies:
        kept = _last(copies, [(each.stream, each.first_seq) for each in copies])
        found[SEGMENTS] = [(s.stream, s.first_seq, s.count, s.row, s.crc, *held.put(s.data)) for s in kept]
    if pointers:
        kept = _last(pointers, [each.stream for each in pointers])
        found[POINTERS] = [(each.stream, each.count, each.row, each.crc, each.pointers) for each in kept]
    return found


def _messages(batch: Batch) -> dict[int, Sequence[Any]]:
    rows = _last(batch.outbox, [(each.sender, each.receiver, each.place) for each in batch.outbox])
    return {
        OUTBOX: [
            (m.sender, m.receiver, m.generation, m.number, m.source, m.target, m.body, m.refused,
             msgspec.msgpack.encode(m.values)) for m in rows
        ],
        DELIVERED: batch.delivered,
        SENT: _last(batch.sent, [(mark.sender, mark.receiver) for mark in batch.sent]),
        RECEIVED: _last(batch.received, [(mark.sender, mark.receiver) for mark in batch.received]),
    }  # fmt: skip


def _topics(batch: Batch, held: _Bytes) -> Sequence[Sequence[Any]]:
    """The parts from `RECORDS` on; none if there is nothing in any."""
    if not (batch.records or batch.record_keys or batch.record_ends or batch.marks or batch.trims):
        return ()
    return (
        [(r.tenant, r.topic, r.partition, r.first, r.count, r.at_ms, r.crc, *held.put(r.data)) for r in batch.records],
        batch.record_keys,
        _last(batch.record_ends, [(each.tenant, each.topic, each.partition) for each in batch.record_ends]),
        _last(
            [(m.tenant, m.group, m.topic, m.partition, m.low, m.rest, m.at_ms) for m in batch.marks],
            [(m.tenant, m.group, m.topic, m.partition) for m in batch.marks],
        ),
        [(t.tenant, t.topic, t.partition, t.firsts, t.keys, [(r.first, r.crc, *held.put(r.data)) for r in t.kept],
          t.marks) for t in batch.trims],
    )  # fmt: skip


def _removed(batch: Batch, held: _Bytes) -> dict[int, Sequence[Any]]:
    rows = _last(batch.rewritten, [row for row, _ in batch.rewritten])
    return {
        REMOVALS: _last(batch.removals, [each.stream for each in batch.removals]),
        MOVED: batch.moved,
        REWRITTEN: [(row, *held.put(data)) for row, data in rows],
        LEFTOVERS: _last(batch.leftovers, [(each.kind, each.tenant, each.name) for each in batch.leftovers]),
        SETTLED: [(each.kind, each.tenant, each.name) for each in batch.settled],
        DROPPED: batch.dropped,
    }
