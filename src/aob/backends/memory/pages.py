"""Port `Pages` in memory: the reference. It is gone with its process."""

from collections.abc import Mapping, Sequence

from aob.ports.pages import Key


class MemoryPages:
    """Pages in a dict."""

    def __init__(self) -> None:
        self._marks: dict[str, int] = {}
        self._pages: dict[Key, bytes] = {}

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

    async def clear(self) -> None:
        """Forget everything."""
        self._marks.clear()
        self._pages.clear()

    async def close(self) -> None:
        """Nothing is held."""
