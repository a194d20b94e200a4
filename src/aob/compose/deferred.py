"""Stand-ins for parts that do not exist yet, because recovery creates jobs at once: a caller waits for the part."""

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar

from aob.core.answers import JsonObject
from aob.core.errors import Problem
from aob.core.metric_query import MetricQuery
from aob.ports.log import Admitting, Appended, Record
from aob.ports.serving import MetricReader

Part = TypeVar("Part")


class Deferred(Generic[Part]):
    """A part that is provided once."""

    def __init__(self) -> None:
        self._part: Part | None = None
        self._there = asyncio.Event()

    def provide(self, part: Part) -> None:
        """Provide the part and wake its waiters. The first one stays: a process that has a part of the shards has one
        that finds the main process."""
        self._part = self._part or part
        self._there.set()

    async def wait(self) -> Part:
        """Wait for the part and return it."""
        await self._there.wait()
        assert self._part is not None, "it has come"
        return self._part


class DeferredLog(Deferred[Admitting]):
    """The port `Admitting`, once it is provided."""

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        return await (await self.wait()).append(tenant, topic, partition, records, keyed=keyed)

    def judged(self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str) -> list[Problem] | None:
        return None if self._part is None else self._part.judged(tenant, topic, type, data, depth, at)

    async def admit(
        self, tenant: str, records: Sequence[tuple[str, Record]], *, counts: bool = True
    ) -> list[Problem]:  # fmt: skip
        return await (await self.wait()).admit(tenant, records, counts=counts)

    async def request_topic(self, tenant: str, agent: str, asked: JsonObject) -> JsonObject:
        return await (await self.wait()).request_topic(tenant, agent, asked)


class DeferredReader(Deferred[MetricReader]):
    """The port `MetricReader`, once it is provided."""

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        return await (await self.wait()).read_metric(tenant, query)
