"""The port `Records` in memory: the parts of a process that is the whole home share the object."""

from collections.abc import Callable

from aob.ports.cluster import PAST_MAX, Record, check_record, version_differs


class MemoryRecords:
    """Records by this clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms, self._changed = now_ms, 0
        self._kept: dict[str, list[Record]] = {}

    async def changed(self) -> int:
        return self._changed

    async def read(self, name: str) -> Record | None:
        kept = self._kept.get(name)
        return kept[0] if kept else None

    async def every(self, start: str) -> list[Record]:
        found = (kept[0] for name, kept in sorted(self._kept.items()) if name.startswith(start))
        return [record for record in found if record.data]

    async def write(self, name: str, data: bytes, after: int, by: str, past: int = PAST_MAX) -> Record:
        check_record(name, data, past)
        kept = self._kept.get(name, [])
        if (present := kept[0].version if kept else 0) != after:
            raise version_differs(name, after, present)
        record = Record(name, after + 1, data, by, self._now_ms())
        self._kept[name] = [record, *kept][:past]
        self._changed += 1
        return record

    async def past(self, name: str) -> list[Record]:
        return list(self._kept.get(name, ()))

    async def close(self) -> None:
        """Does nothing."""
