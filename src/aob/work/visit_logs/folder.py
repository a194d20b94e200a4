"""Lines that handlers log, in files of the home: a bounded folder for each run, never in the journal. Writing never
fails a handler: lines that the disk rejects are dropped and counted. Followers are woken, not polled."""

import asyncio
import contextlib
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from aob.core.errors import said
from aob.ports.logger import Logger
from aob.ports.visit_logs import Line
from aob.work.visit_logs.line import Follower, encoded, picker

SEGMENT_MAX: Final = 1024 * 1024
SEGMENTS_MAX: Final = 8  # a run keeps its last lines: at most this many files of this size

OPEN_MAX: Final = 64
CHUNK: Final = 256 * 1024


class _Run:
    """The file being written for a run, and the readers that wait for its next line."""

    __slots__ = ("followers", "handle", "number", "over", "size")

    def __init__(self) -> None:
        self.handle = -1
        self.number = 0
        self.size = 0
        self.over = False
        self.followers: set[Follower] = set()


class Logs:
    """The visit logs of a home. Lines may come from any thread; a run is read in the process that writes it."""

    def __init__(
        self,
        root: Path,
        now_ms: Callable[[], int],
        *,
        segment_max: int = SEGMENT_MAX,
        segments_max: int = SEGMENTS_MAX,
        log: Logger | None = None,
    ) -> None:
        self._root, self._now_ms = root, now_ms
        self._segment_max, self._segments_max = segment_max, segments_max
        self._log = log or Logger("aob.work")
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self.dropped = 0

    def opened(self, run: str, visit: str, tenant: str) -> Callable[..., None]:
        """A function that writes lines of a visit: `line(message, attempt, fields)`."""

        def line(message: str, attempt: int, fields: Mapping[str, object]) -> None:
            self.write(run, visit, attempt, message, fields)

        return line

    def write(
        self, run: str, visit: str, attempt: int, message: str, fields: Mapping[str, object], tenant: str = ""
    ) -> None:
        """Add a line and wake followers. Never raises for disk errors."""
        data = encoded(visit, self._now_ms(), attempt, message, fields)
        with self._lock:
            state = self._state(run)
            try:
                self._append(run, state, data)
            except Exception as error:
                self.dropped += 1
                self._shut(state)
                if self.dropped == 1:
                    self._log.warning("visit_log_dropped", run=run, reason=said(error))
            followers = list(state.followers)
        for follower in followers:
            follower.wake()

    def finish(self, run: str) -> None:
        """The run is over: close its file and end its followers."""
        with self._lock:
            state = self._runs.pop(run, None)
            if state is None:
                return
            state.over = True
            self._shut(state)
            followers = list(state.followers)
        for follower in followers:
            follower.wake()

    async def flush(self) -> None:
        """Does nothing: each line is in its file at once."""

    async def having(self, runs: Sequence[str]) -> list[str]:
        """Those of some runs that have lines."""
        return await asyncio.to_thread(lambda: [run for run in runs if self._folder(run).exists()])

    async def remove(self, run: str) -> None:
        """Remove the lines of a run."""
        self.finish(run)
        await asyncio.to_thread(shutil.rmtree, self._folder(run), ignore_errors=True)

    def close(self) -> None:
        """Close all files and end all followers. Idempotent."""
        for run in list(self._runs):
            self.finish(run)

    async def read(
        self, run: str, *, visit: str = "", node: str = "", follow: Callable[[], bool] | None = None
    ) -> AsyncIterator[Line]:
        """The lines of a run in the order they were written; of one visit, or of all visits of a node. With `follow`,
        which says whether the run is still live, it waits for more until `finish` or until it is not."""
        reader = _Reader(self._folder(run), picker(visit, node))
        with self._following(run, follow is not None) as following:
            while True:
                over = following is None or follow is None or following[0].over or not follow()
                async for line in reader.lines():
                    yield line
                if over or following is None:
                    return
                await following[1].event.wait()
                following[1].event.clear()

    @contextlib.contextmanager
    def _following(self, run: str, follow: bool) -> Iterator[tuple[_Run, Follower] | None]:
        if not follow:
            yield None
            return
        follower = Follower()
        with self._lock:
            state = self._state(run)
            state.followers.add(follower)
        try:
            yield state, follower
        finally:
            with self._lock:
                state.followers.discard(follower)

    def _state(self, run: str) -> _Run:
        state = self._runs.get(run)
        if state is None:
            state = self._runs[run] = _Run()
            if len(self._runs) > OPEN_MAX:
                self._close_one()
        self._runs.move_to_end(run)
        return state

    def _close_one(self) -> None:
        for name, state in self._runs.items():
            if not state.followers:
                self._shut(state)
                del self._runs[name]
                return

    def _append(self, run: str, state: _Run, data: bytes) -> None:
        if state.handle < 0:
            self._open(run, state)
        if state.size and state.size + len(data) > self._segment_max:
            self._shut(state)
            self._open(run, state, state.number + 1)
        os.write(state.handle, data)
        state.size += len(data)

    def _open(self, run: str, state: _Run, number: int = 0) -> None:
        folder = self._folder(run)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = _segments(folder)
        state.number = number or (numbers[-1] if numbers else 1)
        for old in numbers[: max(0, len(numbers) + (state.number not in numbers) - self._segments_max)]:
            _segment(folder, old).unlink(missing_ok=True)
        path = _segment(folder, state.number)
        state.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        state.size = os.fstat(state.handle).st_size
        if state.size and os.pread(state.handle, 1, state.size - 1) != b"\n":
            # A crash cut the last line: end it, so that the next one is separate.
            state.size += os.write(state.handle, b"\n")

    def _shut(self, state: _Run) -> None:
        if state.handle >= 0:
            os.close(state.handle)
            state.handle = -1

    def _folder(self, run: str) -> Path:
        name = quote(run, safe="")
        return self._root / (name if name.strip(".") else f"%{len(name)}")


class _Reader:
    """Reads whole lines, and remembers where it stopped."""

    def __init__(self, folder: Path, pick: Callable[[bytes], bool]) -> None:
        self._folder, self._pick = folder, pick
        self._number = 0
        self._offset = 0

    async def lines(self) -> AsyncIterator[Line]:
        while True:
            chunk = self._chunk()
            if not chunk:
                return
            for raw in chunk.splitlines():
                if self._pick(raw):
                    with contextlib.suppress(msgspec.DecodeError):
                        yield msgspec.json.decode(raw, type=Line)
            await asyncio.sleep(0)  # yield while reading a long log

    def _chunk(self) -> bytes:
        """The next whole lines, of this segment or the next existing one."""
        for number in _segments(self._folder):
            if number < self._number:
                continue
            if number > self._number:
                self._number, self._offset = number, 0
            try:
                with _segment(self._folder, number).open("rb") as file:
                    file.seek(self._offset)
                    data = file.read(CHUNK)
            except FileNotFoundError:
                continue  # it was just evicted
            whole = data[: data.rfind(b"\n") + 1]
            if whole:
                self._offset += len(whole)
                return whole
        return b""


def _segments(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(name[:-6]) for name in names if name.endswith(".jsonl") and name[:-6].isdecimal())


def _segment(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.jsonl"
