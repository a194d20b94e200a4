"""Port `Log` in memory: the reference. Lost when the process ends; otherwise as strict as a real one."""

import asyncio
from collections.abc import Callable, Sequence

from aob.core.errors import Conflict
from aob.core.event import PARTITIONS
from aob.ports.log import Appended, Logged, Record, check_append, content_digest, stamped


class MemoryLog:
    """All topics in two maps. Several users may share the object, like several processes a file."""

    def __init__(self, now_ms: Callable[[], int], partitions: int = PARTITIONS) -> None:
        self._now_ms, self._partitions = now_ms, partitions
        self._logged: dict[tuple[str, int], list[Logged]] = {}
        self._keys: dict[tuple[str, int, str, str, str], tuple[int, bytes]] = {}

    async def append(
        self, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        check_append(topic, partition, records, self._partitions)
        await asyncio.sleep(0)
        kept = self._logged.get((topic, partition), [])
        at_ms, keys = self._now_ms(), dict[tuple[str, int, str, str, str], tuple[int, bytes]]()
        told, fresh = list[Appended](), list[Logged]()
        for record in records:
            offset = len(kept) + len(fresh)
            if keyed:
                key = (topic, partition, record.tenant, record.source, record.id)
                digest = content_digest(record)
                known = keys.get(key) or self._keys.get(key)
                if known is not None:
                    if known[1] != digest:
                        raise Conflict(f"event {record.id} is there with other content", code="event_exists")
                    told.append(Appended(known[0], True))
                    continue
                keys[key] = (offset, digest)
            fresh.append(Logged(offset, at_ms, stamped(record, at_ms)))
            told.append(Appended(offset))
        if fresh:
            self._logged[(topic, partition)] = kept + fresh
        self._keys |= keys
        return told

    async def read(self, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        return self._logged.get((topic, partition), [])[max(0, start) : max(0, start) + max(0, limit)]

    async def topics(self) -> list[str]:
        return sorted({topic for topic, _ in self._logged})

    async def end(self, topic: str, partition: int) -> int:
        return len(self._logged.get((topic, partition), ()))

    async def close(self) -> None:
        """Nothing to close."""
