"""`Blobs`: bytes by the sha256 of what they are, each tenant for itself. Immutable; what is put is there for good.

Nothing is shared between tenants, not even whether a blob exists: a tenant is a part of every name.
"""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from aob.core.value import Ref

GONE: Final = frozenset({"blob_corrupt", "blob_not_found"})
"""Codes of values that do not come back by waiting: a run that needs one is set aside."""


class Blobs(Protocol):
    """A content-addressed store. `digest` is the 32 bytes of a sha256; `tenant` is any text that is not empty."""

    async def put(self, tenant: str, data: bytes) -> Ref:
        """Keep the bytes and return their digest and size. Putting the same bytes again changes nothing, and mends a
        damaged copy. On return the blob survives a loss of power.

        Raises Unavailable (`disk_full` when that is why): then nothing was put, and an older copy is still there.
        """
        ...

    async def get(self, tenant: str, digest: bytes) -> bytes:
        """The bytes, verified against their digest.

        Raises NotFound `blob_not_found`; Unavailable `blob_corrupt` when what is stored is no longer what was put.
        """
        ...

    async def has(self, tenant: str, digest: bytes) -> bool:
        """Whether the blob is there (its bytes are not read)."""
        ...

    async def size(self, tenant: str, digest: bytes) -> int:
        """The size in bytes. Raises NotFound `blob_not_found`."""
        ...

    async def delete(self, tenant: str, digest: bytes) -> bool:
        """Remove the blob; returns whether it was there."""
        ...

    async def forget(self, tenant: str, digest: bytes, before_ms: int) -> int:
        """Remove the blob unless it was put, or put again, at or after an instant of the wall clock: whoever puts it
        meanwhile finds it afterwards. The bytes that it had; 0 when it stays or is not there."""
        ...

    def iterate(self, tenant: str) -> AsyncIterator[bytes]:
        """The digests of all blobs of a tenant that are there from before the call until the end, in no order."""
        ...
