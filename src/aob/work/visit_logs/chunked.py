"""Lines that handlers log, where several processes have the runs of a home: each process keeps its lines in memory for
a moment and stores them in chunks that all read. What a killed process had not stored is lost, and nothing comes twice.
Only stored lines are read, so every reader has them in the same order and none that are lost later."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from aob.core.errors import Unavailable, said
from aob.ports.logger import Logger
from aob.ports.visit_logs import CHUNK_BYTES, Chunk, Line, LogChunks
from aob.work.visit_logs.line import Follower, encoded, missing, picker

WAIT_S: Final = 1.0  # how long a line waits for others at most: stored it is within 2 s of its writing
AGAIN_S: Final = 1.0  # pause after a store that was away
FOLLOWED_S: Final = 0.1  # the same where somebody follows the run
POLL_S: Final = 1.0  # how often a follower looks for lines of other processes
FLUSH_S: Final = 2.0  # how long one waits for what is written to be stored
BATCH_BYTES: Final = 4 * 1024 * 1024  # stored at once
HELD_BYTES: Final = 32 * 1024 * 1024  # in memory while the store is slow or away; further lines are dropped


class _Run:
    """Lines of a run that are not known to be stored: those of a chunk that is being stored (`sending` numbers), then
    those after it. `dropped` lines would have come before the number `gap`. A reader counts as long as it reads."""

    __slots__ = ("dropped", "first", "followers", "gap", "lines", "over", "readers", "sending", "size", "tenant")

    def __init__(self, first: int) -> None:
        self.tenant = ""
        self.lines: list[bytes] = []
        self.first = first  # the number of the first of all these lines
        self.sending = self.dropped = self.gap = self.readers = self.size = 0
        self.over = False
        self.followers: set[Follower] = set()

    @property
    def end(self) -> int:
        """The number of the next line."""
        return self.first + self.sending + len(self.lines)

    @property
    def idle(self) -> bool:
        return not (self.lines or self.sending or self.readers or self.dropped)


class ChunkedLogs:
    """The visit logs of a process. `run` stores what is written; `close` ends that."""

    def __init__(
        self, chunks: LogChunks, now_ms: Callable[[], int], *, chunk_bytes: int = CHUNK_BYTES,
        held_bytes: int = HELD_BYTES, wait_s: float = WAIT_S, poll_s: float = POLL_S, log: Logger | None = None,
    ) -> None:  # fmt: skip
        self._chunks, self._now_ms, self._log = chunks, now_ms, log or Logger("aob.work")
        self._chunk_bytes, self._held_bytes, self._wait_s, self._poll_s = chunk_bytes, held_bytes, wait_s, poll_s
        self._writer = secrets.token_hex(8)
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._waiting: dict[str, _Run] = {}  # those that have lines to store, in the order of their first
        self._held = self._begun = 0
        self._told = 0  # 1: that something is there, 2: that somebody waits for it, 3: that it is much
        self._something, self._sooner, self._at_once = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []
        self._storing: asyncio.Task[None] | None = None
        self.dropped = 0

    # -- writing ----------------------------------------------------------------------------------------------------

    def opened(self, run: str, visit: str, tenant: str) -> Callable[..., None]:
        """A function that writes lines of a visit: `line(message, attempt, fields)`."""

        def line(message: str, attempt: int, fields: Mapping[str, object]) -> None:
            self.write(run, visit, attempt, message, fields, tenant)

        return line

    def write(
        self, run: str, visit: str, attempt: int, message: str, fields: Mapping[str, object], tenant: str = ""
    ) -> None:
        """Add a line. What is too much is dropped and counted."""
        data = encoded(visit, self._now_ms(), attempt, message, fields)
        with self._lock:
            state = self._state(run)
            state.tenant = tenant or state.tenant
            if self._held + len(data) <= self._held_bytes:
                state.lines.append(data)
                state.size += len(data)
                self._held += len(data)
            else:
                self._drops(state, run, "the store takes none", state.end)
            self._waiting[run] = state
            full = state.size > self._chunk_bytes or self._held > BATCH_BYTES
            how = 3 if full else 2 if state.followers else 1
            tell, self._told = how > self._told, max(how, self._told)
        if tell:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._tell, how)

    def _tell(self, how: int) -> None:
        for event in (self._something, self._sooner, self._at_once)[:how]:
            event.set()

    def _drops(self, state: _Run, run: str, why: str, before: int, lines: int = 1) -> None:
        if not self.dropped:
            self._log.warning("visit_log_dropped", run=run, reason=why)
        state.gap = state.gap if state.dropped else before
        self.dropped += lines
        state.dropped += lines

    def finish(self, run: str) -> None:
        """The run is over, or goes on elsewhere: its followers end."""
        if run not in self._runs:
            return
        with self._lock:
            state = self._runs.get(run)
            if state is None:
                return
            state.over = True
            followers = list(state.followers)
            self._tells(run, state)
            self._forget(run, state)
        for follower in followers:
            follower.wake()

    def _tells(self, run: str, state: _Run) -> None:
        """Lines that were dropped are told although none comes after them."""
        if state.dropped and run not in self._waiting:
            self._waiting[run] = state
            self._tell(1)

    def _state(self, run: str) -> _Run:
        state = self._runs.get(run)
        if state is None:
            state = self._runs[run] = _Run(self._begun)
        return state

    def _forget(self, run: str, state: _Run) -> None:
        """Numbers of lines go on behind those of every run that was forgotten, so that none is used twice."""
        if state.idle and self._runs.get(run) is state:
            self._begun = max(self._begun, state.end)
            del self._runs[run]

    # -- storing ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """From now on what is written is stored."""
        self._storing = asyncio.create_task(self._run(), name="aob-visit-logs")

    async def flush(self) -> None:
        """Store what was written until now; in vain when the store is away."""
        if self._storing is None or self._storing.done() or not (self._held or self._waiting):
            return
        done = self._loop.create_future()
        self._flushes.append(done)
        self._tell(3)
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await done

    async def close(self) -> None:
        """Store what there is, within a moment, and end all followers. Idempotent."""
        for run, state in self._runs.items():
            self._tells(run, state)
        await self.flush()
        if self._storing is not None:
            self._storing.cancel()
            with suppress(asyncio.CancelledError):
                await self._storing
        for run in list(self._runs):
            self.finish(run)

    async def _run(self) -> None:
        while True:
            await self._something.wait()
            with suppress(TimeoutError):
                for event, wait_s in ((self._sooner, self._wait_s), (self._at_once, FOLLOWED_S)):
                    async with asyncio.timeout(wait_s):
                        await event.wait()
            for event in (self._something, self._sooner, self._at_once):
                event.clear()
            with self._lock:
                self._told = 0
            flushes, self._flushes = self._flushes, []
            while taken := self._taken():
                await self._store(taken)
            for done in flushes:
                if not done.done():
                    done.set_result(None)

    def _taken(self) -> list[Chunk]:
        """The next lines of runs that wait, a chunk a run."""
        found, size = list[Chunk](), 0
        with self._lock:
            for run, state in list(self._waiting.items()):
                if size >= BATCH_BYTES:
                    break
                chunk = self._chunk(run, state)
                size += len(chunk.data)
                found.append(chunk)
                if not (state.lines or state.dropped):
                    del self._waiting[run]
        return found

    def _chunk(self, run: str, state: _Run) -> Chunk:
        """The first lines of a run, at least one. A chunk begins where lines are missing; one without lines stands for
        those that were dropped at the end."""
        count = size = dropped = 0
        tenant = state.tenant or "default"
        if not state.lines:
            state.sending, state.dropped = state.dropped, 0
            return Chunk(run, tenant, self._writer, state.first, state.sending, b"")
        if state.dropped and state.gap <= state.first:
            dropped, state.dropped = state.dropped, 0
        for line in state.lines:
            if count and (size + len(line) > self._chunk_bytes or (state.dropped and state.first + count == state.gap)):
                break
            count, size = count + 1, size + len(line)
        data, state.lines = b"".join(state.lines[:count]), state.lines[count:]
        state.sending = count
        state.size -= size
        return Chunk(run, tenant, self._writer, state.first, count, data, dropped)

    async def _store(self, chunks: Sequence[Chunk]) -> None:
        """Store them; when the store refuses them, those of them that it takes alone."""
        lost = await self._added(chunks)
        if lost and len(chunks) > 1:
            for chunk in chunks:
                await self._store([chunk])
            return
        followers = list[Follower]()
        with self._lock:
            for chunk in chunks:
                state = self._runs[chunk.run]
                followers += state.followers
                self._held -= len(chunk.data)
                state.first += chunk.lines
                state.sending = 0
                if lost and chunk.data:
                    self._drops(state, chunk.run, lost, state.first, chunk.lines)
                    state.dropped += chunk.dropped  # which are counted already
                    if state.over:
                        self._tells(chunk.run, state)
                elif lost and not state.over:  # that lines are missing is told with the next one
                    state.gap = state.gap if state.dropped else state.first
                    state.dropped += chunk.lines
                self._forget(chunk.run, state)
        for follower in followers:
            follower.event.set()

    async def _added(self, chunks: Sequence[Chunk]) -> str:
        """Why the store will never take them; empty: they are there. The same again while it is away: what was stored
        meanwhile is there once."""
        told = ""
        while True:
            try:
                await self._chunks.add(chunks)
                return ""
            except Unavailable as error:
                if error.code != told:
                    self._log.warning("visit_logs_wait", code=error.code, detail=error.detail)
                told = error.code
                await asyncio.sleep(AGAIN_S)
            except Exception as error:
                return said(error)

    # -- reading ----------------------------------------------------------------------------------------------------

    async def having(self, runs: Sequence[str]) -> list[str]:
        """Those of some runs that have lines, here or stored."""
        stored = set(await self._chunks.having(runs))
        return [run for run in runs if run in stored or self._has_here(run)]

    def _has_here(self, run: str) -> bool:
        state = self._runs.get(run)
        return state is not None and bool(state.lines or state.sending or state.dropped)

    async def remove(self, run: str) -> None:
        """Remove the lines of a run."""
        self.finish(run)
        await self.flush()  # else a chunk that is on its way comes after the removal
        with self._lock:
            state = self._runs.get(run)
            if state is not None:
                self._held -= state.size
                self._waiting.pop(run, None)
                state.lines, state.size, state.dropped = [], 0, 0
                self._forget(run, state)
        await self._chunks.remove(run)

    async def read(
        self, run: str, *, visit: str = "", node: str = "", follow: Callable[[], bool] | None = None
    ) -> AsyncIterator[Line]:
        """The lines of a run, those that wait here among them; with `follow` also what comes, until `finish` or until
        it says that the run is no more live."""
        number = lines = 0
        pick = picker(visit, node)
        with self._reading(run, follow is not None) as (state, follower):
            while True:
                over = follow is None or state.over or not follow()
                follower.event.clear()
                if over and self._has_here(run):
                    with self._lock:
                        self._tells(run, state)
                    await self.flush()
                while found := await self._chunks.read(run, number):
                    for chunk in found:
                        # A reader from the beginning gets the last lines of a long log.
                        lost = chunk.dropped + (chunk.upto_lines - chunk.lines - lines if number else 0)
                        lost += 0 if chunk.data else chunk.lines
                        number, lines = chunk.number, chunk.upto_lines
                        if lost:
                            yield missing(lost, self._now_ms())
                        for line in _decoded(chunk.data.splitlines(), pick):
                            yield line
                if over:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await follower.event.wait()

    @contextmanager
    def _reading(self, run: str, follow: bool) -> Iterator[tuple[_Run, Follower]]:
        """A run is not forgotten while one reads it."""
        follower = Follower()
        with self._lock:
            state = self._state(run)
            state.readers += 1
            if follow:
                state.over = state.over and bool(state.followers)  # it may have come back since
                state.followers.add(follower)
        try:
            yield state, follower
        finally:
            with self._lock:
                state.followers.discard(follower)
                state.readers -= 1
                self._forget(run, state)


def _decoded(lines: Sequence[bytes], pick: Callable[[bytes], bool]) -> Iterator[Line]:
    for raw in lines:
        if pick(raw):
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(raw, type=Line)
