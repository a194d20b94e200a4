"""Lines through the gate as the room above does: read, freed of repeats, numbered; each batch also as a row."""

from collections.abc import Sequence
from typing import NamedTuple

from aob.core.contract_model import ContractSet
from aob.core.ingest import Dedup, Event, Gate


class Row(NamedTuple):
    """A batch as the log holds it."""

    lines: bytes
    notes: bytes
    first: int


class Intake:
    """Takes lines in; counts what became of them and keeps the rows."""

    def __init__(self, contracts: ContractSet) -> None:
        self.gate = Gate(contracts)
        self.rows: list[Row] = []
        self.accepted = self.duplicate = self.rejected = 0
        self._dedup = Dedup()

    def take(self, sent: Sequence[bytes], now_ms: int) -> list[Event]:
        """The events of the lines that are accepted."""
        gated = self.gate.read(b"\n".join(sent), now_ms)
        texts = gated.text.split(b"\n") if gated.events else []
        repeats = set(self._dedup.claim(gated.events, now_ms))
        kept = [place for place in range(len(gated.events)) if place not in repeats]
        fresh = [gated.events[place] for place in kept]
        for offset, event in enumerate(fresh, self.accepted):
            event.offset = offset
        lines = b"\n".join(texts[place] for place in kept)
        self.rows.append(Row(lines, self.gate.notes(fresh), self.accepted))
        self.accepted += len(fresh)
        self.duplicate += len(repeats)
        self.rejected += len(gated.refused)
        return fresh
