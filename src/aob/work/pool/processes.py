"""Runs calls of `cpu` handlers in processes that a cancel kills, one pipe and one call each. Started at first call."""

import asyncio
import contextlib
import functools
import multiprocessing
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec

from aob.core.errors import Unavailable, said
from aob.core.value import canonical
from aob.ports.workers import Done, Fault, decode_result
from aob.work.handlers import APP_PREFIX
from aob.work.job import WorkError, permanent, unheard
from aob.work.pool.child import Call, serve
from aob.work.pool.priority_queue import PriorityQueue
from aob.work.pool.shares import Shares
from aob.work.pool.threads import Threads

END_S: Final = 2.0  # how long an idle process may take to end before it is killed


def call_of(
    fn: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object], *, typed: bool = False
) -> Call:
    """A call of a function in a form for another process. Raises WorkError when the input is not JSON."""
    module = fn.__module__
    known = sys.modules.get(module)
    file = (getattr(known, "__file__", "") or "") if module.startswith(APP_PREFIX) else ""
    try:
        return Call(module, fn.__qualname__, file, canonical(args), canonical(kwargs), typed)
    except (TypeError, ValueError) as error:
        raise permanent(f"the input is not JSON: {said(error)}", code="input_not_json") from error


class Child:
    """One process, and our ends of its pipes. Its methods block."""

    def __init__(self) -> None:
        # Spawned, not forked: a fork of a process with threads and an event loop inherits locks that are never
        # released.
        context = multiprocessing.get_context("spawn")
        self._calls, theirs = context.Pipe()
        ending, self._lifeline = context.Pipe(duplex=False)
        self._in_use = threading.Lock()
        # A daemon: a program that ends without stopping us must not wait for a handler that never ends.
        self.process = context.Process(target=serve, args=(theirs, ending), name="aob-cpu", daemon=True)
        self.process.start()
        theirs.close()
        ending.close()

    def exchange(self, data: bytes) -> bytes:
        """Send a call and wait for its answer. Raises EOFError or OSError when the process dies."""
        with self._in_use:
            self._calls.send_bytes(data)
            return self._calls.recv_bytes()

    def kill(self) -> None:
        """Kill it now."""
        self.process.kill()

    def end(self) -> int | None:
        """Let it end, or kill it; returns its exit code. Waits for an exchange under way: kill it first."""
        with self._in_use:
            self._calls.close()
        self.process.join(END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(END_S)
        self._lifeline.close()
        return self.process.exitcode


class Processes(contextlib.AbstractAsyncContextManager["Processes"]):
    """`limit` processes for `cpu` handlers, and spare ones for tenants that hold few (`Shares`)."""

    def __init__(self, limit: int) -> None:
        self._free: list[Child] = []
        self._busy: set[Child] = set()
        self._shares = Shares(limit)
        self._waiting: PriorityQueue[tuple[str, asyncio.Future[None]]] = PriorityQueue()
        self._threads = Threads()
        self._ending: set[asyncio.Future[Any]] = set()
        self._closed = False

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def run(self, call: Call, started: Callable[[], None] = unheard, tenant: str = "") -> Done:
        """Make a tenant's call in a process. Cancelling the awaiting task kills that process; `started` is called when
        there is a process for it. Raises WorkError: the handler's own fault, or `process_died` (transient) when the
        process ended by itself."""
        async with self._place(tenant):
            child = await self._begun()
            started()
            self._busy.add(child)
            try:
                work = functools.partial(child.exchange, msgspec.msgpack.encode(call))
                result = decode_result(await self._threads.run(work))
            except (EOFError, OSError) as error:
                raise await self._died(child, call) from error
            except BaseException:
                child.kill()
                self._end(child)
                raise
            finally:
                self._busy.discard(child)
            self._free.append(child)
        if isinstance(result, Fault):
            raise WorkError(result.message, code=result.code, transient=result.transient, detail=result.detail)
        return result

    async def stop(self) -> None:
        """Kill running calls and end all processes. Idempotent."""
        self._closed = True
        for child in self._busy:
            child.kill()
        while self._free:
            self._end(self._free.pop())
        while self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)
        await self._threads.stop()

    @contextlib.asynccontextmanager
    async def _place(self, tenant: str) -> AsyncIterator[None]:
        """A place for one call; waiting calls take turns by tenant."""
        if self._shares.may(tenant):
            self._shares.take(tenant)
        else:
            granted = asyncio.get_running_loop().create_future()
            self._waiting.push((tenant, granted), "", tenant)
            try:
                await granted
            except asyncio.CancelledError:
                if not granted.cancelled():
                    self._leave(tenant)
                raise
        try:
            yield
        finally:
            self._leave(tenant)

    def _leave(self, tenant: str) -> None:
        self._shares.give(tenant)
        while (next_ := self._waiting.pop_that(lambda waits: self._shares.may(waits[0]))) is not None:
            if not next_[1].done():
                self._shares.take(next_[0])
                next_[1].set_result(None)

    async def _begun(self) -> Child:
        if self._closed:
            raise Unavailable("the platform is stopping", code="stopping")
        while self._free:
            child = self._free.pop()
            if child.process.is_alive():
                return child
            self._end(child)  # it died while idle, which fails no call
        making = asyncio.ensure_future(self._threads.run(Child))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._ending.add(making)
            making.add_done_callback(self._unwanted)
            raise

    def _unwanted(self, making: "asyncio.Future[Child]") -> None:
        self._ending.discard(making)
        if not making.cancelled() and making.exception() is None:
            self._end(making.result())

    async def _died(self, child: Child, call: Call) -> WorkError:
        code = await self._threads.run(child.end)
        return WorkError(
            f"the process of {call.qualname} died with exit code {code}",
            code="process_died",
            detail={
                "exit_code": code,
                "sent": True,
                "hint": "a crash in native code, or killed for using too much memory",
            },
        )

    def _end(self, child: Child) -> None:
        task = asyncio.ensure_future(self._threads.run(child.end))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
