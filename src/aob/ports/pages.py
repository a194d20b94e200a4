"""Port `Pages`: where a consumer of the log keeps its state, in pages, together with how far it has read.

Everything in it can be made again from the log; it only shortens the way back after a restart.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

PAGE_CORRUPT: Final = "page_corrupt"
"""The code of what reading a page raises that is not what was written."""
Key = tuple[str, str]
"""The tenant and the name of a page."""


class Pages(Protocol):
    """One consumer's pages. Raises Unavailable when the disk is full or the file cannot be reached."""

    async def save(
        self, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> None:
        """Write marks (how far each feed was read) and changed pages together, or nothing; None removes a page.
        `dropped` are tenants and beginnings of names: all such pages are removed first."""
        ...

    async def marks(self) -> dict[str, int]:
        """The marks of the last save; empty at first."""
        ...

    async def load(self, tenant: str) -> dict[str, bytes]:
        """All pages of a tenant whose names do not begin with `~`."""
        ...

    async def page(self, tenant: str, name: str) -> bytes | None:
        """One page, also one that begins with `~`: those are read one by one, when they are needed."""
        ...

    async def tenants(self) -> list[str]:
        """Tenants that have pages."""
        ...

    async def keep(self, label: int, starts: Sequence[str], most: int) -> None:
        """Copy the marks, and all pages whose names begin with one of `starts`, beside, under a label such as a day.
        Of all labels the `most` greatest stay."""
        ...

    async def kept(self) -> dict[int, dict[str, int]]:
        """The labels that stay, with their marks."""
        ...

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        """The pages of a tenant as they were copied under a label."""
        ...

    async def clear(self) -> None:
        """Forget everything: it will be made again from the log."""
        ...

    async def close(self) -> None:
        """Let go of everything. Calling it twice is fine."""
        ...
