"""Port `Log` behind the gate: records of types with a contract are also events of the tenant. A record passes the gate,
then is appended to its topic, both once per id; a refused record gets into neither. On a full disk, an unavailable
store or a full gate the append waits instead of failing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import Busy, Invalid, Problem, Unavailable
from aob.core.ingest import Refused
from aob.core.policy import Caller
from aob.core.value import canonical
from aob.gate.ingest import Ingest
from aob.ports.log import Appended, Log, Record
from aob.ports.logger import Logger
from aob.ports.store import AWAY, AWAY_AGAIN_S

log: Final = Logger("aob.gate")
PROBLEMS_MAX: Final = 100  # that are told of the records of one request


Done = TypeVar("Done")
Requests = Callable[[str, str, JsonObject], Awaitable[JsonObject]]
"""Declares a topic that an agent of a tenant asks for."""


class Takes(Protocol):
    """What topics take."""

    def problems(
        self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str, *, declared: bool
    ) -> list[Problem]:  # fmt: skip
        """Why a record may not be appended; `at` is its path. `declared`: its topic has to be."""

    def refuse(self, tenant: str, topic: str, records: Sequence[Record], *, declared: bool) -> None:
        """Raises Invalid `record_refused` with every reason."""


class GatedLog:
    """A log whose records pass the gate if their type has a contract; others are appended directly. `takes` says what
    declared topics take; without it whoever appends has asked that before."""

    def __init__(
        self, log: Log, ingest: Ingest, takes: Takes | None = None, requests: Requests | None = None, *,
        waits: bool = True,
    ) -> None:  # fmt: skip
        self._log, self._ingest, self._takes, self._waits = log, ingest, takes, waits
        self._requests = requests

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records, all or none; waits while writing is impossible. Raises Invalid `event_rejected` or
        `record_refused` with reasons, and the errors of the log."""

        async def act() -> list[Appended]:
            if self._takes is not None:
                self._takes.refuse(tenant, topic, records, declared=False)
            await self._pass(tenant, records)
            return await self._log.append(tenant, topic, partition, records, keyed=keyed)

        return await self._waited(act, {"topic": topic, "id": records[0].id if records else ""}, keyed)

    async def _waited(self, act: Callable[[], Awaitable[Done]], told_of: JsonObject, repeats: bool) -> Done:
        """The answer of `act`, which is asked again while the gate is full, and what `repeats` also while the store is
        away."""
        told = False
        while True:
            try:
                return await act()
            except Busy as busy:
                if not self._waits:
                    raise
                await asyncio.sleep(busy.retry_after_s)
            except Unavailable as error:
                if not (self._waits and repeats) or error.code not in AWAY:
                    raise
                if not told:
                    log.warning("emit_waits", **told_of, code=error.code, detail=error.detail)
                    told = True
                await asyncio.sleep(AWAY_AGAIN_S)

    async def _pass(self, tenant: str, records: Sequence[Record]) -> None:
        mine = self._with_contract(tenant, records)
        for record in mine:
            if reasons := self._reasons(tenant, record):
                why = f"the gate refuses event {record.id} of type {record.type}: {reasons[0].message}"
                raise Invalid(why, reasons, code="event_rejected")
        await self._count(tenant, mine)

    def _with_contract(self, tenant: str, records: Sequence[Record]) -> list[Record]:
        known = self._ingest.gate(tenant).contracts.events
        return [record for record in records if record.type in known]

    def _reasons(self, tenant: str, record: Record, at: str = "") -> list[Problem]:
        """Why the gate refuses a record of a type with a contract."""
        found = self._ingest.gate(tenant).look(line_of(record), self._ingest.now_ms())
        refused = found.reasons if isinstance(found, Refused) else ()
        return [Problem(at + each.pointer, each.message, each.rule or each.stage) for each in refused]

    async def _count(self, tenant: str, records: Sequence[Record]) -> None:
        if records:
            lines = b"\n".join(map(line_of, records))
            await self._ingest.ingest(Caller(tenant, "aob", frozenset({"run"})), lines)

    # -- what others append by their own commits ----------------------------------------------------------------------

    def judged(self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str) -> list[Problem] | None:
        """See `aob.ports.log.Admitting`, as for the next one."""
        if type in self._ingest.gate(tenant).contracts.events:
            return None
        try:
            return self._of_topic(tenant, topic, type, data, depth, at)
        except Unavailable:
            return None  # not known before the store is back: `admit` waits for it

    async def admit(
        self, tenant: str, records: Sequence[tuple[str, Record]], *, counts: bool = True
    ) -> list[Problem]:  # fmt: skip
        """Judge records, and count those with a contract; waits while the store is away."""

        async def act() -> list[Problem]:
            return await self._admit(tenant, records, counts)

        return await self._waited(act, {"records": len(records)}, True)

    async def _admit(self, tenant: str, records: Sequence[tuple[str, Record]], counts: bool) -> list[Problem]:
        found = list[Problem]()
        for place, (topic, record) in enumerate(records):
            at = f"/outputs/{place}"
            found += self._of_topic(tenant, topic, record.type, bytes(record.data), record.depth, at)
            for each in self._with_contract(tenant, [record]):
                found += self._reasons(tenant, each, at)
        if counts and not found:
            await self._count(tenant, self._with_contract(tenant, [record for _, record in records]))
        return found[:PROBLEMS_MAX]

    async def request_topic(self, tenant: str, agent: str, asked: JsonObject) -> JsonObject:
        """Declare a topic for an agent."""
        assert self._requests is not None, "who is asked knows who decides"
        return await self._requests(tenant, agent, asked)

    def _of_topic(self, tenant: str, topic: str, type: str, data: bytes, depth: int, at: str) -> list[Problem]:
        assert self._takes is not None, "who is asked knows what topics take"
        return self._takes.problems(tenant, topic, type, data, depth, at, declared=True)


def line_of(record: Record) -> bytes:
    """A record as a line for the gate."""
    sent: JsonObject = {
        "specversion": "1.0", "id": record.id, "source": record.source, "type": record.type,
        "data": msgspec.json.decode(record.data), "depth": record.depth,
    }  # fmt: skip
    for name in ("subject", "time", "correlationid", "causationid"):
        if getattr(record, name):
            sent[name] = getattr(record, name)
    return canonical({**record.extensions, **sent})
