"""Calls of `cpu` handlers in, canonical JSON out: processes that a cancel kills. Begun at the first call.

The child imports the application by itself and answers with bytes, so nothing but JSON ever crosses. A killed process
is replaced; the calls of others are not touched.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from aob.core.event import canonical
from aob.work.job import Done, Fault, WorkError, unheard
from aob.work.outcome import fault_of, finished

if TYPE_CHECKING:
    from pebble import ProcessPool


class Call(msgspec.Struct, frozen=True):
    """Where to find a function again in another process, and what to call it with (canonical JSON).

    `file` is set when the module was loaded from a file's path and not by its name.
    """

    module: str
    qualname: str
    file: str
    args: bytes
    kwargs: bytes


def call_of(fn: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> Call:
    """The call of a function as another process can make it. Raises WorkError when the input is not JSON."""
    module = fn.__module__
    known = sys.modules.get(module)
    file = (getattr(known, "__file__", "") or "") if module.startswith("aob_app_") else ""
    try:
        return Call(module, fn.__qualname__, file, canonical(args), canonical(kwargs))
    except (TypeError, ValueError) as error:
        raise WorkError(f"the input is not JSON: {error}", code="input_not_json", transient=False) from error


class Processes:
    """At most `limit` processes for `cpu` handlers."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pool: ProcessPool | None = None
        self._opening: asyncio.Lock = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def run(self, call: Call, started: Callable[[], None] = unheard) -> Done:
        """Make the call in a process. Cancelling the awaiting task kills that process; `started` is called when there
        is a process for it.

        Raises WorkError: the handler's own fault, or `process_died` (transient) when the process ended by itself.
        """
        from pebble import ProcessExpired

        pool = await self._opened()
        future = pool.schedule(perform_call, args=(call,))
        started()
        try:
            answer = await asyncio.wrap_future(future)
        except ProcessExpired as error:
            raise WorkError(
                f"the process of {call.qualname} died with exit code {error.exitcode}",
                code="process_died",
                detail={"exit_code": error.exitcode, "hint": "a crash in native code, or killed for using much memory"},
            ) from error
        if isinstance(answer, Fault):
            raise WorkError(answer.message, code=answer.code, transient=answer.transient, detail=answer.detail)
        done: Done = answer
        return done

    async def stop(self) -> None:
        """Kill what runs and end all processes. Stopping twice is fine."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]  # of pebble, which types only what it returns
            await asyncio.to_thread(pool.join)

    async def _opened(self) -> "ProcessPool":
        async with self._opening:
            if self._closed:
                raise WorkError("the platform is stopping", code="stopping")
            if self._pool is None:
                self._pool = await asyncio.to_thread(_open_pool, self._limit)
            return self._pool


def perform_call(call: Call) -> Done | Fault:
    """Make a call here, in the child: its output as canonical JSON, or its fault."""
    try:
        target: Any = _module(call)
        for part in call.qualname.split("."):
            target = getattr(target, part)
        decode = msgspec.json.decode
        return finished(target(*decode(call.args), **decode(call.kwargs)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too
        return fault_of(error)


def _module(call: Call) -> object:
    known = sys.modules.get(call.module)
    if known is not None:
        return known
    if call.file:
        from aob.work.app import load_app

        return load_app(call.file)
    import importlib

    return importlib.import_module(call.module)


def _open_pool(limit: int) -> "ProcessPool":
    # Spawned, not forked: a fork of a process with threads and an event loop inherits locks that nobody will release.
    import multiprocessing

    from pebble import ProcessPool

    return ProcessPool(max_workers=limit, initializer=_ignore_interrupt, context=multiprocessing.get_context("spawn"))


def _ignore_interrupt() -> None:
    # Ctrl-C reaches every process of a terminal; ours are ended by the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
