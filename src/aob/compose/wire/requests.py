"""The end of a wire that answers: performs what the other end asks for, each request in its own task, and ends what the
other end no longer wants."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec

from aob.compose.loop import end_tasks
from aob.compose.wire.asks import UNTIL, Asking
from aob.compose.wire.frames import WINDOW, Ask, Frame, Kind, Wire, decode, encode, value_of
from aob.core.errors import AobError, Busy, CallerError, OurError, Unavailable
from aob.core.policy import Caller
from aob.core.problem import problem_of
from aob.ports.logger import Logger
from aob.ports.telemetry import TRACE, Telemetry

OURS: Final = frozenset(("self", "verb", "who"))  # no argument of a verb has such a name
log: Final = Logger("aob.compose")
_ask: Final = msgspec.json.Decoder(Ask).decode


class Performs(Protocol):
    """Performs verbs: one shard, or what else a process answers for."""

    number: int

    async def call(self, verb: str, who: Caller | None, *args: object, **named: object) -> Any:
        """Perform a verb. Raises errors of the AobError tree."""

    def stream(self, verb: str, who: Caller, *args: object, **named: object) -> AsyncIterator[Any]:
        """Items of a streaming verb."""


class Requests:
    """The requests of one wire while it is entered. `find` says who performs a request, or raises why nobody may;
    `streams` names the verbs that give items. `asking` are this process's own requests to the other end. More than
    `asks_max` requests at a time are refused (0: no limit). `telemetry` takes the spans of those that have a trace."""

    def __init__(
        self, wire: Wire, find: Callable[[Ask], Performs], streams: Collection[str], asking: Asking | None = None,
        *, asks_max: int = 0, telemetry: Telemetry | None = None,
    ) -> None:  # fmt: skip
        self._telemetry = telemetry if telemetry is not None and telemetry.tracing else None
        self._wire, self._find, self._streams, self._asking = wire, find, streams, asking
        self._asks_max = asks_max
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._windows: dict[int, asyncio.Semaphore] = {}
        self._reading: asyncio.Task[None] | None = None
        self.taken = 0  # asks that came so far
        self.stopped = asyncio.Event()  # set by a stop, or when the other end has gone
        self.broken: Exception | None = None  # why the other end leaves, or what it sent that is no frame

    async def __aenter__(self) -> "Requests":
        self._reading = asyncio.create_task(self._read(), name="aob-owner-asks")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(self._reading)

    @property
    def calls(self) -> int:
        """How many asks have no answer yet; streams do not count."""
        return len(self._tasks) - len(self._windows)

    async def _read(self) -> None:
        try:
            while (frame := await self._wire.receive()) is not None:
                if frame.kind == Kind.STOP:
                    self.stopped.set()
                elif frame.kind == Kind.ERROR and self._asking is None:  # the other end does not want us
                    self.broken = _told(frame)
                    self.stopped.set()
                elif not (self._asking and self._asking.take(frame)) and not self.stopped.is_set():
                    self._take(frame)
                    if self._asks_max and len(self._tasks) >= self._asks_max:
                        await self._wire.drained()  # who reads no answers is not read either
        except msgspec.DecodeError as error:
            self.broken = error
        finally:
            self.stopped.set()
            if self._asking is not None:
                self._asking.lost()
            await end_tasks(*self._tasks.values())

    def _take(self, frame: Frame) -> None:
        number = frame.number
        if frame.kind == Kind.ASK:
            self.taken += 1
            if self._asks_max and len(self._tasks) >= self._asks_max:
                busy = Busy(f"{self._asks_max} requests of this process are under way", code="peer_busy")
                self._wire.send(number, Kind.ERROR, encode(problem_of(busy)))
            elif number not in self._tasks:
                task = asyncio.create_task(self._answer(number, frame.body))
                self._tasks[number] = task
                task.add_done_callback(lambda _: self._tasks.pop(number, None))
        elif frame.kind == Kind.MORE and number in self._windows:
            for _ in range(min(decode(frame.body), WINDOW)):
                self._windows[number].release()
        elif frame.kind == Kind.CANCEL and number in self._tasks:
            self._tasks[number].cancel()

    async def _answer(self, number: int, body: bytes) -> None:
        shard = -1
        try:
            ask = self._read_ask(body)
            TRACE.set(ask.trace)
            found = self._find(ask)
            shard = found.number
            if ask.verb in self._streams:
                await self._stream(number, ask, found)
                return
            work = _within(ask, found) if ask.left_ms else _call(ask, found)
            value = await (work if ask.trace is None or self._telemetry is None else self._spanned(ask, work))
            if isinstance(value, bytes):
                self._wire.send(number, Kind.BYTES, value)
            else:
                self._wire.send(number, Kind.VALUE, encode(value))
        except AobError as error:
            self._wire.send(number, Kind.ERROR, _problem(error))
        except Exception:
            log.exception("ask_broke", shard=shard)
            broke = OurError("something broke on our side", hint="the server's log has the trace; please report it")
            self._wire.send(number, Kind.ERROR, encode(problem_of(broke)))
        await self._wire.drained()

    async def _spanned(self, ask: Ask, work: Coroutine[Any, Any, Any]) -> Any:
        """The same, under a span of its own."""
        assert self._telemetry is not None
        with self._telemetry.span(f"ask {ask.verb}", ask.trace, **{"aob.shard": ask.shard}):
            return await work

    def _read_ask(self, body: bytes) -> Ask:
        """Raises CallerError `bad_ask` for what no process of a release of ours sends."""
        try:
            ask = _ask(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise CallerError(f"what is asked cannot be read: {str(error)[:200]}", code="bad_ask") from None
        if OURS.intersection(ask.named) or (ask.who is None and ask.verb in self._streams):
            raise CallerError(f"{ask.verb[:64]!r} is not asked like this", code="bad_ask")
        return ask

    async def _stream(self, number: int, ask: Ask, found: Performs) -> None:
        """Send items one by one, never more than a window ahead of the reader."""
        window = self._windows[number] = asyncio.Semaphore(WINDOW)
        who: Any = ask.who  # there is one: `_read_ask`
        feed: Any = found.stream(ask.verb, who, *ask.args, **ask.named)
        try:
            async for item in feed:
                await window.acquire()
                self._wire.send(number, Kind.ITEM, encode(item))
                await self._wire.drained()
            self._wire.send(number, Kind.END)
        finally:
            self._windows.pop(number, None)
            close: Coroutine[Any, Any, None] = feed.aclose()
            await close


def _problem(error: AobError) -> bytes:
    """What the other end is told of an error; a field that cannot be written does not keep it from an answer."""
    try:
        return encode(problem_of(error))
    except (TypeError, ValueError):
        told = problem_of(error)
        return encode({name: told[name] for name in ("type", "title", "status", "detail", "code")})


def _told(frame: Frame) -> Exception:
    try:
        value_of(frame)
    except AobError as error:
        return error
    return OurError("it left")


async def _call(ask: Ask, found: Performs) -> Any:
    return await found.call(ask.verb, ask.who, *ask.args, **ask.named)


async def _within(ask: Ask, found: Performs) -> Any:
    """Perform it while the caller waits."""
    UNTIL.set(asyncio.get_running_loop().time() + ask.left_ms / 1_000)
    with suppress(TimeoutError):
        async with asyncio.timeout(ask.left_ms / 1_000):
            return await _call(ask, found)
    raise Unavailable(f"{ask.verb} took longer than its caller waits", code="deadline_passed", retry_after_s=1.0)
