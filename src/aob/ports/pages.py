"""Port `Pages`: where a consumer of the log stores its state, in pages, together with its read positions. All of it can
be rebuilt from the log; it only shortens a restart. Each shard of it has one owner: a former owner that wakes up after
another took over overwrites nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from aob.core.errors import Unavailable
from aob.ports.store import StaleEpoch

PAGE_CORRUPT: Final = "page_corrupt"  # the code of reading a page that differs from what was written
PAGES_TAKEN: Final = "pages_taken"  # the code of writing after another owner has taken the pages: a retry cannot help
Key = tuple[str, str]  # the tenant and the name of a page


class Owner(msgspec.Struct, frozen=True):
    """A permitted writer: the owner of a shard under the epoch that it took."""

    shard: int
    epoch: int


class Pages(Protocol):
    """One consumer's pages. Raises Unavailable when the disk is full or the file cannot be reached; whether a write was
    made is then unknown, and repeating it is harmless. A write by an owner whose epoch is not the last one of its shard
    changes nothing and answers StaleEpoch."""

    async def take(self, shard: int) -> Owner:
        """Become the owner: durably raises the epoch by one and fences every older owner from this moment."""

    async def save(
        self, owner: Owner, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> StaleEpoch | None:
        """Write marks (how far each feed was read) and changed pages together, or nothing; None removes a page.
        `dropped` are tenants and prefixes of names: all such pages are removed first."""

    async def marks(self) -> dict[str, int]:
        """The marks of the last save; empty at first."""

    async def load(self, tenant: str) -> dict[str, bytes]:
        """All pages of a tenant whose names do not begin with `~`."""

    async def page(self, tenant: str, name: str) -> bytes | None:
        """One page, also one whose name begins with `~`: those are read one by one, on demand."""

    async def tenants(self) -> list[str]:
        """Tenants that have pages."""

    async def keep(self, owner: Owner, label: int, starts: Sequence[str], most: int) -> StaleEpoch | None:
        """Save a copy of the marks, and of all pages whose names begin with one of `starts`, under a label such as a
        day. Only the `most` greatest labels remain."""

    async def kept(self) -> dict[int, dict[str, int]]:
        """The remaining labels, with their marks."""

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        """The pages of a tenant that were copied under a label."""

    async def clear(self, owner: Owner) -> StaleEpoch | None:
        """Delete everything but the owner; it will be rebuilt from the log."""

    async def close(self) -> None:
        """Close all resources. Idempotent."""


class OwnedPages:
    """The pages of a shard for its owner: reads pass through, writes carry the epoch that `begin` took. Raises
    Unavailable `pages_taken` once another owner has taken them."""

    def __init__(self, pages: Pages, shard: int = 0) -> None:
        self._pages, self._shard = pages, shard
        self._owner: Owner | None = None
        self._taking = asyncio.Lock()
        self.marks, self.load, self.page, self.tenants = pages.marks, pages.load, pages.page, pages.tenants
        self.kept, self.load_kept, self.close = pages.kept, pages.load_kept, pages.close

    async def begin(self) -> Owner:
        """Take the pages, once. Call it before reading anything that is written back later."""
        async with self._taking:
            if self._owner is None:
                self._owner = await self._pages.take(self._shard)
            return self._owner

    async def save(
        self, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> None:
        self._held(await self._pages.save(await self.begin(), marks, pages, dropped))

    async def keep(self, label: int, starts: Sequence[str], most: int) -> None:
        self._held(await self._pages.keep(await self.begin(), label, starts, most))

    async def clear(self) -> None:
        self._held(await self._pages.clear(await self.begin()))

    def _held(self, answer: StaleEpoch | None) -> None:
        if answer is not None:
            why = f"another process keeps these pages now, under epoch {answer.held_epoch}"
            raise Unavailable(why, code=PAGES_TAKEN, hint="nothing was overwritten; end this process")
