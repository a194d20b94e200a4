"""Declared handlers: what workers have declared is kept in records of each tenant, so that a process that has just
begun knows the handlers whose workers are not back yet. A lost record costs nothing that lasts: workers declare
again."""

import zlib
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

import msgspec

from aob.compose.storage import WrittenLater
from aob.core.graph import HandlerFacts
from aob.ports.cluster import DATA_MAX, Records
from aob.ports.logger import Logger
from aob.work import Facts

PREFIX: Final = "declared/"
PARTS: Final = 16
"""Records of a tenant; a handler is in the one that its name says."""
INPUT_MAX: Final = 4_096  # bytes of a handler's entry; one with more is kept without the schema of its input
log: Final = Logger("aob.work")

Declared = dict[str, HandlerFacts]
_decode: Final = msgspec.json.Decoder(list[HandlerFacts]).decode


class DeclaredHandlers:
    """What workers have declared to any process of a home, for `facts`. `refresh` reads it."""

    def __init__(self, records: Records, facts: Facts) -> None:
        self._records, self._facts = records, facts
        self.later = WrittenLater(self.write, "handlers_not_kept")
        facts.learned = self.learned

    async def refresh(self) -> None:
        """Read the records again."""
        for record in await self._records.every(PREFIX):
            tenant = record.name.removeprefix(PREFIX).rpartition("/")[0]
            self._facts.recall(tenant, _read(record.data).values())

    def learned(self, tenant: str) -> None:
        """A worker of a tenant has declared its handlers: they are written in a moment."""
        if tenant:
            self.later.ask(tenant)

    async def write(self, tenant: str) -> None:
        """Add to the records of a tenant what its workers have declared here. Raises what the records do."""
        parts: dict[int, Declared] = {}
        for name, facts in self._facts.taught(tenant).items():
            parts.setdefault(zlib.crc32(name.encode()) % PARTS, {})[name] = _kept(facts)
        for part, declared in parts.items():
            name = f"{PREFIX}{tenant}/{part}"
            record = await self._records.read(name)
            known = _read(record.data) if record is not None else {}
            if {**known, **declared} != known:
                data = _within(known, declared)
                await self._records.write(name, data, record.version if record is not None else 0, "workers", past=1)


def _kept(facts: HandlerFacts) -> HandlerFacts:
    """What documents are checked by: not what was told to people, and not of which code it was."""
    kept = msgspec.structs.replace(facts, version="", doc="")
    if facts.input is not None and len(msgspec.json.encode(kept)) > INPUT_MAX:
        return msgspec.structs.replace(kept, input=None)
    return kept


def _read(data: bytes) -> Declared:
    """Oldest first. What another release wrote so that this one cannot read it counts as nothing."""
    try:
        return {each.name: each for each in _decode(data)} if data else {}
    except msgspec.MsgspecError:
        return {}


def _within(known: Mapping[str, HandlerFacts], declared: Mapping[str, HandlerFacts]) -> bytes:
    """The newest that one record holds: those that are declared now last."""
    newest_last = [each for name, each in known.items() if name not in declared] + list(declared.values())
    entries = [msgspec.json.encode(each) for each in newest_last]
    sizes = accumulate(len(entry) + 1 for entry in reversed(entries))
    fitting = sum(size <= DATA_MAX - 2 for size in sizes)
    return b"[" + b",".join(entries[len(entries) - fitting :]) + b"]"
