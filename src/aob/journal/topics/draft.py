"""What a commit under construction appends to topics."""

from typing import Final

import msgspec

from aob.journal.law.law import Beside
from aob.journal.topics.commands import Place
from aob.ports.log import Record, stamped
from aob.ports.store import Batch, Trim
from aob.ports.topics import GroupMark, KeyRow, RecordRow, TopicEnd

ROW_BYTES_MAX: Final = 1024 * 1024  # bytes after which a row takes no further record

_encode: Final = msgspec.json.Encoder().encode


class _Row:
    """A row that takes more records."""

    __slots__ = ("count", "first", "parts", "size")

    def __init__(self, first: int) -> None:
        self.first, self.count, self.size = first, 0, 0
        self.parts: list[bytes] = []


class Appends(Beside):
    """The records, keys, ends and marks of one commit, which writes them beside its events."""

    _open: dict[Place, list[_Row]] = msgspec.field(default_factory=dict)
    keys: list[KeyRow] = msgspec.field(default_factory=list)
    ends: dict[Place, int] = msgspec.field(default_factory=dict)
    marks: dict[tuple[str, str, str, int], GroupMark] = msgspec.field(default_factory=dict)
    trims: list[Trim] = msgspec.field(default_factory=list)
    rows: list[RecordRow] = msgspec.field(default_factory=list)
    """The rows, once the batch is made."""
    size: int = 0
    moved: list[Place] = msgspec.field(default_factory=list)
    """Where a group was reset: its readers look."""

    def add(self, place: Place, first: int, records: list[Record], at_ms: int) -> None:
        """Records behind the last ones of their partition."""
        rows = self._open.setdefault(place, [])
        for offset, record in enumerate(records, first):
            data = _encode(stamped(record, at_ms))
            if not rows or rows[-1].size + len(data) > ROW_BYTES_MAX:
                rows.append(_Row(offset))
            row = rows[-1]
            row.parts.append(data)
            row.size += len(data) + 1
            row.count += 1
            self.size += len(data)
        self.ends[place] = first + len(records)

    def fill(self, batch: Batch) -> None:
        self.rows = [
            RecordRow.sealed(*place, row.first, row.count, batch.at_ms, b"[" + b",".join(row.parts) + b"]")
            for place, rows in self._open.items() for row in rows
        ]  # fmt: skip
        self._open = {}
        batch.records, batch.record_keys = [*batch.records, *self.rows], [*batch.record_keys, *self.keys]
        ends = [TopicEnd(*place, end) for place, end in self.ends.items()]
        batch.trims = [*batch.trims, *self.trims]
        batch.record_ends, batch.marks = [*batch.record_ends, *ends], [*batch.marks, *self.marks.values()]
