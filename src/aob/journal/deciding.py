"""Decides one batch: takes commands from the inbox through their laws into a draft. Never waits."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final
from zlib import crc32

import msgspec

from aob.core.errors import AobError, NotFound, Quarantined, Unavailable, said
from aob.core.problem import outward
from aob.journal.batch import SEGMENT_EVENTS, Draft, Told
from aob.journal.clock import CommittedClock
from aob.journal.epochs import Epochs
from aob.journal.law.law import Beside, Changes, Law, Verdict, Wanted
from aob.journal.law.stream import Chunk, Stream
from aob.journal.log import logger
from aob.journal.messages import Arrival, Outgoing
from aob.journal.recovery import OWN
from aob.journal.resident import Resident, quarantine
from aob.ports.blobs import GONE

TOPICS: Final = "partition/topics"
"""What commands about topics name in place of a stream."""
BATCH_MAX: Final = 1_024
BATCH_MS: Final = 8  # A batch ends after this many commands or this long, so that the loop stays responsive

EVENTS_LOOK: Final = 64  # events after which a batch checks the time, also after 16 commands

HELD_S: Final = 0.001  # how long a batch ready for writing waits at most for effects begun on it
AHEAD_MAX: Final = 256  # effects of one batch that may begin before it is durable

VALUE_AGAIN_S: Final = 0.5  # pause between attempts to read a value that a decision needs


class Stuck(msgspec.Struct, frozen=True):
    """An operation that is retried until it succeeds: since when, and the last error."""

    since_ms: int
    reason: str


def value_error(error: Exception) -> AobError:
    """The error for an unreadable value. An exception of a library says nothing about the value: its store is
    unavailable."""
    if isinstance(error, AobError):
        return error
    return Unavailable(f"{type(error).__name__}: {said(error)}", code="value_unreadable",
                       hint="look at the store of the values; what needs it goes on by itself")  # fmt: skip


class SetAside(msgspec.Struct):
    """The journal's own command to any stream: quarantine it for this reason."""

    reason: str


class Decided(msgspec.Struct, eq=False, gc=False):
    """The answer to a command: its events (none if it changed nothing) and their place. `said` is what `reads` made
    from the stream right after the decision; later decisions may have changed the stream."""

    stream: Stream
    events: list[Any]
    row: int
    base: int
    said: Any = None


Reads = Callable[[Decided], Any]  # makes an answer from the stream right after the decision, without awaiting


class Asked(msgspec.Struct, eq=False):
    """One command in the inbox. `future` is None if no caller waits for it."""

    stream: str
    command: Any
    future: asyncio.Future[Decided] | None
    fresh: bool
    reads: Reads | None = None
    epoch: int = 0
    row: int = 0  # the row it rests on, which may not be durable: it counts only if that does


