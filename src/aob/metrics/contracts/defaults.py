"""The default version of each event type, for events that name none. A push never changes it, so that producers without
a version keep working; a caller changes it once they are ready."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from aob.core.contract_model import ContractSet
from aob.ports.event_log import EventLog, Row

ROWS_BACK: Final = 200  # rows of the log scanned for events without a version
LOOK_BACK_MS: Final = 60_000


class _Said(msgspec.Struct):
    type: str = ""
    version: int | float | UnsetType = UNSET


_said: Final = msgspec.json.Decoder(_Said).decode


def defaults_of(before: ContractSet, given: ContractSet, *, kept: bool = True) -> Mapping[str, int]:
    """The defaults after a push: the first version of a new type, else unchanged. A push by a release that did not keep
    them (`kept` is false) made the newest version the default."""
    defaults = dict(before.defaults)
    for type, versions in given.events.items():
        if not kept:
            defaults[type] = max(*versions, *before.events.get(type, ()), 0)
        elif type not in before.events:
            defaults[type] = min(versions)
    return defaults


async def unversioned(log: EventLog, tenant: str, types: Sequence[str], now_ms: int) -> dict[str, float]:
    """How many events per minute name no version, by type, from the rows of the last minute."""
    rates = dict.fromkeys(types, 0.0)
    for partition in range(log.partitions):
        end, _ = await log.end(partition)
        rows = await log.rows(max(0, end - ROWS_BACK), ROWS_BACK, tenant, partition)
        recent = [row for row in rows if row.tenant == tenant and row.at_ms > now_ms - LOOK_BACK_MS]
        span_ms = LOOK_BACK_MS if len(recent) < len(rows) or end <= ROWS_BACK else now_ms - recent[0].at_ms
        for type, count in _counted(recent, frozenset(types)).items():
            rates[type] += count * 60_000 / max(span_ms, 1_000)
    return {type: round(rate, 2) for type, rate in rates.items()}


def _counted(rows: Sequence[Row], types: frozenset[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for line in row.lines.split(b"\n"):
            try:
                said = _said(line)
            except msgspec.MsgspecError:
                continue
            if said.version is UNSET and said.type in types:
                counts[said.type] = counts.get(said.type, 0) + 1
    return counts
