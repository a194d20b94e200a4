"""Values behind references: a bounded cache over the store's rows and the blobs, separate for each tenant: a caller who
knows a hash learns nothing about other tenants' values."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import Final, TypeVar

import msgspec

from aob.core.errors import NotFound, TooLarge, Unavailable
from aob.core.items import Items
from aob.core.run.stepping import Needs
from aob.core.value import ROW_MAX, digest_of, part_in
from aob.ports.blobs import Blobs
from aob.ports.store import Store

BLOB_CORRUPT: Final = "blob_corrupt"
CACHE_BYTES: Final = 64 * 1024 * 1024
HELD_MAX: Final = 64 * 1024 * 1024  # bytes of map items that one job may get
PINNED_MAX: Final = 256 * 1024 * 1024  # bytes of values that one decision may need at once
ASKING_S: Final = 60  # after this long without a question a decision counts as given up

Made = TypeVar("Made")


class Asked(msgspec.Struct):
    """What a decision asked for, by tenant and digest, with its size once fetched; what more than once; when last."""

    sizes: dict[tuple[str, bytes], int]
    again: set[tuple[str, bytes]]
    at: float


class AtHand(Mapping[bytes, bytes]):
    """The cached values of one tenant, by digest."""

    __slots__ = ("_kept", "_tenant")

    def __init__(self, kept: Mapping[tuple[str, bytes], bytes], tenant: str) -> None:
        self._kept, self._tenant = kept, tenant

    def __getitem__(self, digest: bytes) -> bytes:
        return self._kept[(self._tenant, digest)]

    def __iter__(self) -> Iterator[bytes]:
        return (digest for tenant, digest in self._kept if tenant == self._tenant)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Values:
    """Bytes by tenant and digest. `of` gives cached values; `fetch` loads missing ones."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store, self._blobs = store, blobs
        self._kept: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._views: dict[str, AtHand] = {}
        self._bytes = 0
        self._asking: dict[Hashable, Asked] = {}  # the decisions that wait for values, the oldest first
        self.elsewhere: Callable[[str, bytes], Awaitable[bytes | None]] | None = None
        """Fallback for missing values: workflow documents are stored in shard 0."""

    def of(self, tenant: str) -> AtHand:
        """The cached values of a tenant."""
        view = self._views.get(tenant)
        if view is None:
            view = self._views[tenant] = AtHand(self._kept, tenant)
        return view

    def remember(self, tenant: str, digest: bytes, data: bytes) -> None:
        """Cache bytes."""
        key = (tenant, digest)
        if key in self._kept:
            self._kept.move_to_end(key)
            return
        self._kept[key] = data
        self._bytes += len(data)
        if self._bytes > CACHE_BYTES:
            self._evict()

    def _evict(self) -> None:
        """Drops the least recently used values over the limit, but not the newest, nor the pinned ones of the oldest
        decision that waits."""
        pinned = self._pinned()
        free, most = len(self._kept) - len(pinned), CACHE_BYTES + sum(len(self._kept[key]) for key in pinned)
        while self._bytes > most and free > 1:
            key, data = self._kept.popitem(last=False)
            if key in pinned:
                self._kept[key] = data
            else:
                self._bytes, free = self._bytes - len(data), free - 1

    def _pinned(self) -> set[tuple[str, bytes]]:
        while self._asking:
            asked = next(iter(self._asking.values()))
            if asked.at + ASKING_S > monotonic():
                return asked.again & self._kept.keys()
            self._asking.pop(next(iter(self._asking)))  # it was given up
        return set()

    def asks(self, by: Hashable, tenant: str, digest: bytes) -> None:
        """A decision waits for this value, and is made again once it is fetched. What it asks for a second time was
        evicted before, and is pinned until `made`, one decision at a time. Raises TooLarge."""
        asked = self._asking.setdefault(by, Asked({}, set(), 0.0))
        key, asked.at = (tenant, digest), monotonic()
        if key in asked.sizes:
            asked.again.add(key)
        else:
            asked.sizes[key] = 0
        pinned = [asked.sizes[key] or len(self._kept.get(key, b"")) for key in asked.again]
        if len(pinned) > 1 and sum(pinned) > PINNED_MAX:
            self.made(by)
            raise TooLarge(f"this needs more than {PINNED_MAX >> 20} MiB of values at once: give less to one node, or "
                           "keep large values in blobs and give back where they are")  # fmt: skip

    def made(self, by: Hashable) -> None:
        """The decision that asked is made."""
        if self._asking:
            self._asking.pop(by, None)

    async def given(self, tenant: str, make: Callable[[], Made]) -> Made:
        """The result of `make`, which is called again after each value that it needs was fetched. Raises TooLarge."""
        by = object()
        try:
            while True:
                try:
                    return make()
                except Needs as needs:
                    self.asks(by, tenant, needs.ref.digest)
                    await self.fetch(tenant, needs.ref.digest)
        finally:
            self.made(by)

    def forget(self, tenant: str, digest: bytes) -> None:
        """Drop a removed value from the cache."""
        self._bytes -= len(self._kept.pop((tenant, digest), b""))

    async def fetch(self, tenant: str, digest: bytes) -> bytes:
        """The bytes of a value of this tenant, or of a part of one. Raises NotFound if the tenant has none."""
        data = self._kept.get((tenant, digest))
        if data is None:
            whole, start, size = part_in(digest)
            data = self._kept.get((tenant, whole))
            if data is None and start <= ROW_MAX:
                data = await self._store.value(tenant, whole)
                if data is not None and digest_of(data) != whole:
                    raise Unavailable(f"the blob {whole.hex()} is not what was put", code=BLOB_CORRUPT,
                                      hint="restore the file of its shard from a backup")  # fmt: skip
            if data is None:
                data = await self._beyond(tenant, whole, start, size)
            elif size is not None:
                data = data[start : start + size]
            if len(data) <= CACHE_BYTES or any((tenant, digest) in each.sizes for each in self._asking.values()):
                self.remember(tenant, digest, data)  # a larger one only for a decision: others have it and are done
        for asked in islice(self._asking.values(), 1):
            if (key := (tenant, digest)) in asked.sizes:
                asked.sizes[key] = len(data)
        return data

    async def _beyond(self, tenant: str, digest: bytes, start: int, size: int | None) -> bytes:
        try:
            if size is not None:
                return await self._blobs.get_range(tenant, digest, start, size)
            return await self._blobs.get(tenant, digest)
        except NotFound:
            found = await self.elsewhere(tenant, digest) if self.elsewhere is not None else None
            if found is None or digest_of(found) != digest:
                raise
            return found if size is None else found[start : start + size]

    async def hold(self, tenant: str, sequences: Sequence[Items]) -> bytes:
        """Load the pages of these items and serve them from memory from now on. Raises TooLarge."""
        held: dict[bytes, bytes] = {}
        left = HELD_MAX
        for page in (page for items in sequences for page in items.pages):
            left -= page.size
            if left < 0:
                raise TooLarge(f"the items have more than {HELD_MAX >> 20} MiB: take a part, or work by item")
            held[page.digest] = await self.fetch(tenant, page.digest)
        for items in sequences:
            items.under(lambda page: held[page.digest])
        return b""

    async def put(self, tenant: str, data: bytes) -> bytes:
        """Store bytes durably as a blob (too large for a row). Returns their digest."""
        digest = digest_of(data)
        await self._blobs.put(tenant, data)
        self.remember(tenant, digest, data)
        return digest

    @staticmethod
    def beside(data: bytes) -> bool:
        """Whether a value of this size is written in the commit as a row."""
        return len(data) <= ROW_MAX
