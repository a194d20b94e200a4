"""Port `Store` in memory: the reference. As strict as a real one, and never imports one."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from aob.backends.memory.topics import MemoryTopicRows
from aob.core.errors import Conflict
from aob.core.event import Message, MessageMark
from aob.ports.store import (
    MOVED,
    Batch,
    EndedQuery,
    Entry,
    Head,
    HeadQuery,
    Holding,
    JournalRow,
    Leftover,
    Removal,
    Segment,
    StaleEpoch,
    TicketRow,
    TimerRow,
    whole_holding,
)


def _drop(rows: dict[tuple[str, str], Any], done: Sequence[tuple[str, str]]) -> None:
    """Removes rows by stream and id; an empty id stands for all of the stream."""
    for stream, id in done:
        for key in [(stream, id)] if id else [key for key in rows if key[0] == stream]:
            rows.pop(key, None)


def _by_due(timer: TimerRow) -> tuple[int, str, str]:
    return timer.due_ms, timer.stream, timer.id


class MemoryStore(MemoryTopicRows):
    """One shard. Several owners may share the object, like several processes a database."""

    def __init__(self, first: Holding | None = None) -> None:
        super().__init__()
        self._holding = first or whole_holding()
        self._epoch = 0
        self._cut = 0
        self._at_ms = 0
        self._journal: list[JournalRow] = []
        self._heads: dict[str, Head] = {}
        self._segments: dict[str, dict[int, Segment]] = {}
        self._pointers: dict[str, Segment] = {}
        self._timers: dict[tuple[str, str], TimerRow] = {}
        self._tickets: dict[tuple[str, str], TicketRow] = {}
        self._tickets_whole = True
        self._values: dict[tuple[str, bytes], bytes] = {}
        self._removed: dict[str, Removal] = {}
        self._leftovers: dict[tuple[str, str, bytes], Leftover] = {}
        self._outbox: dict[tuple[int, int, int, int], Message] = {}
        self._sent: dict[tuple[int, int], MessageMark] = {}
        self._received: dict[tuple[int, int], MessageMark] = {}
        self._entries: dict[str, dict[bytes, bytes]] = {}

    async def take(self) -> int:
        self._epoch += 1
        return self._epoch

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        await asyncio.sleep(0)
        if batch.epoch != self._epoch:
            return StaleEpoch(self._epoch)
        if batch.count:
            last = self._journal[-1].row if self._journal else 0
            if batch.row != last + 1:
                raise Conflict(f"row {batch.row} cannot follow row {last}", code="row_exists")
            self._journal.append(JournalRow(batch.row, batch.epoch, batch.at_ms, batch.count, batch.data))
        self._remove(batch)
        for head in batch.heads:
            kept = self._heads.get(head.stream)
            self._heads[head.stream] = (
                msgspec.structs.replace(kept, kind=head.kind, status=head.status, reason=head.reason,
                                        ended_ms=head.ended_ms, seq=head.seq, info=head.info)
                if kept else head
            )  # fmt: skip
        for segment in batch.segments:
            if segment.pointers:
                self._pointers[segment.stream] = segment
            else:
                self._segments.setdefault(segment.stream, {})[segment.first_seq] = segment
        for timer in batch.timers:
            self._timers[(timer.stream, timer.id)] = timer
        _drop(self._timers, batch.timers_done)
        for ticket in batch.tickets:
            self._tickets[(ticket.stream, ticket.id)] = ticket
        _drop(self._tickets, batch.tickets_done)
        self._tickets_whole = self._tickets_whole or batch.tickets_whole
        for value in batch.values:
            self._values.setdefault((value.tenant, value.digest), value.data)
        if batch.extents:
            held = {(each.partition, each.epoch): each for each in (*self._holding.extents, *batch.extents)}
            self._holding = msgspec.structs.replace(self._holding, extents=tuple(held[at] for at in sorted(held)))
        for entry in batch.entries:
            self._enter(entry)
        self._exchange(batch)
        self.put_topics(batch)
        self._at_ms = max(self._at_ms, batch.at_ms)
        self._cut = batch.cut or self._cut
        return batch.row

    def _enter(self, entry: Entry) -> None:
        kept = self._entries.setdefault(entry.stream, {})
        if entry.data is not None:
            kept[entry.key] = entry.data
        else:
            for key in [key for key in kept if entry.key <= key and (not entry.before or key < entry.before)]:
                del kept[key]
        if not kept:
            del self._entries[entry.stream]

    def _exchange(self, batch: Batch) -> None:
        for at in batch.delivered:
            gone = [key for key in self._outbox if key[:2] == (at.sender, at.receiver) and key[2:] <= at.place]
            for key in gone:
                del self._outbox[key]
        for message in batch.outbox:
            self._outbox[(message.sender, message.receiver, *message.place)] = message
        self._sent |= {(mark.sender, mark.receiver): mark for mark in batch.sent}
        self._received |= {(mark.sender, mark.receiver): mark for mark in batch.received}

    def _remove(self, batch: Batch) -> None:
        for removal in batch.removals:
            self._heads.pop(removal.stream, None)
        for stream in batch.moved:
            self._heads[stream] = msgspec.structs.replace(self._heads[stream], kind=MOVED)
        for stream in (*(removal.stream for removal in batch.removals), *batch.moved):
            self._segments.pop(stream, None)
            self._pointers.pop(stream, None)
            _drop(self._timers, [(stream, "")])
            _drop(self._tickets, [(stream, "")])
        self._removed |= {removal.stream: removal for removal in batch.removals}
        for row, data in batch.rewritten:
            self._journal[row - 1] = msgspec.structs.replace(self._journal[row - 1], data=data)
        for leftover in batch.leftovers:
            self._leftovers[(leftover.kind, leftover.tenant, leftover.name)] = leftover
        for leftover in batch.settled:
            self._leftovers.pop((leftover.kind, leftover.tenant, leftover.name), None)
        if not batch.dropped:
            return
        said = [batch.data, *(row.data for row in self._journal if row.row > batch.unless_after)]
        for tenant, digest in batch.dropped:
            if not any(digest.hex().encode() in data for data in said):
                self._values.pop((tenant, digest), None)

    async def last(self) -> tuple[int, int, int]:
        return (self._journal[-1].row if self._journal else 0), self._at_ms, self._cut

    async def journal(self, after: int, limit: int = 1_000) -> list[JournalRow]:
        return [row for row in self._journal if row.row > after][:limit]

    def durable(self, after: int) -> list[JournalRow]:
        """Rows after a row, without waiting: for checkers."""
        return self._journal[after:] if after else list(self._journal)

    def ticket_rows(self) -> dict[tuple[str, str], TicketRow]:
        """Every open ticket, without waiting."""
        return dict(self._tickets)

    def timer_rows(self) -> dict[tuple[str, str], int]:
        """Every timer and its due time, without waiting."""
        return {key: timer.due_ms for key, timer in self._timers.items()}

    async def head(self, stream: str) -> Head | None:
        return self._heads.get(stream)

    async def heads_of(self, streams: Sequence[str]) -> dict[str, Head]:
        return {stream: self._heads[stream] for stream in streams if stream in self._heads}

    async def heads(self, query: HeadQuery) -> list[Head]:
        found = [
            head for head in self._heads.values()
            if head.kind == query.kind
            and query.tenant in ("", head.tenant)
            and query.status in ("", head.status)
            and query.name in ("", head.name)
            and (query.before is None or (head.started_ms, head.stream) < query.before)
        ]  # fmt: skip
        return sorted(found, key=lambda head: (head.started_ms, head.stream), reverse=True)[: query.limit]

    async def live(self, kind: str, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[Head]:
        found = [head for head in self._heads.values() if head.kind == kind and not head.ended_ms]
        found = [head for head in found if (head.status, head.stream) > after]
        return sorted(found, key=lambda head: (head.status, head.stream))[:limit]

    async def live_count(self) -> int:
        return sum(not head.ended_ms for head in self._heads.values())

    async def ended(self, query: EndedQuery) -> list[Head]:
        found = [
            head for head in self._heads.values()
            if (head.kind, head.tenant) == (query.kind, query.tenant)
            and 0 < head.ended_ms < query.before_ms
            and head.started_ms < query.before_ms
            and query.status in ("", head.status)
            and query.name in ("", head.name)
            and (query.after is None or (head.started_ms, head.stream) > query.after)
        ]  # fmt: skip
        return sorted(found, key=lambda head: (head.started_ms, head.stream))[: query.limit]

    async def removed(self, stream: str) -> Removal | None:
        return self._removed.get(stream)

    async def removes(self) -> bool:
        return bool(self._removed)

    async def leftovers(self, before_ms: int, limit: int = 1_000, since_ms: int = 0) -> list[Leftover]:
        found = [leftover for leftover in self._leftovers.values() if since_ms <= leftover.at_ms < before_ms]
        return sorted(found, key=lambda each: (each.at_ms, each.kind, each.tenant, each.name))[:limit]

    async def all_segments(self, after: tuple[str, int], limit: int) -> list[Segment]:
        every = [segment for segments in self._segments.values() for segment in segments.values()]
        found = [segment for segment in every if (segment.stream, segment.first_seq) > after]
        return sorted(found, key=lambda each: (each.stream, each.first_seq))[:limit]

    async def segments(self, stream: str, after: int = 0, limit: int = 1_000_000) -> list[Segment]:
        copies = self._segments.get(stream, {})
        found = [segment for _, segment in sorted(copies.items())]
        whole = self._pointers.get(stream)
        if whole is not None and (0 not in copies or copies[0].count < whole.count):
            found = [self._pointed(whole), *(each for each in found if each.first_seq >= whole.count)]
        return [segment for segment in found if segment.first_seq + segment.count > after][:limit]

    def _pointed(self, segment: Segment) -> Segment:
        rows = {row.row: row for row in self._journal}
        pieces: list[tuple[int, bytes]] = []
        for at in segment.pointers:
            row = rows.get(at.row)
            pieces.append((row.at_ms, row.data[at.offset : at.offset + at.length]) if row else (0, b""))
        return msgspec.structs.replace(segment, pieces=pieces)

    async def timers(self, until_ms: int, limit: int = 1_000, after: TimerRow | None = None) -> list[TimerRow]:
        due = [timer for timer in self._timers.values() if timer.due_ms <= until_ms]
        due = [timer for timer in due if after is None or _by_due(timer) > _by_due(after)]
        return sorted(due, key=_by_due)[:limit]

    async def tickets(self, after: tuple[str, str] = ("", ""), limit: int = 1_000) -> list[TicketRow]:
        return [ticket for key, ticket in sorted(self._tickets.items()) if key > after][:limit]

    async def holder(self, id: str) -> str:
        """Always empty: no record is of an earlier release."""
        return ""

    async def tickets_whole(self) -> bool:
        return self._tickets_whole

    async def holding(self) -> Holding:
        return self._holding

    async def outbox(self, after: tuple[int, int, int, int] | None = None, limit: int = 1_000) -> list[Message]:
        return [row for key, row in sorted(self._outbox.items()) if after is None or key > after][:limit]

    async def message_marks(self) -> tuple[list[MessageMark], list[MessageMark]]:
        sent, received = ([mark for _, mark in sorted(kept.items())] for kept in (self._sent, self._received))
        return sent, received

    async def value(self, tenant: str, digest: bytes) -> bytes | None:
        return self._values.get((tenant, digest))

    async def entries(
        self, stream: str, first: bytes = b"", before: bytes = b"", *, limit: int = 1_000, newest: bool = False
    ) -> list[tuple[bytes, bytes]]:
        kept = self._entries.get(stream, {})
        keys = sorted((key for key in kept if first <= key and (not before or key < before)), reverse=newest)
        return [(key, kept[key]) for key in keys[:limit]]

    async def entries_at(self, stream: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        kept = self._entries.get(stream, {})
        return {key: kept[key] for key in keys if key in kept}

    async def entry_streams(self, after: str = "", limit: int = 1_000) -> list[str]:
        return sorted(stream for stream in self._entries if stream > after)[:limit]

    async def close(self) -> None:
        """Nothing to close."""