class Deciding(Resident):
    """The inbox and its decisions. The journal adds the loop that commits."""

    laws: list[Law]
    clock_ms: Callable[[], int]
    clock: CommittedClock
    _get_value: Callable[[str, bytes], Coroutine[Any, Any, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.row = self.durable_row = self.now_ms = 0
        self.epochs = Epochs()
        self.begins: Callable[[Stream, Any, int, int], int] | None = None
        """For a `lazy` stream: begins those effects of a decision that need not wait for its commit. Gets the row and
        the maximum number; returns how many began."""
        self._inbox: deque[Asked] = deque()
        self._rung: deque[Asked] = deque()
        """Due timers: they wait for the next batch, so that its time is past their due time."""
        self._behind: dict[str, Any] = {}  # commands, one per stream, appended to the inbox when the next batch begins
        self._wake = asyncio.Event()
        self.stuck: dict[str, Stuck] = {}  # streams whose next decision needs an unreadable value; retried
        self.closing = False

    def _decide_batch(self, draft: Draft | None) -> Draft:
        if draft is None:
            self.now_ms = max(self.clock.now(), self.now_ms)
            draft = Draft(self.row + 1, self.now_ms)
            if self._rung:
                self._inbox.extend(self._rung)
                self._rung.clear()
            if self._behind:
                self._inbox.extend(Asked(name, command, None, False) for name, command in self._behind.items())
                self._behind.clear()
        inbox, streams, waiting, asked_all = self._inbox, self.streams, self._waiting, draft.asked
        until, many = time.perf_counter() + BATCH_MS / 1_000, draft.count + EVENTS_LOOK
        while inbox and len(asked_all) < BATCH_MAX:
            asked = inbox.popleft()
            name = asked.stream
            if name == TOPICS:
                if self._decide_topic(draft, asked):
                    continue
                inbox.appendleft(asked)
                break
            stream = streams.get(name)
            if name in waiting:
                waiting[name].append(asked)
                continue
            if stream is None:
                if name in self.unreadable:
                    asked_all.append(asked)
                    self._unheard(draft, asked, quarantine(name, self.unreadable[name]))
                    continue
                if not asked.fresh or name in self.away or (self.foreign and self._elsewhere(name)):
                    if type(asked.command) is Arrival and asked.command.refusal is not None:
                        asked_all.append(asked)
                        self._take(draft, None, asked)
                    else:
                        self._fetch(name, asked)
                    continue
                stream = self._open(name)
            if asked.epoch and (asked.row == draft.row or asked.epoch != self.epochs.now):
                if not self.epochs.counts(asked.epoch, asked.row):
                    continue
                draft.ahead -= 1
            asked_all.append(asked)
            self._decide_one(draft, stream, asked)
            if not len(asked_all) & 15 or draft.count > many:
                if time.perf_counter() > until:
                    break
                many = draft.count + EVENTS_LOOK
        return draft

    def _keeps_open(self, draft: Draft) -> bool:
        """Whether a batch waits for effects begun on it, so that their results join its commit."""
        if draft.ahead <= 0 or self._inbox or self.closing:
            return False
        now = time.perf_counter()
        if not draft.held_until:
            draft.held_until = now + HELD_S
            asyncio.get_running_loop().call_later(HELD_S, self._wake.set)
        return now < draft.held_until

    def behind(self, stream: str, command: Any) -> None:
        """Append a command without a caller to the inbox when the next batch begins; one per stream. Ignored while
        closing."""
        if not self.closing:
            self._behind[stream] = command
            self._wake.set()

    def _open(self, name: str) -> Stream:
        law = self.law_of(name)
        stream = self.streams[name] = Stream(name, law, law.fresh(name))
        return stream

    def _decide_one(self, draft: Draft, stream: Stream, asked: Asked) -> None:
        law: Law = stream.law
        stream.touched = draft.at_ms
        try:
            quick = law.quick(stream, asked.command, draft.at_ms)
            if quick is not None:
                base = draft.count
                stream.seq += len(quick.events)
                self._keep(draft, stream, quick.events, quick.data, quick.changes)
                if asked.future is not None:
                    draft.answers.append((asked, answered(asked, Decided(stream, quick.events, draft.row, base))))
                return
            if type(asked.command) is Arrival:
                self._take(draft, stream, asked)
                return
            if type(asked.command) is SetAside:
                verdict = Verdict(law.quarantine(stream, asked.command.reason), {})
            else:
                verdict = law.decide(stream, asked.command, draft.at_ms)
        except Wanted as wanted:
            draft.asked.pop()
            self._fetch_value(asked, stream, wanted)
            return
        except AobError as error:
            if asked.future is not None:
                draft.answers.append((asked, error))
            if not stream.seq:
                self.streams.pop(stream.name, None)  # it does not exist: drop it
            return
        except Exception as error:
            self._broke(draft, stream, asked, error)
            return
        events, base = verdict.events, draft.count
        if (verdict.records or verdict.passed) and self._unread(draft, stream, verdict, asked):
            return
        if verdict.messages and self._waits(stream, verdict, asked):
            draft.asked.pop()
            return
        if events:
            self._fold(draft, stream, verdict)
        elif isinstance(verdict.context, Beside):
            draft.beside.append(verdict.context)
            self.streams.pop(stream.name, None)  # it does not exist, or has ended
        if verdict.messages:
            self._send(draft, stream, verdict.messages)
        if verdict.records or verdict.passed:
            self._attach(draft, stream, verdict)
        if asked.future is not None:
            draft.answers.append((asked, answered(asked, Decided(stream, events, draft.row, base))))

    def _fold(self, draft: Draft, stream: Stream, verdict: Verdict) -> None:
        law: Law = stream.law
        events = verdict.events
        data = law.encode(events)
        law.fold(stream, events)
        if verdict.context is not None:
            if isinstance(verdict.context, Beside):
                draft.beside.append(verdict.context)
            else:
                law.adopt(stream, verdict.context)
        if verdict.values:
            draft.keep(stream.tenant, verdict.values)
        stream.seq += len(events)
        self._keep(draft, stream, events, data, law.changes(stream, events))

    def _keep(self, draft: Draft, stream: Stream, events: list[Any], data: bytes, changes: Changes) -> None:
        """Adds folded and counted events and their changes to the draft."""
        base, count = draft.count, len(events)
        seq = stream.seq - count
        crc = crc32(data, stream.seed)  # same value as `Part.sound` and `chunk_crc`, computed in one pass
        head = b'["%b",%d,' % (stream.name.encode(), seq)
        part = b"%b%b,%d]" % (head, data, crc ^ seq)
        offset = draft.size + len(head)
        stream.chunks.append(Chunk(draft.row, base, draft.at_ms, msgspec.Raw(data), crc ^ base ^ draft.seal, offset))
        draft.parts.append(part)
        draft.size += len(part) + 1
        draft.count = base + count
        partition = stream.place % self.partitions
        draft.counts[partition] = draft.counts.get(partition, 0) + count
        if changes.timers or changes.timers_done or changes.tickets or changes.tickets_done:
            draft.timed.append(changes)
        draft.told.append(Told(stream, seq, base, events, changes))
        if stream.lazy and self.begins is not None and draft.begun < AHEAD_MAX and changes.effects is not None:
            begun = self.begins(stream, changes.effects, draft.row, AHEAD_MAX - draft.begun)
            draft.begun += begun
            draft.ahead += begun
        if changes.status != stream.status:
            stream.status = changes.status
            if not stream.lazy or changes.over:
                draft.heads[stream.name] = stream
        if changes.over:
            stream.ended = True
            draft.ended.append(stream)
        elif stream.seq - stream.kept_from >= SEGMENT_EVENTS:
            self._cutter.due[stream.name] = stream

    def _broke(self, draft: Draft, stream: Stream, asked: Asked, error: Exception) -> None:
        """The law broke: the command fails, the stream is quarantined with the reason, the batch goes on."""
        reason = f"{type(error).__name__}: {said(error)} (on {type(asked.command).__name__})"
        logger().error("law_broke", stream=stream.name, command=type(asked.command).__name__, exc_info=error)
        if asked.future is not None:
            draft.answers.append((asked, Quarantined(f"{stream.name} was set aside: {reason}")))
        if not stream.seq:
            self.streams.pop(stream.name, None)
            return
        events = stream.law.quarantine(stream, reason)
        if events:
            self._fold(draft, stream, Verdict(events, {}))

    def _unread(self, draft: Draft, stream: Stream, verdict: Verdict, asked: Asked) -> bool:
        raise NotImplementedError

    def _attach(self, draft: Draft, stream: Stream, verdict: Verdict) -> None:
        raise NotImplementedError

    def _decide_topic(self, draft: Draft, asked: Asked) -> bool:
        raise NotImplementedError

    # -- messages (see exchange) --------------------------------------------------------------------------------------

    def _unheard(self, draft: Draft, asked: Asked, error: AobError) -> None:
        """Fails a command to an unreadable stream; a message to it still counts as received."""
        if type(asked.command) is Arrival:
            asked.command.refusal = error
            self._take(draft, None, asked)
        else:
            fail(asked, error)

    def _take(self, draft: Draft, stream: Stream | None, asked: Asked) -> None:
        raise NotImplementedError

    def _waits(self, stream: Stream, verdict: Verdict, asked: Asked) -> bool:
        raise NotImplementedError

    def _send(self, draft: Draft, stream: Stream, messages: Sequence[Outgoing]) -> None:
        raise NotImplementedError

    # -- what must be read first ----------------------------------------------------------------------------------

    def _fetch_value(self, asked: Asked, stream: Stream, wanted: Wanted) -> None:
        self._waiting[stream.name] = [asked]
        self.aside(self._read_value(asked, stream, wanted))

    async def _read_value(self, asked: Asked, stream: Stream, wanted: Wanted) -> None:
        error: AobError | None = None
        while True:
            try:
                await self._reach(stream, wanted)
            except Exception as failed:
                error = value_error(failed)
                if asked.future is None and isinstance(error, Unavailable) and error.code not in GONE:
                    # No caller retries: wait until the store is back.
                    if stream.name not in self.stuck:
                        self.stuck[stream.name] = Stuck(self.clock_ms(), outward(error).detail)
                        logger().warning("value_unreadable", stream=stream.name, value=wanted.ref.hex, exc_info=failed)
                    await asyncio.sleep(VALUE_AGAIN_S)
                    error = None
                    continue
            break
        if self.stuck.pop(stream.name, None) is not None:
            logger().info("value_is_back", stream=stream.name, value=wanted.ref.hex)
        # A missing value that the caller named is his error; one that the stream recorded is ours.
        ours = error is not None and error.code in GONE and wanted.ref.hex not in repr(asked.command)
        self._resume(stream.name, error, ours=ours)

    async def _reach(self, stream: Stream, wanted: Wanted) -> None:
        if wanted.refused is not None:
            raise wanted.refused
        try:
            await self._get_value(stream.tenant, wanted.ref.digest)
        except NotFound:
            if not stream.chunks or stream.chunks[-1].row <= self.durable_row:
                raise
            await self.settled(stream)  # it may be in the commit being written
            await self._get_value(stream.tenant, wanted.ref.digest)

    async def settled(self, stream: Stream) -> None:
        """Waits until everything in the memory of a stream is durable."""
        raise NotImplementedError

    def _resume(self, name: str, error: AobError | None, *, ours: bool = False) -> None:
        waiting = self._waiting.pop(name, [])
        self._reading.discard(name)
        if error is not None and waiting:
            asked = waiting.pop(0)
            stream = self.streams.get(name)
            if type(asked.command) is Arrival and (error.code in OWN or not isinstance(error, Unavailable)):
                asked.command.refusal = error
                waiting.insert(0, asked)
            else:
                fail(asked, error)
            if (asked.future is None or ours) and stream is not None:
                waiting.insert(0, Asked(name, SetAside(f"a value cannot be read: {error.detail}"), None, False))
        self._inbox.extendleft(reversed(waiting))
        self._wake.set()


def answered(asked: Asked, decided: Decided) -> Decided | Exception:
    """The answer to give once it is durable. An error in making it affects the answer alone."""
    if asked.reads is not None:
        try:
            decided.said = asked.reads(decided)
        except Exception as error:
            return error
    return decided


def fail(asked: Asked, error: AobError) -> None:
    """Answer a command with an error, if a caller waits."""
    if asked.future is not None and not asked.future.done():
        asked.future.set_exception(error)
