"""Runs plain functions in threads and awaits their answers. A thread can only be fenced. A fenced thread goes on, but
its answer is dropped, another thread takes its place, and it is counted until it ends. Threads are daemons, so that one
that never ends cannot hold the process."""

import asyncio
import contextlib
import contextvars
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar, cast

from aob.core.errors import Unavailable, said
from aob.work.job import WorkError, unheard

T = TypeVar("T")

FENCED_MAX: Final = 256  # with this many unstoppable threads, no new one is started

FENCED_TENANT_MAX: Final = 192  # a tenant's part of these

STOP_S: Final = 1.0


class _Call:
    """One function on its way through a thread."""

    __slots__ = ("context", "fenced", "fn", "future", "loop", "running", "started", "tenant")

    def __init__(self, fn: Callable[[], object], started: Callable[[], None], tenant: str) -> None:
        self.fn = fn
        self.tenant = tenant
        self.started = started
        self.context = contextvars.copy_context()
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[object] = self.loop.create_future()
        self.fenced = False
        self.running = False


class Threads(contextlib.AbstractAsyncContextManager["Threads"]):
    """As many threads as concurrent calls, kept for later ones. The pool bounds their number."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._free = 0
        self._fenced = 0
        self._fenced_by: Counter[str] = Counter()
        self._closed = False
        self._process = os.getpid()

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def fenced(self) -> int:
        """The number of threads that still run an abandoned call."""
        return self._fenced

    async def run(self, fn: Callable[[], T], started: Callable[[], None] = unheard, tenant: str = "") -> T:
        """Call `fn` of a tenant in a thread and await its answer or exception. `started` is called on the loop when it
        begins. Cancelling the awaiting task fences the call. Raises WorkError `threads_exhausted` (transient) when too
        many threads are fenced."""
        call = _Call(fn, started, tenant)
        with self._lock:
            if self._closed:
                raise Unavailable("the platform is stopping", code="stopping")
            if self._fenced >= FENCED_MAX or self._fenced_by[tenant] >= FENCED_TENANT_MAX:
                raise WorkError(
                    f"{self._fenced} threads do not end and cannot be stopped",
                    code="threads_exhausted",
                    detail={
                        "fenced": self._fenced,
                        "hint": "make these handlers async or cpu, so that they can be ended",
                    },
                )
            if self._free > 0:
                self._free -= 1
            else:
                thread = threading.Thread(target=self._serve, name=f"aob-handler-{len(self._threads)}", daemon=True)
                self._threads.add(thread)
                thread.start()
        self._calls.put(call)
        try:
            return cast(T, await call.future)
        except asyncio.CancelledError:
            with self._lock:
                # A call that has not begun will not; one that has ended needs no fence.
                call.fenced = True
                if call.running:
                    self._fenced += 1
                    self._fenced_by[tenant] += 1
            raise

    async def stop(self) -> None:
        """Let all threads end that can. Idempotent."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        for _ in threads:
            self._calls.put(None)
        waiting = [thread for thread in threads if thread.is_alive()]
        if waiting and not self._fenced:
            await asyncio.to_thread(_join, waiting)

    def _serve(self) -> None:
        me = threading.current_thread()
        while (call := self._calls.get()) is not None:
            with self._lock:
                call.running = not call.fenced
                if call.fenced:
                    self._free += 1
            if call.running:
                self._perform(call)
        with self._lock:
            self._threads.discard(me)

    def _perform(self, call: _Call) -> None:
        self._post(call, call.started)
        answer: object = None
        error: BaseException | None = None
        try:
            answer = call.context.run(call.fn)
        except BaseException as raised:  # SystemExit too: it is the handler's answer, not the end of the thread
            error = raised
        if os.getpid() != self._process:
            os._exit(0)  # the handler has forked, and its child returned: it is no server
        with self._lock:
            call.running = False
            # Free before the answer is delivered: its receiver may call again and reuse this thread.
            self._free += 1
            if call.fenced:
                self._fenced -= 1
                self._fenced_by[call.tenant] -= 1
                self._fenced_by += Counter()  # drops tenants without any
                return
        self._post(call, _settle, call.future, answer, error)

    def _post(self, call: _Call, fn: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: no caller waits any more
            call.loop.call_soon_threadsafe(fn, *args)


def _settle(future: "asyncio.Future[object]", answer: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    elif isinstance(error, StopIteration | GeneratorExit | KeyboardInterrupt | asyncio.CancelledError):
        # A future cannot carry these unchanged.
        future.set_exception(RuntimeError(f"{type(error).__name__}: {said(error)}"))
    else:
        future.set_exception(error)


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(STOP_S)
