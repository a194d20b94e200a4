"""Keeps a worker process at work: starts it again when it dies, replaces it when its code changes, ends it in order.

A handler can end its process, never this one. What a dead process held is performed again.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import msgspec

from aob.compose.worker.memory import largest_over
from aob.compose.worker.variables import passed_on
from aob.core.answers import JsonObject
from aob.core.errors import AobError, Unavailable
from aob.core.problem import error_of, problem_of
from aob.worker import DRAIN, DRAIN_S, Plan, Told

PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 10.0
STEADY_S: Final = 30.0  # a process that lived this long is started again with the first pause
LATE_S: Final = 5.0  # how long a process may take to end after its drain
LOOK_S: Final = 0.1  # how often its memory is looked at

Said = Callable[[str, JsonObject], None]
"""Hears the events of a worker, for people and programs."""

_told: Final = msgspec.json.Decoder(Told)


class Kept:
    """One worker process. `loaded`: its code has been loaded; `failed` is why it could not begin, or go on."""

    failed: AobError | None = None
    loaded = drained = False
    why = ""

    def __init__(self, plan: Plan, process: Process, pipe: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        self.plan, self.process, self._pipe, self._out = plan, process, pipe, out
        self.since = time.monotonic()
        self.ended = asyncio.Event()

    @classmethod
    async def begin(cls, plan: Plan) -> "Kept":
        """Start the process and give it its plan."""
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            handle = theirs.fileno()
            words = sys.executable, "-m", "aob.compose.worker", str(handle)
            env = passed_on(os.environ, home=bool(plan.home))
            process = await asyncio.create_subprocess_exec(*words, pass_fds=(handle,), stdin=DEVNULL, env=env)
        pipe, out = await asyncio.open_connection(sock=ours, limit=1024 * 1024)
        out.write(msgspec.json.encode(plan) + b"\n")
        return cls(plan, process, pipe, out)

    async def told(self) -> AsyncIterator[Told]:
        """Its events, until it has ended."""
        with contextlib.suppress(OSError, ValueError):
            while line := await self._pipe.readline():
                told = _told.decode(line)
                if told.event == "loaded":
                    self.loaded = True
                elif told.event == "failed":
                    self.failed = error_of(told.facts, int(str(told.facts.get("status", 500))))
                yield told
        await self.process.wait()
        self._out.close()

    def drain(self) -> None:
        """Let it end in order."""
        self.drained = True
        with contextlib.suppress(OSError):
            self._out.write(DRAIN)

    def kill(self, why: str = "") -> None:
        """End it now."""
        self.why = self.why or why
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class Plans(Protocol):
    """Makes the plan of the next process."""

    def __call__(self, *, replaces: bool, found: bool) -> Plan:
        """With `replaces`, the process before goes on until this one is there; `found`: one was welcome already."""


class Keeper:
    """Runs until told to stop. `changes` yields when the code has changed: a process with the new code takes over from
    the one before, which ends what it has begun; code that is broken changes nothing, and is waited out."""

    def __init__(
        self, plan: Plans, said: Said, *, memory: int = 0, changes: AsyncIterator[object] | None = None
    ) -> None:
        self._plan, self._said, self._memory, self._changes = plan, said, memory, changes
        self._all: dict[Kept, asyncio.Task[None]] = {}
        self._now: Kept | None = None
        self._next: Kept | None = None
        self._error: AobError | None = None
        self._stop = asyncio.Event()
        self._moved = asyncio.Event()
        self._again: asyncio.TimerHandle | None = None
        self._pause_s = PAUSE_FIRST_S
        self._found = False

    def stop(self) -> None:
        """The first time: drain. The second time: end at once."""
        for kept in self._all:
            if self._stop.is_set():
                kept.kill("stopped at once")
            else:
                kept.drain()
        self._stop.set()
        self._moved.set()

    async def run(self) -> None:
        """Keep a process until `stop`. Raises the error of code that cannot be loaded, or of a server that refuses."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self.stop)
        watching = [asyncio.create_task(self._watch_memory(), name="aob-worker-memory")] if self._memory else []
        if self._changes is not None:
            watching.append(asyncio.create_task(self._watch_code(self._changes), name="aob-worker-code"))
        try:
            await self._begin()
            while not (self._stop.is_set() or self._error is not None):
                self._moved.clear()
                await self._moved.wait()
            await self._end()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            for kept in list(self._all):
                kept.kill()
            await asyncio.gather(*self._all.values(), return_exceptions=True)
            if self._again is not None:
                self._again.cancel()
        if self._error is not None:
            raise self._error

    async def _begin(self) -> None:
        """Start the next process; the present one works until it is connected."""
        if self._next is not None:
            self._next.kill("replaced before it was ready")
        plan = self._plan(replaces=self._now is not None, found=self._found)
        kept = self._next = await Kept.begin(plan)
        self._all[kept] = asyncio.create_task(self._hear(kept), name="aob-worker-process")
        if self._stop.is_set():
            kept.drain()

    async def _hear(self, kept: Kept) -> None:
        try:
            async for told in kept.told():
                if told.event == "connected" and kept is self._next:
                    self._takes_over(kept)
                if told.event != "failed":
                    self._said(told.event, {**told.facts, "pid": kept.process.pid})
        finally:
            kept.ended.set()
            self._all.pop(kept, None)
            self._left(kept)
            self._moved.set()

    def _takes_over(self, kept: Kept) -> None:
        before, self._now, self._next, self._found = self._now, kept, None, True
        if before is not None and not before.ended.is_set():
            before.drain()

    def _left(self, kept: Kept) -> None:
        """A process has ended: in order, because it could not begin, or by itself."""
        ours = kept in (self._now, self._next)
        if kept is self._now:
            self._now = None
        if kept is self._next:
            self._next = None
        if kept.failed is not None:
            if self._changes is None or kept.loaded:
                self._error = kept.failed  # a server that refuses will refuse what comes next, too
            else:
                self._said("not_loaded", {**problem_of(kept.failed), "keeps": self._now is not None})
            return
        status = kept.process.returncode
        if kept.drained or self._stop.is_set() or not ours:
            self._said("ended", {"pid": kept.process.pid, "status": status, **({"why": kept.why} if kept.why else {})})
            return
        lived = time.monotonic() - kept.since
        self._pause_s = PAUSE_FIRST_S if lived > STEADY_S else min(2 * self._pause_s, PAUSE_MAX_S)
        facts: JsonObject = {"pid": kept.process.pid, "how": kept.why or _how(status), "again_s": self._pause_s}
        self._said("died", facts)
        self._again = asyncio.get_running_loop().call_later(self._pause_s, self._start_again)

    def _start_again(self) -> None:
        if not self._stop.is_set() and self._now is None and self._next is None:
            beginning = asyncio.ensure_future(self._begin())
            beginning.add_done_callback(self._begun)

    def _begun(self, beginning: "asyncio.Future[None]") -> None:
        error = None if beginning.cancelled() else beginning.exception()
        if error is not None:
            self._error = Unavailable(f"the worker's process cannot be started: {error}", code="worker_failed")
            self._moved.set()

    async def _end(self) -> None:
        """Wait for processes that drain, and kill those that do not end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S + LATE_S):
                while self._all:
                    await next(iter(self._all)).ended.wait()

    async def _watch_code(self, changes: AsyncIterator[object]) -> None:
        async for _ in changes:
            if not self._stop.is_set():
                self._said("changed", {})
                await self._begin()

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for kept in list(self._all):
                found = await asyncio.to_thread(largest_over, kept.process.pid, self._memory)
                if found is None:
                    continue
                pid, size = found
                self._said("over_memory", {"pid": pid, "bytes": size, "limit": self._memory})
                if pid == kept.process.pid:
                    kept.kill(f"it used {size:,} bytes of memory, and {self._memory:,} are allowed")
                else:  # a process of a `cpu` handler: only its call fails
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


def _how(status: int | None) -> str:
    """How a process ended by itself, for people."""
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-status).name}"
    return f"with exit code {status}"
