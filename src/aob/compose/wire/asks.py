"""Requests that wait for their answers at one end of a wire, and an owner's requests to the main process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from itertools import count
from typing import Any, Final

import msgspec

from aob.compose.wire.frames import Ask, Frame, Kind, Wire, encode, value_of
from aob.core.errors import AobError, OurError, Unavailable
from aob.core.policy import Caller
from aob.core.problem import problem_of
from aob.ports.telemetry import TRACE

LOST: Final = "shard_lost"

UNTIL: Final[ContextVar[float | None]] = ContextVar("aob_until", default=None)
"""Until when, by the loop's clock, the present caller waits for what it asks of other processes."""

Answer = Callable[[Ask], Awaitable[Any]]


def ask_of(verb: str, who: Caller | None, args: tuple[object, ...], named: dict[str, object], shard: int = -1) -> Ask:
    """A request with the trace of the present caller, and with how long it still waits."""
    until = UNTIL.get()
    left_ms = 0 if until is None else max(1, round((until - asyncio.get_running_loop().time()) * 1_000))
    return Ask(verb, who, list(args), named, shard, TRACE.get(), left_ms)


class Asks:
    """The pending requests of one end. Numbers of the main process are above zero, those of an owner below. `lost`
    makes the error of requests that will not be answered."""

    def __init__(self, wire: Wire, step: int, lost: Callable[[], AobError]) -> None:
        self._wire, self._lost = wire, lost
        self.numbers = count(step, step)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}

    async def ask(self, ask: object, number: int | None = None) -> Any:
        """Send and await the answer; whoever stops to wait ends the work at the other end too. Raises the other end's
        error."""
        number = next(self.numbers) if number is None else number
        body = encode(ask)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._wire.send(number, Kind.ASK, body)
            return value_of(await future)
        except asyncio.CancelledError:
            self._wire.send(number, Kind.CANCEL)
            raise
        finally:
            self._waiting.pop(number, None)

    def take(self, frame: Frame) -> None:
        """Resolve a request if the frame answers it."""
        future = self._waiting.get(frame.number)
        if future is not None and not future.done():
            future.set_result(frame)

    def lost(self) -> None:
        """Fail all requests: the other end has gone."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._lost())


class Asking:
    """An owner's requests while the main process lives, with numbers below zero."""

    def __init__(self, wire: Wire) -> None:
        self._asks = Asks(wire, -1, lambda: Unavailable("the home's main process has gone", code="shard_lost"))
        self.lost = self._asks.lost

    async def ask(self, verb: str, *args: object) -> Any:
        """Ask the main process. Raises its error, Unavailable when it is gone."""
        return await self._asks.ask(ask_of(verb, None, args, {}))

    def take(self, frame: Frame) -> bool:
        """Whether a frame answers one of these requests."""
        self._asks.take(frame)
        return frame.number < 0


async def answered(wire: Wire, frame: Frame, answer: Answer) -> None:
    """Perform an owner's request and send the result."""
    try:
        value = await answer(msgspec.json.decode(frame.body, type=Ask))
        wire.send(frame.number, Kind.VALUE, encode(value))
    except AobError as error:
        wire.send(frame.number, Kind.ERROR, encode(problem_of(error)))
    except Exception as error:
        wire.send(frame.number, Kind.ERROR, encode(problem_of(OurError(f"{type(error).__name__}: {error}"))))
