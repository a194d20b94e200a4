"""Committed events in order for subscribers: the newest from memory, older ones from the journal."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Set
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from aob.core.agent import Effects as AgentEffects
from aob.core.agent.record import events as agent_ev
from aob.core.event import WHOLE, Positions
from aob.core.run import Effects
from aob.core.run.record import events as ev
from aob.journal import Committed, Journal, Law, Stream, Told
from aob.journal.law import Changes

RING_EVENTS: Final = 8_000
RING_BYTES: Final = 32 * 1024 * 1024  # limits of the commits kept in memory: decisions, and bytes of their events
ROWS_AT_ONCE: Final = 50
FACTS_AT_ONCE: Final = 1_000
SHARED_FACTS: Final = 2_000  # facts of the newest commits that readers of all runs share
_UNCHANGED: Final = Changes()
NEWS_MAX: Final = 1_000  # facts of one stream queued for one reader
MILESTONES: Final = frozenset({
    ev.RunStarted, ev.RunFinished, ev.TicketOpened, ev.TicketChanged, agent_ev.TicketOpened, agent_ev.TicketChanged,
})  # fmt: skip
"""The events that outside subscribers get: start and end of runs, and changes of tickets."""


class Fact(msgspec.Struct, eq=False, gc=False):
    """One committed event with its place, stream and tenant."""

    row: int
    index: int
    at_ms: int
    stream: str
    seq: int
    event: Any
    tenant: str = ""
    positions: Positions = Positions(Positions.RUNS)
    shown: Any = None  # its rendered form, computed once and shared by all readers

    @property
    def position(self) -> str:
        """The token after this event: a reader that resumes there misses nothing and sees nothing twice."""
        return self.positions.token(self.row, self.index)


class Unreadable(msgspec.Struct):
    """Replaces an event that this release cannot read."""

    reason: str


def events_of(law: Law, data: bytes | msgspec.Raw) -> list[Any]:
    """The events of one decision; each that cannot be read becomes `Unreadable`."""
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


class News:
    """Commits of one stream for one reader, from the subscription on. `missed` says that the queue overflowed: the
    reader reads the stream's history again."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []
        self.missed = False
        self._come: asyncio.Future[None] | None = None

    def add(self, facts: list[Fact]) -> None:
        """Queues new facts."""
        self._facts += facts
        if len(self._facts) > NEWS_MAX:
            self.miss()
        elif self._come is not None and not self._come.done():
            self._come.set_result(None)

    def miss(self) -> None:
        """Drops the queue: the reader must read the stream's history."""
        self._facts, self.missed = [], True
        if self._come is not None and not self._come.done():
            self._come.set_result(None)

    async def taken(self) -> list[Fact]:
        """New facts since the last call; waits until there are some or the queue overflowed."""
        if not self._facts and not self.missed:
            self._come = asyncio.get_running_loop().create_future()
            await self._come
        facts, self._facts = self._facts, []
        return facts


