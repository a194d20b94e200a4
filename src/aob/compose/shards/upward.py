"""An owner's requests to the main process, with numbers below zero: events for the gate, and reads of metrics."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from aob.compose.shards.inner import OfMain, table_of
from aob.compose.shards.wire import Ask, Asks, Frame, Kind, Wire, encode
from aob.core.answers import JsonObject
from aob.core.errors import AobError, CallerError, OurError, Unavailable
from aob.core.metric_query import MetricQuery
from aob.core.problem import problem_of
from aob.ports.log import Appended, Log, Logged, Record

_records: Final = msgspec.json.Decoder(list[Record]).decode
Answer = Callable[[Ask], Awaitable[Any]]


class Upward:
    """An owner's requests while the main process lives."""

    def __init__(self, wire: Wire) -> None:
        self._asks = Asks(wire, -1, lambda: Unavailable("the home's main process has gone", code="shard_lost"))
        self.lost = self._asks.lost

    async def ask(self, verb: str, *args: Any) -> Any:
        """Ask the main process. Raises its error, Unavailable when it is gone."""
        return await self._asks.ask(Ask(verb, None, list(args), {}))

    def take(self, frame: Frame) -> bool:
        """Whether a frame answers one of these requests."""
        self._asks.take(frame)
        return frame.number < 0


class UpwardLog:
    """The port `Log` of an owner: the main process appends, because it has the gate; reads are local."""

    def __init__(self, upward: Upward, log: Log) -> None:
        self._upward, self._log = upward, log

    async def append(
        self, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records, through the gate."""
        told = await self._upward.ask("append", topic, partition, encode(list(records)).decode(), keyed)
        return [Appended(offset, repeated) for offset, repeated in told]

    async def read(self, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        return await self._log.read(topic, partition, start, limit)

    async def topics(self) -> list[str]:
        return await self._log.topics()

    async def end(self, topic: str, partition: int) -> int:
        return await self._log.end(topic, partition)

    async def close(self) -> None:
        """Does nothing: the creator of the log closes it."""


class UpwardReader:
    """The port `MetricReader` of an owner."""

    def __init__(self, upward: Upward) -> None:
        self._upward = upward

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        found: JsonObject = await self._upward.ask("read_metric", tenant, msgspec.to_builtins(query))
        return found


def answering(room: OfMain) -> Answer:
    """How the main process answers its owners."""
    verbs = table_of(room)

    async def answer(ask: Ask) -> Any:
        if ask.verb not in verbs:
            raise CallerError(f"the main process has no verb {ask.verb!r}", code="unknown_verb")
        return await verbs[ask.verb](None, *ask.args)

    return answer


async def answered(wire: Wire, frame: Frame, answer: Answer) -> None:
    """Perform an owner's request and send the result."""
    try:
        value = await answer(msgspec.json.decode(frame.body, type=Ask))
        wire.send(frame.number, Kind.VALUE, encode(value))
    except AobError as error:
        wire.send(frame.number, Kind.ERROR, encode(problem_of(error)))
    except Exception as error:
        wire.send(frame.number, Kind.ERROR, encode(problem_of(OurError(f"{type(error).__name__}: {error}"))))
