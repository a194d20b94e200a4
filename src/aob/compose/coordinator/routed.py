"""What shards need of the home's main process, wherever that is: its gate and its numbers. Who asks waits while nobody
is the main process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from aob.compose.coordinator.placed import Placed
from aob.compose.wire import DOWN, LOST, encode
from aob.core.answers import JsonObject
from aob.core.errors import Problem, Unavailable
from aob.core.metric_query import MetricQuery
from aob.ports.log import Admitting, Appended, Record
from aob.ports.serving import MetricReader

AGAIN_S: Final = 0.2
UNOWNED: Final = frozenset(("shard_unowned", "not_owner", DOWN))

T = TypeVar("T")


class Main(NamedTuple):
    """The gate and the numbers of the main process, while it is this one."""

    log: Admitting
    reader: MetricReader


class RoutedLog:
    """The port `Admitting`: the main process appends, because it has the gate."""

    def __init__(self, here: Callable[[], Main | None], main: Placed) -> None:
        self._here, self._main = here, main

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records, through the gate."""
        if (here := self._here()) is not None:
            return await here.log.append(tenant, topic, partition, records, keyed=keyed)
        text = encode(list(records)).decode()
        told = await waited(
            lambda: self._main.call("append", None, tenant, topic, partition, text, keyed), repeats=keyed
        )
        return msgspec.convert(told, list[Appended])

    def judged(self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str) -> list[Problem] | None:
        """Why a topic does not take a record, if the registry is here."""
        here = self._here()
        return None if here is None else here.log.judged(tenant, topic, type, data, depth, at)

    async def admit(
        self, tenant: str, records: Sequence[tuple[str, Record]], *, counts: bool = True
    ) -> list[Problem]:  # fmt: skip
        """Why these records may not be appended."""
        if (here := self._here()) is not None:
            return await here.log.admit(tenant, records, counts=counts)
        text = encode(list(records)).decode()
        told = await waited(lambda: self._main.call("admit", None, tenant, text, counts), repeats=True)
        return msgspec.convert(told, list[Problem])

    async def request_topic(self, tenant: str, agent: str, asked: JsonObject) -> JsonObject:
        """Declare a topic for an agent."""
        if (here := self._here()) is not None:
            return await here.log.request_topic(tenant, agent, asked)
        told: JsonObject = await waited(
            lambda: self._main.call("request_topic", None, tenant, agent, asked), repeats=True
        )
        return told


class RoutedReader:
    """The port `MetricReader`."""

    def __init__(self, here: Callable[[], Main | None], main: Placed) -> None:
        self._here, self._main = here, main

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        if (here := self._here()) is not None:
            return await here.reader.read_metric(tenant, query)
        asked = msgspec.to_builtins(query)
        found: JsonObject = await waited(lambda: self._main.call("read_metric", None, tenant, asked), repeats=True)
        return found


async def waited(ask: Callable[[], Awaitable[Any]], *, repeats: bool) -> Any:
    """The answer of the main process, as soon as there is one. What `repeats` is asked again too when it may have
    happened."""
    while True:
        try:
            return await ask()
        except Unavailable as error:
            if error.code not in UNOWNED and not (repeats and error.code == LOST):
                raise
        await asyncio.sleep(AGAIN_S)
