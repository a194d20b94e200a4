"""`Cache` in a dictionary, evicts the least recently used: bounded in entries and in bytes, lost with the process."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

ENTRIES_MAX: Final = 100_000
BYTES_MAX: Final = 64 * 1024 * 1024
VALUE_SHARE: Final = 8  # a value larger than this part of the whole is not stored: it would evict too much

ENTRY_BYTES: Final = 200  # the approximate cost of an entry besides its key and value


class MemoryCache:
    """A cache in this process. `now_ms` is its clock."""

    def __init__(
        self, now_ms: Callable[[], int], *, entries_max: int = ENTRIES_MAX, bytes_max: int = BYTES_MAX
    ) -> None:
        self._now_ms = now_ms
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._entries: OrderedDict[tuple[str, str], tuple[bytes, int]] = OrderedDict()
        self._bytes = 0

    @property
    def entries(self) -> int:
        """The number of stored values. (Not `len`: an empty cache would be false where a cache is checked for.)"""
        return len(self._entries)

    async def get(self, tenant: str, key: str) -> bytes | None:
        entry = self._entries.get((tenant, key))
        if entry is None:
            return None
        value, until_ms = entry
        if until_ms and self._now_ms() >= until_ms:
            self._drop((tenant, key))
            return None
        self._entries.move_to_end((tenant, key))
        return value

    async def put(self, tenant: str, key: str, value: bytes, ttl_ms: int = 0) -> None:
        name = (tenant, key)
        self._drop(name)
        if len(value) * VALUE_SHARE > self._bytes_max:
            return
        self._entries[name] = (bytes(value), self._now_ms() + ttl_ms if ttl_ms else 0)
        self._bytes += _cost(name, value)
        while len(self._entries) > self._entries_max or self._bytes > self._bytes_max:
            self._drop(next(iter(self._entries)))

    async def delete(self, tenant: str, key: str) -> None:
        self._drop((tenant, key))

    def _drop(self, name: tuple[str, str]) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._bytes -= _cost(name, entry[0])


def _cost(name: tuple[str, str], value: bytes) -> int:
    return len(name[0]) + len(name[1]) + len(value) + ENTRY_BYTES
