"""What was committed, in order, for whoever follows: the newest commits from memory, older ones from the journal."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Set
from typing import Any, Final

import msgspec

from aob.core.errors import CallerError, Conflict
from aob.core.event import Position
from aob.journal import Committed, Journal, Law

RING_EVENTS: Final = 8_000
ROWS_AT_ONCE: Final = 50
GENERATION: Final = 1
"""The generation of positions of runs in the first life of a home."""
FACTS_AT_ONCE: Final = 1_000
WHOLE: Final = 1 << 62
"""The index of a place that has all of its row behind it."""


class Fact(msgspec.Struct, eq=False, gc=False):
    """One committed event: where it lies, which stream and tenant it belongs to, and itself."""

    row: int
    index: int
    at_ms: int
    stream: str
    seq: int
    event: Any
    tenant: str = ""
    generation: int = GENERATION

    @property
    def position(self) -> str:
        """The token after this event: a reader that goes on from it misses nothing and sees nothing twice."""
        return Position(self.generation, ((self.row, self.index),)).token()


class Unreadable(msgspec.Struct):
    """Stands in a feed for an event that this release cannot read."""

    reason: str


def events_of(law: Law, data: bytes | msgspec.Raw) -> list[Any]:
    """The events of one decision; one that cannot be read is `Unreadable`, and those around it are told."""
    try:
        return law.decode(data)
    except msgspec.MsgspecError:
        return [_event_of(law, raw) for raw in msgspec.json.decode(data, type=list[msgspec.Raw])]


def _event_of(law: Law, raw: msgspec.Raw) -> Any:
    try:
        (event,) = law.decode(b"[%b]" % raw)
        return event
    except msgspec.MsgspecError as error:
        return Unreadable(str(error)[:500])


def expired() -> Conflict:
    """A position that is not of this feed, or of this life of its home."""
    return Conflict(
        "this position belongs to another generation of the feed", code="position_expired",
        hint="a loss was accepted since, a copy put back, or it is of another feed: begin again without a position, or "
        "at the start of the run",
    )  # fmt: skip


class Feed:
    """Commits of one shard. `push` is called after each commit and costs an append."""

    def __init__(self, life: int = 1) -> None:
        self.life, self.generation = life, Position.generation_in(GENERATION, life)
        self._ring: deque[Committed] = deque()
        self._events = 0
        self._signal: asyncio.Future[None] | None = None
        self.journal: Journal

    def push(self, commit: Committed) -> None:
        """A commit is durable."""
        self._ring.append(commit)
        self._events += len(commit.told)
        while self._events > RING_EVENTS and len(self._ring) > 1:
            self._events -= len(self._ring.popleft().told)
        if self._signal is not None:
            signal, self._signal = self._signal, None
            if not signal.done():
                signal.set_result(None)

    def forget(self, names: Set[str]) -> None:
        """Streams were removed: their events are told to nobody any more."""
        for commit in self._ring:
            kept = [told for told in commit.told if told.stream.name not in names]
            self._events -= len(commit.told) - len(kept)
            commit.told = kept

    def place(self, token: str | None) -> tuple[int, int]:
        """The row and index that a position names; None is now. Raises CallerError or Conflict for what is not ours."""
        if token is None:
            return self.journal.durable_row, WHOLE
        position = Position.parse(token)
        if position.generation != self.generation or len(position.rows) != 1:
            raise expired()
        row, index = position.rows[0]
        if not (0 <= row < WHOLE and 0 <= index <= WHOLE):
            raise CallerError("this is no position of this feed", code="bad_position",
                              hint="use a position that an answer of this server gave you")  # fmt: skip
        return row, index

    async def follow(self, row: int, index: int, stream: str = "") -> AsyncIterator[list[Fact]]:
        """Facts after a place, a list for each commit; for ever. With `stream` only those of one stream."""
        while True:
            facts, row, index = await self.read(row, index, stream)
            if facts:
                yield facts
            elif row >= self.journal.durable_row:
                await self._moved(row)

    async def read(self, row: int, index: int, stream: str = "") -> tuple[list[Fact], int, int]:
        """Facts after a place as far as they are at hand, and the place after them; none at the end."""
        ring = self._ring
        first = row + (index >= WHOLE)  # the first row that holds something new
        if not ring or ring[0].row > first:
            return await self._from_store(row, index, stream)
        newer: list[Committed] = []
        for commit in reversed(ring):  # most readers are near the end
            if commit.row < first:
                break
            newer.append(commit)
        facts: list[Fact] = []
        while newer:
            commit = newer.pop()
            facts.extend(self._of_commit(commit, row, index, stream))
            row, index = max(row, commit.row), WHOLE
            if len(facts) > FACTS_AT_ONCE:
                break
        return facts, row, index

    def _of_commit(self, commit: Committed, row: int, index: int, stream: str) -> list[Fact]:
        facts: list[Fact] = []
        new, commit_row, at_ms, generation = commit.row > row, commit.row, commit.at_ms, self.generation
        if new and not stream:  # as below, for whoever keeps up and follows all
            for told in commit.told:
                of, at, seq = told.stream, told.base, told.seq
                for number, event in enumerate(told.events):
                    place = at + number
                    facts.append(Fact(commit_row, place, at_ms, of.name, seq + number, event, of.tenant, generation))
            return facts
        for told in commit.told:
            name, tenant, seq, at = told.stream.name, told.stream.tenant, told.seq, told.base
            if stream and name != stream:
                continue
            for event in told.events:
                if new or at > index:
                    facts.append(Fact(commit_row, at, at_ms, name, seq, event, tenant, generation))
                at, seq = at + 1, seq + 1
        return facts

    async def _from_store(self, row: int, index: int, stream: str) -> tuple[list[Fact], int, int]:
        facts: list[Fact] = []
        after = row if index >= WHOLE else row - 1
        told = self.journal.durable_row
        rows = await self.journal.store.journal(self.journal.shard, after, ROWS_AT_ONCE)
        for journal_row in rows:
            if journal_row.row > told:
                break  # written, and not yet told to anybody
            at = 0
            for name, seq, raws, sound in self.journal.readable(journal_row):
                if not name:  # a gap: what was here is removed, and what follows keeps its place
                    at += seq
                    continue
                events = events_of(self.journal.law_of(name), raws)
                if not sound:
                    events = [Unreadable("its checksum differs: see `aob doctor`")] * len(events)
                if not stream or name == stream:
                    facts.extend(
                        Fact(journal_row.row, at + i, journal_row.at_ms, name, seq + i, event, "", self.generation)
                        for i, event in enumerate(events)
                        if journal_row.row > row or at + i > index
                    )
                at += len(events)
            row, index = journal_row.row, WHOLE
        if not rows:
            row, index = max(row, told), WHOLE
        await self._name_tenants(facts)
        return facts, row, index

    async def _name_tenants(self, facts: list[Fact]) -> None:
        """A row does not say whose a stream is: its memory does, or its head, or its first event."""
        live = self.journal.streams
        absent = {fact.stream for fact in facts if fact.stream not in live}
        heads = await self.journal.store.heads_of(sorted(absent)) if absent else {}
        for fact in facts:
            if fact.stream in live:
                fact.tenant = live[fact.stream].tenant
            elif fact.stream in heads:
                fact.tenant = heads[fact.stream].tenant

    async def _moved(self, row: int) -> None:
        if self.journal.durable_row > row:
            return
        if self._signal is None:
            self._signal = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._signal)
