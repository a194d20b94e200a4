"""Values behind references: a bounded cache over the store's rows and the blobs."""

from collections import OrderedDict
from typing import Final

from aob.core.errors import NotFound
from aob.core.event.value import ROW_MAX, digest_of
from aob.ports.blobs import Blobs
from aob.ports.store import Store

CACHE_BYTES: Final = 64 * 1024 * 1024


class Values(OrderedDict[bytes, bytes]):
    """Bytes by digest. A mapping of what is at hand; `fetch` brings what is not."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        super().__init__()
        self._store, self._blobs = store, blobs
        self._bytes = 0

    def remember(self, digest: bytes, data: bytes) -> None:
        """Keep bytes at hand for a while."""
        if digest in self:
            return
        self[digest] = data
        self._bytes += len(data)
        while self._bytes > CACHE_BYTES and len(self) > 1:
            _, gone = self.popitem(last=False)
            self._bytes -= len(gone)

    async def fetch(self, tenant: str, digest: bytes) -> bytes:
        """The bytes of a value of this tenant. Raises NotFound when nobody has them."""
        data = self.get(digest) or await self._store.value(tenant, digest)
        if data is None:
            data = await self._blobs.get(tenant, digest)
        if data is None:
            raise NotFound(f"there is no blob sha256:{digest.hex()}")
        self.remember(digest, data)
        return data

    async def put(self, tenant: str, data: bytes) -> bytes:
        """Store bytes durably now (for what is too large for a row); their digest."""
        digest = digest_of(data)
        await self._blobs.put(tenant, data)
        self.remember(digest, data)
        return digest

    @staticmethod
    def beside(data: bytes) -> bool:
        """Whether a value of this size rides in the commit as a row."""
        return len(data) <= ROW_MAX
