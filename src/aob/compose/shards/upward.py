"""What an owner asks of the main process, over the same wire: events for the gate, and numbers. Both live there.

Asks of an owner have numbers below zero, so that they are never taken for those of the main process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final

import msgspec

from aob.compose.shards.wire import Ask, Frame, Kind, Wire, decode, encode
from aob.core.answers import JsonObject
from aob.core.errors import AobError, CallerError, NotFound, OurError, Unavailable
from aob.core.metric_query import MetricQuery
from aob.core.problem import error_of, problem_of
from aob.ports.log import Appended, Log, Logged, Record
from aob.ports.serving import MetricReader
from aob.runs import Core

_records: Final = msgspec.json.Decoder(list[Record]).decode
Answer = Callable[[Ask], Awaitable[Any]]


class Upward:
    """An owner's asks while the main process lives."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._numbers = count(-1, -1)
        self._asked: dict[int, asyncio.Future[Frame]] = {}

    async def ask(self, verb: str, *args: Any) -> Any:
        """What the main process answers. Raises its error, Unavailable when it is gone."""
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self._wire.send(number, Kind.ASK, encode(Ask(verb, None, list(args), {})))
        try:
            frame = await future
        finally:
            self._asked.pop(number, None)
        if frame.kind == Kind.ERROR:
            told = msgspec.json.decode(frame.body, type=JsonObject)
            raise error_of(told, int(told.get("status", 500)))
        return decode(frame.body)

    def take(self, frame: Frame) -> bool:
        """Whether a frame answers one of these asks."""
        future = self._asked.get(frame.number)
        if future is not None and not future.done():
            future.set_result(frame)
        return frame.number < 0

    def lost(self) -> None:
        """The main process has gone."""
        for future in self._asked.values():
            if not future.done():
                future.set_exception(Unavailable("the home's main process has gone", code="shard_lost"))


class UpwardLog:
    """The port `Log` of an owner: the main process appends, for the gate is there; reading needs nobody."""

    def __init__(self, upward: Upward, log: Log) -> None:
        self._upward, self._log = upward, log

    async def append(
        self, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records, through the gate."""
        told = await self._upward.ask("append", topic, partition, encode(list(records)).decode(), keyed)
        return [Appended(offset, repeated) for offset, repeated in told]

    async def read(self, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        """Records from an offset on."""
        return await self._log.read(topic, partition, start, limit)

    async def topics(self) -> list[str]:
        """The names of all topics."""
        return await self._log.topics()

    async def end(self, topic: str, partition: int) -> int:
        """The offset that the next record will get."""
        return await self._log.end(topic, partition)

    async def close(self) -> None:
        """Whoever made the log closes it."""


class UpwardReader:
    """The port `MetricReader` of an owner."""

    def __init__(self, upward: Upward) -> None:
        self._upward = upward

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        """A number."""
        found: JsonObject = await self._upward.ask("read_metric", tenant, msgspec.to_builtins(query))
        return found


def answering(
    log: Log, reader: MetricReader, read_through: Callable[[str, int, int], Awaitable[int]], core: Core
) -> Answer:
    """How the main process answers its owners."""

    async def answer(ask: Ask) -> Any:
        if ask.verb == "append":
            topic, partition, records, keyed = ask.args
            return await log.append(topic, partition, _records(records), keyed=keyed)
        if ask.verb == "read_metric":
            tenant, query = ask.args
            return await reader.read_metric(tenant, msgspec.convert(query, MetricQuery))
        if ask.verb == "read_through":
            return await read_through(*ask.args)
        if ask.verb == "value":
            tenant, digest = ask.args
            with suppress(NotFound):
                return await core.values.fetch(tenant, bytes.fromhex(digest))
            return None
        raise CallerError(f"the main process has no verb {ask.verb!r}", code="unknown_verb")

    return answer


async def answered(wire: Wire, frame: Frame, answer: Answer) -> None:
    """Perform an owner's ask and send what came of it."""
    try:
        value = await answer(msgspec.json.decode(frame.body, type=Ask))
        wire.send(frame.number, Kind.VALUE, encode(value))
    except AobError as error:
        wire.send(frame.number, Kind.ERROR, encode(problem_of(error)))
    except Exception as error:
        wire.send(frame.number, Kind.ERROR, encode(problem_of(OurError(f"{type(error).__name__}: {error}"))))
