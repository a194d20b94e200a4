"""The loop of the gate: takes calls, writes groups to the log, notifies folds, answers. Gates one group while another
syncs. Nothing is released before its own commit. If a commit fails, everything gated on top of it fails too and its
claims are dropped; then the log is read, and events found there are folded and remembered before anything else is
accepted, so that a caller's retry counts once."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from aob.core.answers import JsonObject
from aob.core.errors import AobError, TooLarge, Unavailable
from aob.core.event import Positions
from aob.core.ingest import Gate, Gated
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import event_verbs as verbs
from aob.gate.dead import DeadVerbs
from aob.gate.grouping import grouped, letters_of
from aob.gate.memory import Memory
from aob.gate.pending_call import FOLDS_MAX, Commit, PendingCall, Told, answer, is_large, lines_of_part, parts
from aob.gate.pressure import Pressure
from aob.ports.dead_letters import LetterLists, Letters, LogWithLetters, Numbers
from aob.ports.event_log import LOG_TAKEN, Row, rows_between
from aob.ports.logger import Logger
from aob.ports.telemetry import TRACE, Telemetry

CALL_BYTES_MAX: Final = 32 * 1024 * 1024  # bytes of one call
GROUP_BYTES: Final = 1024 * 1024  # bytes after which a commit takes no further part of a call
GROUP_EVENTS: Final = 4_000  # events after which a commit takes no further part of a call: it is folded without a pause
AGAIN_S: Final = 0.5  # pause before the log is read again

_NONE: Final[dict[str, list[str]]] = {}

log = Logger("aob.gate")


class Ingest:
    """The gate of a home. Enter it after recovery; `written` is called in log order with each tenant's groups of a
    commit, one per partition, and must not wait."""

    def __init__(
        self, events: LogWithLetters, memory: Memory, now_ms: Callable[[], int], clock_s: Callable[[], float],
        written: Callable[[Sequence[Commit]], None] = lambda commits: None, telemetry: Telemetry | None = None,
        life: int = 1, lists: LetterLists | None = None,
    ) -> None:  # fmt: skip
        self.events, self.memory, self.now_ms, self.written = events, memory, now_ms, written
        self.telemetry, self.positions = telemetry, Positions(Positions.EVENTS, life, events.partitions)
        self.pressure = Pressure(clock_s)
        self.gate, self.dedup, self.remember = memory.gate, memory.dedup, memory.remember
        self.pages, self.load, self.clear = memory.pages, memory.load, memory.clear
        dead = DeadVerbs(events.letters, self, lists)
        self.deadletters, self.deadletter = dead.deadletters, dead.deadletter
        self.deadletter_groups, self.replay_deadletters = dead.deadletter_groups, dead.replay_deadletters
        self.discard_deadletters = dead.discard_deadletters
        self.counts = {"received": 0, "accepted": 0, "duplicate": 0, "rejected": 0, "commits": 0, "failed": 0}
        self._queue: deque[PendingCall | asyncio.Future[bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._seals: set[asyncio.Task[None]] = set()
        self._closed = False
        self.failing: AobError | None = None  # error of the last commit, until another succeeds
        self.refusing: AobError | None = None  # why calls are refused
        self._rows: list[int] = []  # the last reported row of each partition
        self._unsure: AobError | None = None  # why the log's content after that row is unknown

    async def __aenter__(self) -> "Ingest":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closed = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._seals, return_exceptions=True)

    # -- verbs ------------------------------------------------------------------------------------------------------

    @performs(verbs.INGEST)
    async def ingest(self, who: Caller, args: verbs.SendEvents) -> bytes:
        """Pass lines through the gate. Returns an encoded `Ingested` once they are durable and folded.

        A large call is split into parts, each a commit, interleaved with other calls: if it fails half-way, its first
        parts are in the log and are duplicates when sent again. Raises Busy when too much is queued, TooLarge,
        Unavailable when the log cannot be written."""
        lines = args.lines
        if len(lines) > CALL_BYTES_MAX:
            raise TooLarge(f"a call has at most {CALL_BYTES_MAX:,} bytes, and this has {len(lines):,}",
                           hint="send it in several calls")  # fmt: skip
        if (why := self.refusing or self._unsure) is not None:
            raise why.with_traceback(None)
        self.pressure.check(who.tenant, len(lines))
        most = lines_of_part(self.memory.gate(who.tenant).width)
        if not is_large(lines, most):
            return answer([await self._through(who, lines)], self.positions)
        with self.pressure.held(who.tenant, len(lines)):
            told = [await self._through(who, part) for part in parts(lines, most)]
        return answer(told, self.positions)

    async def _through(self, who: Caller, lines: bytes) -> Told:
        """Passes one part of a call. Returns its result once it is durable and folded."""
        gate, began_s = self.memory.gate(who.tenant), self.pressure.now()
        gated = gate.passed(lines, self.now_ms())
        read_s = self.pressure.now()
        enriched = gate.enrich(gated.events)
        enriched_s = self.pressure.now() if enriched else read_s
        call = self.claimed(who.tenant, gate, gated, len(lines))
        if self.telemetry is not None:
            self.telemetry.stage("gate", read_s - began_s, gated.received, len(gated.refused))
            if enriched:
                self.telemetry.stage("enrich", enriched_s - read_s, enriched)
            self.telemetry.stage("dedup", self.pressure.now() - enriched_s, len(gated.events))
            call.trace = TRACE.get()
        await self.post(call)
        return call.told()

    def claimed(self, tenant: str, gate: Gate, gated: Gated, size: int) -> PendingCall:
        """The accepted events, with their ids claimed. Must be posted before any other code runs."""
        return PendingCall(tenant, gate, gated, self.memory.dedup(tenant).claim(gated.events, self.now_ms()), size)

    async def post(self, call: PendingCall) -> None:
        """Waits until a call is durable and folded. Raises Unavailable; its claims are then dropped."""
        if self._closed or self._unsure is not None:
            self._forget(call)
            raise self._unsure or Unavailable("the gate is closed", code="closing")
        if not call.gated.received and not call.settled:
            call.rows = dict(enumerate(await self.events.last_rows()))
            return
        self.pressure.add(call.tenant, call.size)
        self._queue.append(call)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="aob-gate")
        await call.future  # a cancelled caller stops waiting, the commit goes on

    async def durable_rows(self) -> Sequence[int]:
        """The last row of each partition that is known to be durable."""
        return tuple(self._rows) or await self.events.last_rows()

    async def settled(self) -> bool:
        """Waits until everything claimed so far is written; false if some of it could not be."""
        if self._task is None:
            return True
        mark: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(mark)
        return await mark

    def health(self) -> JsonObject:
        """Counts since the start, the queue, and how far back ids are known."""
        return {
            **self.counts, "waiting_bytes": self.pressure.bytes, "dedup_keys": self.memory.keys,
            "dedup_horizon": self.memory.horizon_ms or None,
        }  # fmt: skip

    # -- commits ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Writes groups until the queue is empty."""
        try:
            while self._queue:
                calls = self._taken()
                if calls:
                    await self._commit(calls)
                if self._unsure is not None:
                    await self._read_back()
        finally:
            self._task = None

    def _taken(self) -> list[PendingCall]:
        """The next calls, up to a mark; resolves a mark at the front."""
        calls, size, events, folds = list[PendingCall](), 0, 0, 0
        while self._queue and size < GROUP_BYTES and events < GROUP_EVENTS and folds < FOLDS_MAX:
            item = self._queue[0]
            if not isinstance(item, PendingCall):
                if calls:
                    break
                self._queue.popleft()
                if not item.done():
                    item.set_result(True)
                continue
            self._queue.popleft()
            calls.append(item)
            size += item.size
            events += len(item.events)
            folds += len(item.events) * item.gate.width
        return calls

    async def _commit(self, calls: list[PendingCall]) -> None:
        at_ms, by_tenant, many = self.now_ms(), dict[str, list[PendingCall]](), self.events.partitions
        for call in calls:
            by_tenant.setdefault(call.tenant, []).append(call)
        began_s, began_ns = self.pressure.now(), at_ms * 1_000_000
        try:
            if not self._rows:
                self._rows = list(await self.events.last_rows())
            parts = [grouped(tenant, at_ms, mine, many) for tenant, mine in by_tenant.items()]
            letters = letters_of(at_ms, by_tenant)
            numbers = await self.events.commit([commit for groups in parts for commit, _ in groups], letters)
        except Exception as error:
            self._fail(calls, error)
            if self.telemetry is not None:
                self.telemetry.stage("store", self.pressure.now() - began_s, 0, 1)
            return
        self._timed(calls, self.pressure.now() - began_s, began_ns)
        types = _numbered(by_tenant, letters, numbers) if letters else _NONE
        for groups in parts:
            for commit, waiting in groups:
                self._tell(commit, waiting, types)
            self._hand_on([commit for commit, _ in groups])
        self.failing = None
        self.counts["commits"] += 1
        self.pressure.done([(call.tenant, call.size) for call in calls], began_s)
        for call in calls:
            if not call.future.done():
                call.future.set_result(None)
        self._seal()

    def _timed(self, calls: list[PendingCall], took_s: float, began_ns: int) -> None:
        """Reports the time of a commit, and a span for each traced call in it."""
        telemetry = self.telemetry
        if telemetry is None:
            return
        telemetry.stage("store", took_s, sum([len(call.events) for call in calls]))
        if telemetry.tracing:
            end_ns = began_ns + int(took_s * 1e9)
            for call in calls:
                if call.trace is not None:
                    telemetry.record("commit", call.trace, began_ns, end_ns, **{"aob.events": len(call.events)})

    def _tell(self, commit: Commit, calls: Sequence[PendingCall], types: dict[str, list[str]]) -> None:
        """A group of a commit is durable: number its events, prepare its answers."""
        for call in calls:
            call.rows[commit.partition] = commit.row
        for number, event in enumerate(commit.events, commit.number):
            event.offset = number
        if types:
            commit.refused = types.pop(commit.tenant, ())
        if self.telemetry is not None and self.telemetry.tracing:
            commit.traces = [call.trace for call in calls if call.trace is not None]

    def _fail(self, calls: list[PendingCall], error: Exception) -> None:
        """The outcome of a commit is unknown: fails it with everything gated on top of it; the log is read next."""
        told = error if isinstance(error, AobError) else Unavailable("the events could not be written",
                                                                     code="store_failed")  # fmt: skip
        log.warning("ingest_failed", error=str(error), calls=len(calls))
        self.counts["failed"] += 1
        self.failing = self._unsure = told
        behind = [item for item in self._queue if isinstance(item, PendingCall)]
        for item in self._queue:
            if not isinstance(item, PendingCall) and not item.done():
                item.set_result(False)
        self._queue.clear()
        for call in (*calls, *behind):
            self._forget(call)
            if not call.future.done():
                call.future.set_exception(told)
                call.future.exception()  # marks the error as retrieved if the caller has gone
        self.pressure.done([(call.tenant, call.size) for call in (*calls, *behind)], None)

    async def _read_back(self) -> None:
        """Reads the log after the last reported row, as at a start, once its owner has fenced the lost commit; retries
        until it succeeds. Another owner's log is left alone, and everything is refused from then on."""
        while not self._closed:
            try:
                await self.events.take()
                async for row in rows_between(self.events, self._rows, await self.events.last_rows()):
                    self._told_late(row)
                self._unsure = None
                return
            except Exception as error:
                log.warning("log_not_read", error=str(error))
                if isinstance(error, AobError) and error.code == LOG_TAKEN:
                    self.failing = self._unsure = error
                    return
                await asyncio.sleep(AGAIN_S)

    def _told_late(self, row: Row) -> None:
        """A row of a commit that seemed to fail: its events count now, and are duplicates when sent again."""
        events = self.memory.gate(row.tenant).reread(row.lines, row.notes, row.number)
        self.memory.remember(row.tenant, events)
        self._hand_on([Commit.of_row(row, events)])

    def _hand_on(self, commits: Sequence[Commit]) -> None:
        """Notifies the folds of a tenant's groups in one commit, together: a fold costs more than an event."""
        counts = self.counts
        for commit in commits:
            self._rows[commit.partition] = commit.row
            counts["accepted"] += commit.count
            counts["duplicate"] += commit.duplicate
            counts["rejected"] += commit.rejected
            counts["received"] += commit.count + commit.duplicate + commit.rejected
        try:
            self.written(commits)
        except Exception:
            # They are in the log and will be folded at the next start; the sender must not repeat them.
            log.exception("fold_failed", tenant=commits[0].tenant, row=commits[0].row)

    def _forget(self, call: PendingCall) -> None:
        self.memory.dedup(call.tenant).forget(call.events)

    # -- ids that leave the memory ----------------------------------------------------------------------------------

    def _seal(self) -> None:
        for tenant, dedup in self.memory.dedups.items():
            if dedup.full and not self._closed:
                task = asyncio.create_task(self._sealed(tenant), name=f"aob-dedup-{tenant}")
                self._seals.add(task)
                task.add_done_callback(self._seals.discard)
                dedup.seal(self.now_ms())

    async def _sealed(self, tenant: str) -> None:
        """Writes a run in a thread, once all of its ids are in the log."""
        dedup = self.memory.dedup(tenant)
        try:
            await self.settled()
            await asyncio.get_running_loop().run_in_executor(None, dedup.write)
        except Exception as error:
            log.warning("dedup_run_failed", tenant=tenant, error=str(error))
            dedup.unsealed()
            return
        dedup.sealed()
        try:
            await asyncio.get_running_loop().run_in_executor(None, dedup.tidy)
        except AobError as error:
            log.warning("dedup_tidy_failed", tenant=tenant, error=str(error))


def _numbered(
    by_tenant: dict[str, list[PendingCall]], letters: Sequence[Letters], numbers: Sequence[Numbers]
) -> dict[str, list[str]]:
    """Gives calls the numbers of their dead letters. Returns the types of each tenant's refused events."""
    for each, dead in zip(letters, numbers, strict=True):
        at = 0
        for call in by_tenant[each.tenant]:
            refused = len(call.gated.refused)
            call.dead = dead[at : at + refused]
            at += refused
    return {each.tenant: [letter.type for letter in each.refused] for each in letters}