class Feed:
    """Commits of one shard. `push` is called after each commit and costs an append; readers read by position and are
    only woken."""

    def __init__(self, life: int = 1) -> None:
        self.positions = Positions(Positions.RUNS, life)
        self._ring: deque[Committed] = deque()
        self._events = self._bytes = 0
        self._signal: asyncio.Future[None] | None = None
        self._milestone: asyncio.Future[int] | None = None
        self._news: dict[str, list[News]] = {}
        self._followers = self._shared_facts = 0
        self._shared: dict[int, list[Fact]] = {}
        self.journal: Journal

    def push(self, commit: Committed) -> None:
        """Adds a durable commit."""
        self._ring.append(commit)
        self._events += len(commit.told)
        self._bytes += commit.size
        while (self._events > RING_EVENTS or self._bytes > RING_BYTES) and len(self._ring) > 1:
            gone = self._ring.popleft()
            self._events -= len(gone.told)
            self._bytes -= gone.size
        if self._news:
            for told in commit.told:
                if (readers := self._news.get(told.stream.name)) is not None:
                    facts = self._facts(commit, (told,))
                    for news in readers:
                        news.add(facts)
        if self._milestone is not None and any(map(_is_milestone, commit.told)):
            self._pass(commit.row)
        self._wake()

    def recovered(self) -> None:
        """The shard was recovered: its rows may include a commit that was never reported."""
        self._ring.clear()
        self._unshare()
        self._events = self._bytes = 0
        for readers in self._news.values():
            for news in readers:
                news.miss()
        self._pass(0)
        self._wake()

    def _pass(self, row: int) -> None:
        """Wakes waiters for a milestone in a row; 0 means possibly in any row."""
        if self._milestone is not None:
            passed, self._milestone = self._milestone, None
            if not passed.done():
                passed.set_result(row)

    def _wake(self) -> None:
        if self._signal is not None:
            signal, self._signal = self._signal, None
            if not signal.done():
                signal.set_result(None)

    @contextmanager
    def news(self, stream: str) -> Iterator[News]:
        """Subscribes to one stream from now on. A reader costs a commit only the facts of that stream."""
        news = News()
        readers = self._news.setdefault(stream, [])
        readers.append(news)
        try:
            yield news
        finally:
            readers.remove(news)
            if not readers:
                self._news.pop(stream, None)

    def miss(self, stream: str) -> None:
        """Makes the readers of one stream read it again."""
        for news in self._news.get(stream, ()):
            news.miss()

    def forget(self, names: Set[str]) -> None:
        """Stops publishing events of removed streams."""
        self._unshare()
        for commit in self._ring:
            kept = [told for told in commit.told if told.stream.name not in names]
            self._events -= len(commit.told) - len(kept)
            commit.told, commit.milestones = kept, None

    def place(self, token: str | None) -> tuple[int, int]:
        """The row and index of a position; None means now. Raises CallerError or Conflict for a foreign position."""
        if token is None:
            return self.journal.durable_row, WHOLE
        return self.positions.place(token)

    async def follow(self, row: int, index: int) -> AsyncIterator[list[Fact]]:
        """Facts after a place, in lists of one or more commits; endless. Concurrent readers share the newest facts."""
        self._followers += 1
        try:
            while True:
                facts, row, index = await self.read(row, index)
                if facts:
                    yield facts
                elif row >= self.journal.durable_row:
                    await self._moved(row)
        finally:
            self._followers -= 1
            if self._followers < 2:
                self._unshare()

    async def milestones(self, row: int) -> AsyncIterator[tuple[list[Fact], int]]:
        """Facts of `MILESTONES` after a row, with the row up to which they are complete; endless. Rows without any are
        reported now and then."""
        known = row = min(row, self.journal.durable_row)  # a place after the end is the end
        while True:
            facts, row = await self.milestones_after(row)
            if facts or row - known >= ROWS_AT_ONCE:
                known = row
                yield facts, row
            elif row >= self.journal.durable_row:
                # Most commits hold none: they wake no reader, and their rows are not read.
                if self._milestone is None:
                    self._milestone = asyncio.get_running_loop().create_future()
                row = max(row, await asyncio.shield(self._milestone) - 1)

    async def milestones_after(self, row: int) -> tuple[list[Fact], int]:
        """Available facts of `MILESTONES` after a row, and the row up to which they are complete."""
        if row >= self.journal.durable_row:
            return [], row
        if not self._in_memory(row + 1):
            found, row, _ = await self.read(row, WHOLE)
            return [fact for fact in found if type(fact.event) in MILESTONES], row
        facts: list[Fact] = []
        for commit in self._after(row + 1):
            if commit.milestones is None:  # several readers request them
                commit.milestones = self._facts(commit, filter(_is_milestone, commit.told), MILESTONES)
            facts += commit.milestones
            row = commit.row
        return facts, row

    async def read(self, row: int, index: int) -> tuple[list[Fact], int, int]:
        """Available facts after a place, and the place after them; none at the end."""
        first = row + (index >= WHOLE)  # the first row with something new
        if not self._in_memory(first):
            return await self._from_store(row, index)
        facts: list[Fact] = []
        for commit in self._after(first):
            some = self._facts_of(commit)
            facts += some if commit.row > row else [fact for fact in some if fact.index > index]
            row, index = max(row, commit.row), WHOLE
            if len(facts) > FACTS_AT_ONCE:
                break
        return facts, row, index

    def _in_memory(self, first: int) -> bool:
        return bool(self._ring) and self._ring[0].row <= first

    def _after(self, first: int) -> list[Committed]:
        """The commits in memory from a row on; scans from the end because most readers are near it."""
        newer: list[Committed] = []
        for commit in reversed(self._ring):
            if commit.row < first:
                break
            newer.append(commit)
        newer.reverse()
        return newer

    def _facts_of(self, commit: Committed) -> list[Fact]:
        """All facts of a commit, shared between readers when there are several."""
        if self._followers < 2:
            return self._facts(commit, commit.told)
        facts = self._shared.get(commit.row)
        if facts is None:
            facts = self._shared[commit.row] = self._facts(commit, commit.told)
            self._shared_facts += len(facts)
            while self._shared_facts > SHARED_FACTS and len(self._shared) > 1:
                self._shared_facts -= len(self._shared.pop(next(iter(self._shared))))
        return facts

    def _unshare(self) -> None:
        self._shared.clear()
        self._shared_facts = 0

    def _facts(self, commit: Committed, some: Iterable[Told], kinds: Set[type] | None = None) -> list[Fact]:
        facts: list[Fact] = []
        row, at_ms, positions = commit.row, commit.at_ms, self.positions
        for told in some:
            of, at, seq = told.stream, told.base, told.seq
            for number, event in enumerate(told.events):
                if kinds is not None and type(event) not in kinds:
                    continue
                facts.append(Fact(row, at + number, at_ms, of.name, seq + number, event, of.tenant, positions))
        return facts

    async def commits(self, row: int) -> AsyncIterator[list[Committed]]:
        """Raw commits after a row, in batches; endless. For readers of every event."""
        row = min(row, self.journal.durable_row)
        while True:
            if self._in_memory(row + 1):
                newer = self._after(row + 1)
                row = newer[-1].row if newer else row
            else:
                newer, row = await self._stored(row)
            if newer:
                yield newer
            elif row >= self.journal.durable_row:
                await self._moved(row)

    async def _from_store(self, row: int, index: int) -> tuple[list[Fact], int, int]:
        facts: list[Fact] = []
        commits, through = await self._stored(row if index >= WHOLE else row - 1)
        for commit in commits:
            some = self._facts(commit, commit.told)
            facts += some if commit.row > row else [fact for fact in some if fact.index > index]
        return facts, max(row, through), WHOLE

    async def _stored(self, after: int) -> tuple[list[Committed], int]:
        """Some commits after a row from the store, and the row up to which they are complete. Their streams have only
        name and tenant."""
        commits: list[Committed] = []
        durable = self.journal.durable_row  # later commits are read by the next call
        for row in await self.journal.store.journal(after, ROWS_AT_ONCE):
            if row.row > durable:
                break  # written, but not reported yet
            told: list[Told] = []
            at = 0
            for name, seq, raws, sound in self.journal.readable(row):
                if not name:  # a gap: its content is removed, and later events keep their places
                    at += seq
                    continue
                law = self.journal.law_of(name)
                events = events_of(law, raws)
                if not sound:
                    events = [Unreadable("its checksum differs: see `aob doctor`")] * len(events)
                told.append(Told(Stream(name, law, None, tenant=""), seq, at, events, _UNCHANGED))
                at += len(events)
            commits.append(Committed(row.row, row.at_ms, told))
        await self._name_tenants([told.stream for commit in commits for told in commit.told])
        return commits, commits[-1].row if commits else max(after, durable)

    async def _name_tenants(self, streams: list[Stream]) -> None:
        """Finds the tenant of each stream in memory or in its head: a row does not hold it."""
        live = self.journal.streams
        absent = {stream.name for stream in streams if stream.name not in live}
        heads = await self.journal.store.heads_of(sorted(absent)) if absent else {}
        for stream in streams:
            known = live.get(stream.name) or heads.get(stream.name)
            stream.tenant = known.tenant if known is not None else ""

    async def _moved(self, row: int) -> None:
        if self.journal.durable_row > row:
            return
        if self._signal is None:
            self._signal = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._signal)


def _is_milestone(told: Told) -> bool:
    """Whether a decision can hold a milestone: it begins or ends a run, or publishes a ticket."""
    effects = told.changes.effects
    if type(effects) is AgentEffects:
        return bool(effects.tickets)
    return not told.seq or told.changes.over or (type(effects) is Effects and bool(effects.told))
