"""What an owner asks of the main process: events for the gate, and reads of metrics; and how that answers."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from aob.compose.shards.inner import OfMain, table_of
from aob.compose.wire import Answer, Ask, Asking, encode
from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Problem
from aob.core.metric_query import MetricQuery
from aob.ports.log import Appended, Record

_records: Final = msgspec.json.Decoder(list[Record]).decode


class UpwardLog:
    """The port `Admitting` of an owner: the main process appends, because it has the gate."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records, through the gate."""
        told = await self._asking.ask("append", tenant, topic, partition, encode(list(records)).decode(), keyed)
        return [Appended(offset, repeated) for offset, repeated in told]

    def judged(self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str) -> list[Problem] | None:
        """The main process has the registry: it is asked."""

    async def admit(
        self, tenant: str, records: Sequence[tuple[str, Record]], *, counts: bool = True
    ) -> list[Problem]:  # fmt: skip
        """Why these records may not be appended."""
        told = await self._asking.ask("admit", tenant, encode(list(records)).decode(), counts)
        return msgspec.convert(told, list[Problem])

    async def request_topic(self, tenant: str, agent: str, asked: JsonObject) -> JsonObject:
        """Declare a topic for an agent."""
        told: JsonObject = await self._asking.ask("request_topic", tenant, agent, asked)
        return told


class UpwardReader:
    """The port `MetricReader` of an owner."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        found: JsonObject = await self._asking.ask("read_metric", tenant, msgspec.to_builtins(query))
        return found


def answering(room: OfMain) -> Answer:
    """How the main process answers its owners."""
    verbs = table_of(room)

    async def answer(ask: Ask) -> Any:
        if ask.verb not in verbs:
            raise CallerError(f"the main process has no verb {ask.verb!r}", code="unknown_verb")
        return await verbs[ask.verb](None, *ask.args)

    return answer
