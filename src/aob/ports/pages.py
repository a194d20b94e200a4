"""Port `Pages`: where a consumer of the log keeps its state, in pages, together with how far it has read.

Everything in it can be made again from the log; it only shortens the way back after a restart. Each shard of it has one
owner: one that was away while another took it over, and wakes, overwrites nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from aob.core.errors import Unavailable
from aob.ports.store import StaleEpoch

PAGE_CORRUPT: Final = "page_corrupt"
"""The code of what reading a page raises that is not what was written."""
PAGES_TAKEN: Final = "pages_taken"
"""The code of what writing raises once another has taken the pages: to try again is in vain."""
Key = tuple[str, str]
"""The tenant and the name of a page."""


class Owner(msgspec.Struct, frozen=True):
    """Who may write: the owner of a shard under the epoch that it took."""

    shard: int
    epoch: int


class Pages(Protocol):
    """One consumer's pages. Raises Unavailable when the disk is full or the file cannot be reached; of a write it is
    then unknown whether it was made, and the same write again is harmless. A write by an owner whose epoch is not the
    last one of its shard changes nothing and answers StaleEpoch."""

    async def take(self, shard: int) -> Owner:
        """Become the owner: the epoch is raised by one, durably; every older owner is fenced from this moment."""
        ...

    async def save(
        self, owner: Owner, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> StaleEpoch | None:
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

    async def keep(self, owner: Owner, label: int, starts: Sequence[str], most: int) -> StaleEpoch | None:
        """Copy the marks, and all pages whose names begin with one of `starts`, beside, under a label such as a day.
        Of all labels the `most` greatest stay."""
        ...

    async def kept(self) -> dict[int, dict[str, int]]:
        """The labels that stay, with their marks."""
        ...

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        """The pages of a tenant as they were copied under a label."""
        ...

    async def clear(self, owner: Owner) -> StaleEpoch | None:
        """Forget everything but who owns it: it will be made again from the log."""
        ...

    async def close(self) -> None:
        """Let go of everything. Calling it twice is fine."""
        ...


class OwnedPages:
    """The pages of a shard as its owner has them: reads as they are, writes under the epoch that `begin` took. Raises
    Unavailable `pages_taken` once another has taken them."""

    def __init__(self, pages: Pages, shard: int = 0) -> None:
        self._pages, self._shard = pages, shard
        self._owner: Owner | None = None
        self._taking = asyncio.Lock()
        self.marks, self.load, self.page, self.tenants = pages.marks, pages.load, pages.page, pages.tenants
        self.kept, self.load_kept, self.close = pages.kept, pages.load_kept, pages.close

    async def begin(self) -> Owner:
        """Take the pages, once. It comes before anything is read that is written back later."""
        async with self._taking:
            if self._owner is None:
                self._owner = await self._pages.take(self._shard)
            return self._owner

    async def save(
        self, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> None:
        """See `Pages`."""
        self._held(await self._pages.save(await self.begin(), marks, pages, dropped))

    async def keep(self, label: int, starts: Sequence[str], most: int) -> None:
        """See `Pages`."""
        self._held(await self._pages.keep(await self.begin(), label, starts, most))

    async def clear(self) -> None:
        """See `Pages`."""
        self._held(await self._pages.clear(await self.begin()))

    def _held(self, answer: StaleEpoch | None) -> None:
        if answer is not None:
            raise Unavailable(
                f"another process keeps these pages now, under epoch {answer.held_epoch}", code=PAGES_TAKEN,
                hint="nothing was overwritten; end this process",
            )  # fmt: skip
