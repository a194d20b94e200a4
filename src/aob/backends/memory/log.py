"""Port `Log` in memory: the reference. Lost when the process ends; otherwise as strict as a real one."""

import asyncio
from collections.abc import Callable, Sequence

from aob.core.errors import Conflict
from aob.core.event import PARTITIONS
from aob.ports.log import Appended, Logged, Record, TopicShape, check_append, content_digest, stamped


class MemoryLog:
    """All topics in two maps: the port `Topics`. Several users may share the object, like several processes a home."""

    def __init__(self, now_ms: Callable[[], int], partitions: int = PARTITIONS) -> None:
        self._now_ms, self._partitions = now_ms, partitions
        self._logged: dict[tuple[str, str, int], list[Logged]] = {}
        self._keys: dict[tuple[str, str, int, str, str], tuple[int, bytes]] = {}

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        check_append(tenant, topic, partition, records, self._partitions)
        await asyncio.sleep(0)
        place = tenant, topic, partition
        kept = self._logged.get(place, [])
        at_ms, keys = self._now_ms(), dict[tuple[str, str, int, str, str], tuple[int, bytes]]()
        told, fresh = list[Appended](), list[Logged]()
        for record in records:
            offset = len(kept) + len(fresh)
            if keyed:
                key = (*place, record.source, record.id)
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
            self._logged[place] = kept + fresh
        self._keys |= keys
        return told

    async def read(self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        return self._logged.get((tenant, topic, partition), [])[max(0, start) : max(0, start) + max(0, limit)]

    async def topics(self, tenant: str, topic: str = "") -> list[TopicShape]:
        found: dict[str, dict[int, int]] = {}
        for (whose, name, partition), kept in sorted(self._logged.items()):
            if whose == tenant and topic in ("", name):
                found.setdefault(name, {})[partition] = len(kept)
        return [TopicShape(name, ends) for name, ends in found.items()]
