"""Port `Pages` in memory: the reference. It is gone with its process."""

from collections.abc import Mapping, Sequence

from aob.ports.pages import Key


class MemoryPages:
    """Pages in a dict."""

    def __init__(self) -> None:
        self._marks: dict[str, int] = {}
        self._pages: dict[Key, bytes] = {}
        self._kept: dict[int, tuple[dict[str, int], dict[Key, bytes]]] = {}

    async def save(
        self, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> None:
        """Write marks and pages together."""
        self._marks.update(marks)
        for tenant, start in dropped:
            for key in [key for key in self._pages if key[0] == tenant and key[1].startswith(start)]:
                del self._pages[key]
        for key, data in pages.items():
            if data is None:
                self._pages.pop(key, None)
            else:
                self._pages[key] = bytes(data)

    async def marks(self) -> dict[str, int]:
        """The marks of the last save."""
        return dict(self._marks)

    async def load(self, tenant: str) -> dict[str, bytes]:
        """All pages of a tenant but those that are read one by one."""
        return {name: data for (of, name), data in self._pages.items() if of == tenant and not name.startswith("~")}

    async def page(self, tenant: str, name: str) -> bytes | None:
        """One page."""
        return self._pages.get((tenant, name))

    async def tenants(self) -> list[str]:
        """Tenants that have pages."""
        return sorted({tenant for tenant, _ in self._pages})

    async def keep(self, label: int, starts: Sequence[str], most: int) -> None:
        """Copy marks and pages beside."""
        pages = {key: data for key, data in self._pages.items() if key[1].startswith(tuple(starts))}
        self._kept[label] = dict(self._marks), pages
        for old in sorted(self._kept)[:-most]:
            del self._kept[old]

    async def kept(self) -> dict[int, dict[str, int]]:
        """The labels that stay."""
        return {label: dict(marks) for label, (marks, _) in self._kept.items()}

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        """Pages as they were copied."""
        pages = self._kept[label][1] if label in self._kept else {}
        return {name: data for (of, name), data in pages.items() if of == tenant}

    async def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._marks.clear()
        self._pages.clear()

    async def close(self) -> None:
        """Nothing is held."""
