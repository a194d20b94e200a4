"""Port `Log` behind the gate: records of types with a contract are also events of the tenant. A record passes the gate,
then is appended to its topic, both once per id; a refused record gets into neither. On a full disk, an unavailable
store or a full gate the append waits instead of failing."""

import asyncio
from collections.abc import Sequence
from typing import Final

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


class GatedLog:
    """A log whose records pass the gate if their type has a contract; others are appended directly."""

    def __init__(self, log: Log, ingest: Ingest, *, waits: bool = True) -> None:
        self._log, self._ingest, self._waits = log, ingest, waits

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """Add records, all or none; waits while writing is impossible. Raises Invalid `event_rejected` with reasons,
        and the errors of the log."""
        told = False
        while True:
            try:
                await self._pass(tenant, records)
                return await self._log.append(tenant, topic, partition, records, keyed=keyed)
            except Busy as busy:
                if not self._waits:
                    raise
                await asyncio.sleep(busy.retry_after_s)
            except Unavailable as error:
                if not (self._waits and keyed) or error.code not in AWAY:
                    raise
                if not told:
                    log.warning("emit_waits", topic=topic, id=records[0].id, code=error.code, detail=error.detail)
                    told = True
                await asyncio.sleep(AWAY_AGAIN_S)

    async def _pass(self, tenant: str, records: Sequence[Record]) -> None:
        gate = self._ingest.gate(tenant)
        mine = [record for record in records if record.type in gate.contracts.events]
        if not mine:
            return
        lines = [line_of(record) for record in mine]
        now_ms = self._ingest.now_ms()
        for record, line in zip(mine, lines, strict=True):
            found = gate.look(line, now_ms)
            if isinstance(found, Refused):
                why = f"the gate refuses event {record.id} of type {record.type}: {found.reasons[0].message}"
                reasons = [Problem(each.pointer, each.message, each.rule or each.stage) for each in found.reasons]
                raise Invalid(why, reasons, code="event_rejected")
        await self._ingest.ingest(Caller(tenant, "aob", frozenset({"run"})), b"\n".join(lines))


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
