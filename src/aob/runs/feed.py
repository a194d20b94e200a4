"""What was committed, in order, for whoever follows: the newest commits from memory, older ones from the journal."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from aob.core.errors import CallerError
from aob.core.event import Position
from aob.journal import Committed, Journal

RING_EVENTS: Final = 8_000
ROWS_AT_ONCE: Final = 50
GENERATION: Final = 1


class Fact(msgspec.Struct, eq=False):
    """One committed event: where it lies, which stream and tenant it belongs to, and itself."""

    row: int
    index: int
    at_ms: int
    stream: str
    seq: int
    event: Any
    tenant: str = ""

    @property
    def position(self) -> str:
        """The token after this event: a reader that goes on from it misses nothing and sees nothing twice."""
        return Position(GENERATION, ((self.row, self.index),)).token()


class Feed:
    """Commits of one shard. `push` is called after each commit and costs an append."""

    def __init__(self) -> None:
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

    def place(self, token: str | None) -> tuple[int, int]:
        """The row and index that a position names; None is now. Raises CallerError for what is not ours."""
        if token is None:
            return self.journal.durable_row, 1 << 62
        position = Position.parse(token)
        if position.generation != GENERATION or len(position.rows) != 1:
            raise CallerError(
                "this position belongs to another generation of the feed", code="position_expired", status=410,
                hint="begin again without a position, or at the start of the run",
            )  # fmt: skip
        return position.rows[0]

    async def follow(self, row: int, index: int, stream: str = "") -> AsyncIterator[list[Fact]]:
        """Facts after a place, a list for each commit; for ever. With `stream` only those of one stream."""
        while True:
            facts, row, index = await self._next(row, index, stream)
            if facts:
                yield facts
            elif row >= self.journal.durable_row:
                await self._moved(row)

    async def _next(self, row: int, index: int, stream: str) -> tuple[list[Fact], int, int]:
        ring = self._ring
        if (ring and ring[0].row <= row + (index >= 1 << 62)) or (ring and ring[0].row == row + 1):
            facts: list[Fact] = []
            for commit in ring:
                if commit.row < row or (commit.row == row and index >= 1 << 62):
                    continue
                facts.extend(self._of_commit(commit, row, index, stream))
                if len(facts) > 1_000:
                    return facts, commit.row, 1 << 62
            return facts, max(row, ring[-1].row), 1 << 62
        return await self._from_store(row, index, stream)

    @staticmethod
    def _of_commit(commit: Committed, row: int, index: int, stream: str) -> list[Fact]:
        facts = []
        for told in commit.told:
            if stream and told.stream.name != stream:
                continue
            for offset, event in enumerate(told.events):
                at = told.base + offset
                if commit.row > row or at > index:
                    stream_of = told.stream
                    facts.append(
                        Fact(commit.row, at, commit.at_ms, stream_of.name, told.seq + offset, event, stream_of.tenant)
                    )
        return facts

    async def _from_store(self, row: int, index: int, stream: str) -> tuple[list[Fact], int, int]:
        facts: list[Fact] = []
        after = row if index >= 1 << 62 else row - 1
        rows = await self.journal.store.journal(self.journal.shard, after, ROWS_AT_ONCE)
        for journal_row in rows:
            if journal_row.row > self.journal.durable_row:
                break
            at = 0
            for name, seq, raws in msgspec.json.decode(journal_row.data, type=list[tuple[str, int, msgspec.Raw]]):
                events = self.journal.law_of(name).decode(raws)
                if not stream or name == stream:
                    facts.extend(
                        Fact(journal_row.row, at + i, journal_row.at_ms, name, seq + i, event)
                        for i, event in enumerate(events)
                        if journal_row.row > row or at + i > index
                    )
                at += len(events)
        await self._name_tenants(facts)
        last = rows[-1].row if rows else max(row, self.journal.durable_row)
        return facts, last, 1 << 62

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
