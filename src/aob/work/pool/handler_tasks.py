"""Tasks of handlers: one that ends the way a program ends (`sys.exit()`) ends only itself, and the loop goes on."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from types import TracebackType
from typing import Any, Final, TypeVar

from aob.core.errors import said
from aob.ports.workers import Job

T = TypeVar("T")


class Seat:
    """The job that a worker performs; a context variable, so that every task of a handler knows its job."""

    __slots__ = ("job",)

    def __init__(self, job: Job | None = None) -> None:
        self.job = job


SEAT: Final[ContextVar[Seat]] = ContextVar("aob_seat")

Told = Callable[[Job, BaseException], None]


class HandlerExitError(RuntimeError):
    """What a task of a handler raises in place of SystemExit or KeyboardInterrupt."""


class _Contained(Coroutine[Any, Any, T]):
    """A coroutine of a handler's task, unchanged step by step except for how it ends."""

    __slots__ = ("_inner", "_job", "_told")

    def __init__(self, inner: Coroutine[Any, Any, T], job: Job, told: Told) -> None:
        self._inner, self._job, self._told = inner, job, told

    def send(self, value: Any) -> Any:
        try:
            return self._inner.send(value)
        except (SystemExit, KeyboardInterrupt) as error:
            raise self._ended(error) from error

    def throw(self, kind: Any, value: Any = None, traceback: TracebackType | None = None) -> Any:
        try:
            return self._inner.throw(kind if value is None else value)
        except (SystemExit, KeyboardInterrupt) as error:
            raise self._ended(error) from error

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # its frame and code, for inspection of the task

    def _ended(self, error: BaseException) -> HandlerExitError:
        self._told(self._job, error)
        return HandlerExitError(f"a task of a handler raised {type(error).__name__}: {said(error)}")


def task_factory(told: Told) -> Callable[..., "asyncio.Task[Any]"]:
    """A factory for `loop.set_task_factory`. Calls `told(job, error)` for each task of a handler that ended the way a
    program ends."""

    def made(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> "asyncio.Task[Any]":
        context: Context | None = more.get("context")
        seat = SEAT.get(None) if context is None else context.get(SEAT)
        if seat is None or (job := seat.job) is None:
            return asyncio.Task(coroutine, loop=loop, **more)
        if context is None:
            context = more["context"] = copy_context()
            context.run(SEAT.set, Seat(job))  # its worker continues with other jobs
        return asyncio.Task(_Contained(coroutine, job, told), loop=loop, **more)

    return made
