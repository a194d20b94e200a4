"""Port `Pages` in memory: the reference. Lost when the process ends."""

from collections import Counter
from collections.abc import Mapping, Sequence

from aob.ports.pages import Key, Owner
from aob.ports.store import StaleEpoch


class MemoryPages:
    """Pages in a dict."""

    def __init__(self) -> None:
        self._marks: dict[str, int] = {}
        self._pages: dict[Key, bytes] = {}
        self._epochs: Counter[int] = Counter()
        self._kept: dict[int, tuple[dict[str, int], dict[Key, bytes]]] = {}

    async def take(self, shard: int) -> Owner:
        self._epochs[shard] += 1
        return Owner(shard, self._epochs[shard])

    def _fenced(self, owner: Owner) -> StaleEpoch | None:
        held = self._epochs[owner.shard]
        return None if held == owner.epoch else StaleEpoch(held)

    async def save(
        self, owner: Owner, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> StaleEpoch | None:
        if (stale := self._fenced(owner)) is not None:
            return stale
        self._marks.update(marks)
        for tenant, start in dropped:
            for key in [key for key in self._pages if key[0] == tenant and key[1].startswith(start)]:
                del self._pages[key]
        for key, data in pages.items():
            if data is None:
                self._pages.pop(key, None)
            else:
                self._pages[key] = bytes(data)
        return None

    async def marks(self) -> dict[str, int]:
        return dict(self._marks)

    async def load(self, tenant: str) -> dict[str, bytes]:
        return {name: data for (of, name), data in self._pages.items() if of == tenant and not name.startswith("~")}

    async def page(self, tenant: str, name: str) -> bytes | None:
        return self._pages.get((tenant, name))

    async def tenants(self) -> list[str]:
        return sorted({tenant for tenant, _ in self._pages})

    async def keep(self, owner: Owner, label: int, starts: Sequence[str], most: int) -> StaleEpoch | None:
        if (stale := self._fenced(owner)) is not None:
            return stale
        pages = {key: data for key, data in self._pages.items() if key[1].startswith(tuple(starts))}
        self._kept[label] = dict(self._marks), pages
        for old in sorted(self._kept)[:-most]:
            del self._kept[old]
        return None

    async def kept(self) -> dict[int, dict[str, int]]:
        return {label: dict(marks) for label, (marks, _) in self._kept.items()}

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        pages = self._kept[label][1] if label in self._kept else {}
        return {name: data for (of, name), data in pages.items() if of == tenant}

    async def clear(self, owner: Owner) -> StaleEpoch | None:
        if (stale := self._fenced(owner)) is None:
            self._kept.clear()
            self._marks.clear()
            self._pages.clear()
        return stale

    async def close(self) -> None:
        """Nothing to close."""
