"""The journal: inbox -> batch -> decide -> one commit -> answers and effects. While one batch is being written the next
is decided on top of it; nothing is released before its own commit. If a commit fails, the shard's memory is dropped and
recovered; commands without a waiting caller are repeated."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aob.core.errors import AobError, OurError, Unavailable, said
from aob.core.opening import Opening
from aob.journal.batch import Committed, Cutter, Draft
from aob.journal.clock import CommittedClock
from aob.journal.deciding import BATCH_MAX, Asked, Decided, Reads, SetAside, fail, value_error
from aob.journal.entries import PREFIXES, EntryLaw
from aob.journal.epochs import fenced, went_back
from aob.journal.kept import Kept
from aob.journal.law.law import Law
from aob.journal.law.stream import Stream
from aob.journal.log import logger
from aob.journal.partition import Moves, PartitionLaw
from aob.journal.recovery import Recovered, recover
from aob.journal.removal import RemovalLaw
from aob.journal.resident import Away
from aob.journal.tickets import OpenTickets, released
from aob.journal.timers import Timers
from aob.ports.store import WENT_BACK, Batch, StaleEpoch, Store, TicketRow

Asking = asyncio.Future[Decided]

CUT_ROWS: Final = 1_000  # journal rows after which the next cut begins
CUT_EVENTS: Final = 100_000  # events in these rows after which it begins earlier

RETRY_S: Final = 0.5


class Journal(Moves):
    """The owner of one shard. `async with Journal(...) as journal`, then `ask` and `tell`."""

    def __init__(
        self,
        store: Store,
        laws: list[Law],
        *,
        shard: int = 0,
        clock_ms: Callable[[], int],
        on_commit: Callable[[Committed], None],
        on_recovered: Callable[[Recovered], None],
        put_blob: Callable[[str, bytes, bytes], Any],
        get_value: Callable[[str, bytes], Any],
    ) -> None:
        super().__init__()
        self.store, self.shard, self.clock_ms = store, shard, clock_ms
        self.laws = [*laws, RemovalLaw(), PartitionLaw(), *map(EntryLaw, PREFIXES)]
        self.failing: AobError | None = None  # error of the last commit, until another succeeds
        self.permit: Callable[[], Awaitable[None]] | None = None
        """Awaited before the shard is taken, also again after a failed commit. Raises Unavailable when this process may
        not try: its lease is over."""
        self.on_commit, self._on_recovered = on_commit, on_recovered
        self.timed: Callable[[float, int], None] = lambda took_s, events: None
        """Called after each write of the store with its duration and number of events."""
        self._put_blob, self._get_value = put_blob, get_value
        self._task: asyncio.Task[None] | None = None
        self._sound = asyncio.Event()
        self._readers: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._draft: Draft | None = None
        self._writing: tuple[asyncio.Task[Any], Draft] | None = None
        self.clock = CommittedClock(clock_ms, lambda: asyncio.get_running_loop().time())
        self.timers = Timers(self.clock.now, self._ring)
        self.tickets = OpenTickets()
        self._tickets_whole = True
        self.opening = Opening()
        self.cut_row = 0
        self._left_out = False
        self.stats = {"commits": 0, "events": 0}

    # -- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "Journal":
        await self._recover()
        self._sound.set()
        self._task = asyncio.create_task(self._run(), name="aob-journal")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.closing = True
        self._wake.set()
        self._sound.set()
        if self._task is not None:
            task, self._task = self._task, None
            await asyncio.gather(task, return_exceptions=True)
        self.timers.stop()
        asides = list(self._aside)
        self._refuse(Unavailable("the home is closing", code="closing"))
        await asyncio.gather(*asides, return_exceptions=True)

    async def _recover(self, again: Sequence[Asked] = ()) -> None:
        if self.permit is not None:
            await self.permit()
        self.epochs.taken(await self.store.take())
        await self._read_holding()
        found = await recover(
            self.store, self.shard, self.laws, foreign=self.foreign, opening=self.opening, place=self.place
        )
        if found.row < self.durable_row:
            raise went_back(self.shard, found.row, self.durable_row)
        self.epochs.read(found.row)
        self.row = self.durable_row = found.row
        self.now_ms, self.cut_row, self._cutter.since = max(self.now_ms, found.at_ms), found.cut, found.since
        self.clock.begin(self.now_ms)
        self.streams, self.unreadable, self.away = found.streams, found.unreadable, Away(found.away)
        self.turns += 1
        self._left_out = found.unreadable.keys() > found.begun_in_lost
        self.timers.replace(found.timers)
        self.tickets.replace(found.tickets)
        self._tickets_whole, self.removing = found.tickets_whole, await self.store.removes()
        for stream in self.streams.values():
            if stream.ended:
                self._ended.add(stream)
                self._cutter.due[stream.name] = stream
        waiting = (asked for each in self._waiting.values() for asked in each)
        stands = (asked for asked in (*again, *self._inbox, *waiting) if self.epochs.counts(asked.epoch, asked.row))
        found.again = [(asked.stream, asked.command) for asked in stands]
        await self._own_pages()
        self.bells.ring_all()
        self._on_recovered(found)
        await self._read_messages()
        for name, reason in found.aside.items():
            self._inbox.append(Asked(name, SetAside(reason), None, False))
        if found.aside:  # the lost row is before the next cut: a stream released later is not quarantined again
            self._cutter.begin(self.row, self.streams)

    # -- asking ---------------------------------------------------------------------------------------------------

    def ask(self, stream: str, command: Any, *, fresh: bool = False, reads: Reads | None = None) -> Asking:
        """Send a command to a stream; the future is done after its commit. `fresh` says that the stream is new, so that
        the store need not be read; `reads` makes `Decided.said` from the stream right after this command. Raises Busy
        when the inbox is full, Unavailable while the store is."""
        self._open_to_callers()
        future: Asking = asyncio.get_running_loop().create_future()
        self._inbox.append(Asked(stream, command, future, fresh, reads))
        self._wake.set()
        return future

    async def settled(self, stream: Stream) -> None:
        """Waits until everything in the memory of a stream is durable, so that a reader reports nothing that may be
        lost. Raises the error that prevents the write."""
        row = stream.chunks[-1].row if stream.chunks else 0
        if row <= self.durable_row:
            return
        self.check()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.append((row, future))
        await future

    def look(self) -> None:
        """Read the clock; called at least once a second. Fires timers that a clock step made due and evicts idle
        streams."""
        self.now_ms = max(self.clock.now(), self.now_ms)
        self.timers.look()
        if self.broken is None and not self.closing and self.let_go():
            self._wake.set()

    async def mended(self) -> bool:
        """Waits until the store answers again; False if this journal has ended instead."""
        await self._sound.wait()
        return self.broken is None and not self.closing

    def tell(self, stream: str, command: Any, epoch: int = 0, row: int = 0) -> None:
        """Send a command without a caller: workers' results, timers. Never refused, because their number is bounded.
        Dropped if the commit that it rests on does not count."""
        self._inbox.append(Asked(stream, command, None, False, None, epoch, row))
        self._wake.set()

    def _ring(self, stream: str, timer: str) -> None:
        self._rung.append(Asked(stream, self.law_of(stream).fire(timer), None, False))
        self._wake.set()

    def note(self, stream: str, command: Any) -> None:
        """Add a command to the next batch without starting one."""
        self._inbox.append(Asked(stream, command, None, False))

    # -- the loop -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._loop()
            self._refuse(self.broken or Unavailable("the home is closing", code="closing"))
        except Exception as error:
            # A bug: fail all callers from now on instead of letting them wait forever.
            logger().error("journal_stopped", shard=self.shard, exc_info=error)
            self.broken = OurError(
                f"the journal has stopped: {type(error).__name__}: {said(error)}", code="journal_stopped",
                hint="start the home again: what was acknowledged is safe",
            )  # fmt: skip
            self._sound.set()
            drafts = (self._draft, self._writing[1] if self._writing is not None else None)
            for asked in [asked for draft in drafts if draft is not None for asked in draft.asked]:
                fail(asked, self.broken)
            self._refuse(self.broken)
            self._fail_readers(self.broken)

    async def _loop(self) -> None:
        """Decides commands while the previous batch is being written; writes and releases; forever."""
        while True:
            begins = self._draft is None and (self._inbox or self._rung or self._behind)
            if begins or (self._inbox and self._draft is not None and len(self._draft.asked) < BATCH_MAX):
                self._draft = self._decide_batch(self._draft)
            if self._writing is not None and self._writing[0].done():
                task, before = self._writing
                if not self._written(task, before):
                    await self._lost(before, self._draft)
                    self._draft = self._writing = None
                    continue
                self._writing = None
            if self._settling and self._writing is None and self._draft is None and not self._inbox:
                self._settling = bool(self._cutter.due or self._cutter.target)
                self._draft = Draft(self.row + 1, self.now_ms) if self._settling else None
            if self._writing is None and self._draft is not None and not self._keeps_open(self._draft):
                self._writing = self._begin(self._draft)
                self._draft = None
                continue
            if (self._inbox or self._rung or self._behind) and self._draft is None:
                continue
            # Commands accepted before closing are still decided if only their stream must be read; a value may never
            # arrive.
            if self.closing and self._writing is None and (self.broken is not None or not self._reading):
                await self._last_cut()
                return
            self._wake.clear()
            if self._writing is None or not self._writing[0].done():
                await self._wake.wait()

    def _begin(self, draft: Draft) -> tuple[asyncio.Task[Any], Draft] | None:
        self._seal_appends(draft)
        segments = self._cutter.take(draft)
        if not (draft.count or segments or draft.cut or draft.beside or draft.mail):
            self._release(draft)
            return None
        self.row = max(self.row, draft.row) if draft.count else self.row
        due = self.row - self.cut_row >= CUT_ROWS or self._cutter.since >= CUT_EVENTS
        if due and not self._cutter.target and not self._left_out:  # newest events of excluded streams: only in rows
            self._cutter.begin(self.row, self.streams)
        rows: Sequence[TicketRow] = ()
        if not self._tickets_whole:  # a file of an earlier release: write the rows that a start needs from now on
            rows = self.tickets.rows()
            draft.heads |= {
                stream.name: stream for stream in self.streams.values()
                if stream.seq and not stream.ended and not stream.law.rests(stream)
            }  # fmt: skip
        batch = self._built(draft, segments, rows)
        batch.tickets_whole, self._tickets_whole = not self._tickets_whole, True
        task = asyncio.create_task(self._write(draft, batch))
        task.add_done_callback(lambda _: self._wake.set())
        return task, draft

    async def _write(self, draft: Draft, batch: Batch) -> int | StaleEpoch:
        for tenant, digest, data in draft.blobs:
            try:
                await self._put_blob(tenant, digest, data)
            except Exception as error:
                raise value_error(error) from error
        begun = time.perf_counter()
        answer = await self.store.commit(batch)
        self.timed(time.perf_counter() - begun, batch.count)
        return answer

    def _written(self, task: asyncio.Task[Any], draft: Draft) -> bool:
        error = task.exception()
        if isinstance(error, AobError):
            self.broken = self.failing = error
            return False
        if error is not None:
            raise error
        answer = task.result()
        if isinstance(answer, StaleEpoch):
            self.broken = fenced(answer, self.epochs.now)
            return False
        self._release(draft)
        return True

    def _release(self, draft: Draft) -> None:
        """The batch is durable: releases effects, then answers, so that no answer precedes its effects."""
        self.durable_row = max(self.durable_row, draft.row if draft.count else 0)
        if draft.told or draft.count:
            self.failing = None
            self.stats["commits"] += 1
            self.stats["events"] += draft.count
            if draft.timed:
                released(draft.timed, self.timers, self.tickets)
            self.on_commit(Committed(draft.row, draft.at_ms, draft.told, draft.size))
        for stream, chunks, seq in draft.segmented:
            del stream.chunks[:chunks]
            stream.kept_from = seq
        self.cut_row = draft.cut or self.cut_row
        if draft.mail is not None:
            self._went_out(draft.mail)
        if draft.appends is not None:
            self._appended(draft.appends)
        for each in draft.beside:
            self._forget(each.gone())
        while self._readers and self._readers[0][0] <= self.durable_row:
            _, future = self._readers.popleft()
            if not future.done():
                future.set_result(None)
        draft.answer()
        self._end(draft.ended)

    def _refuse(self, error: AobError) -> None:
        """Fails all waiting commands and cancels all reads: nothing is decided any more."""
        for aside in list(self._aside):
            aside.cancel()
        for asked in (*self._inbox, *self._held, *(a for waiting in self._waiting.values() for a in waiting)):
            fail(asked, error)
        self._inbox.clear()
        self._held.clear()
        self._waiting.clear()

    def _fail_readers(self, error: AobError) -> None:
        while self._readers:
            _, future = self._readers.popleft()
            if not future.done():
                future.set_exception(error)

    async def _last_cut(self) -> None:
        """A graceful end: every stream gets its segment, so that the next start reads no journal."""
        if self.broken is not None:
            return
        self._cutter.begin(0 if self._left_out else self.row, self.streams)
        while self._cutter.queue or self._cutter.due or self._cutter.target:
            draft = Draft(self.row + 1, self.now_ms)
            segments = self._cutter.take(draft)
            try:
                answer = await self._write(draft, self._built(draft, segments))
            except AobError as error:
                logger().warning("last_cut_failed", code=error.code, detail=error.detail)
                return
            if isinstance(answer, StaleEpoch):
                return  # another process has the shard: it makes its own cuts
            self._release(draft)

    async def _replaced(self) -> bool:
        """Whether another process took this shard while its store was unavailable: then it is not taken back."""
        answer = await self.store.commit(Batch(self.epochs.now, self.row, self.now_ms, 0, b"[]"))
        if isinstance(answer, StaleEpoch):
            self.broken = fenced(answer, self.epochs.now)
        return isinstance(answer, StaleEpoch)

    async def _lost(self, before: Draft, after: Draft | None) -> None:
        """A commit failed: drops the shard's memory, fails the callers, recovers, and repeats other commands."""
        error = self.broken
        assert error is not None
        self._sound.clear()
        logger().error("commit_failed", shard=self.shard, code=error.code, detail=error.detail)
        lost = [*before.asked, *(after.asked if after is not None else ()), *self._inbox, *self._held]
        self._inbox.clear()
        self._held.clear()
        self._rung.clear()  # timers fire again, and pending continues are requested again
        self._behind.clear()
        again = [asked for asked in lost if asked.future is None]
        for asked in lost:
            fail(asked, error)
        self._fail_readers(error)
        self.epochs.lost(self.durable_row)
        self.topics.clear()
        self.streams, self.away, self._ended, self._cutter = {}, Away(), Kept(), Cutter()
        self._sweep, self._settling = [], False
        if error.code in ("stale_epoch", WENT_BACK):
            self.closing = True
            self._sound.set()
            return
        while True:
            await asyncio.sleep(RETRY_S)
            if self.closing:
                return
            try:
                if await self._replaced():
                    self.closing = True
                    self._sound.set()
                    return
                await self._recover(again)
                break
            except AobError as still:
                self.broken = still
                if still.code == WENT_BACK:  # what was acknowledged is not there: nothing may go on from here
                    self.closing = True
                    self._sound.set()
                    return
        self.broken = None
        if error.code != "disk_full":  # taking the shard was a write, but a small one proves little on a full disk
            self.failing = None
        self._sound.set()
        logger().info("store_is_back", shard=self.shard, row=self.row)
        self._inbox.extendleft(reversed(again))  # known results of attempts precede the assumptions of recovery
