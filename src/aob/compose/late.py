"""Parts that work is given before they are there: whoever asks waits until they are. Recovery makes jobs at once."""

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar

from aob.core.answers import JsonObject
from aob.core.errors import Unavailable
from aob.core.metric_query import MetricQuery
from aob.ports.log import Appended, Log, Logged, Record
from aob.ports.metric_reader import MetricReader

Part = TypeVar("Part")


class Late(Generic[Part]):
    """A part that comes once. `none` says that it never will."""

    def __init__(self) -> None:
        self._part: Part | None = None
        self._there = asyncio.Event()

    def come(self, part: Part) -> None:
        """It is there."""
        self._part = part
        self._there.set()

    def none(self) -> None:
        """It will not come in this process."""
        self._there.set()

    async def wait(self, what: str) -> Part:
        """The part. Raises Unavailable `not_here` when there is none in this process."""
        await self._there.wait()
        if self._part is None:
            raise Unavailable(f"{what} are in the home's main process", code="not_here")
        return self._part


class LateLog(Late[Log]):
    """The port `Log`, once it is there."""

    async def append(
        self, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records."""
        return await (await self.wait("topics")).append(topic, partition, records, keyed=keyed)

    async def read(self, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        """Records from an offset on."""
        return await (await self.wait("topics")).read(topic, partition, start, limit)

    async def topics(self) -> list[str]:
        """The names of all topics."""
        return await (await self.wait("topics")).topics()

    async def end(self, topic: str, partition: int) -> int:
        """The offset that the next record will get."""
        return await (await self.wait("topics")).end(topic, partition)

    async def close(self) -> None:
        """Whoever made it closes it."""


class LateReader(Late[MetricReader]):
    """The port `MetricReader`, once it is there."""

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        """A number."""
        return await (await self.wait("metrics")).read_metric(tenant, query)
