"""`Blobs`: immutable, permanent bytes by their sha256, separate per tenant. Tenants share nothing, not even whether a
blob exists: the tenant is part of every name."""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from aob.core.value import Ref

GONE: Final = frozenset({"blob_corrupt", "blob_not_found"})
"""Codes of values that no retry brings back: a run that needs one is quarantined."""


class Blobs(Protocol):
    """A content-addressed store. `digest` is the 32 bytes of a sha256; `tenant` is any non-empty text."""

    async def put(self, tenant: str, data: bytes) -> Ref:
        """Store the bytes and return their digest and size; durable on return. Putting the same bytes again changes
        nothing, and repairs a damaged copy. Raises Unavailable (`disk_full` when that is why): then nothing was put,
        and an older copy is still there."""

    async def get(self, tenant: str, digest: bytes) -> bytes:
        """Return the bytes, verified against their digest. Raises NotFound `blob_not_found`; Unavailable `blob_corrupt`
        when the stored bytes are no longer those that were put."""

    async def get_range(self, tenant: str, digest: bytes, start: int, length: int) -> bytes:
        """Return the bytes from `start` on, at most `length` of them: fewer at the end, none behind it. They are not
        verified: only who reads a whole blob can compare its digest. Raises NotFound `blob_not_found`."""

    async def has(self, tenant: str, digest: bytes) -> bool:
        """Whether the blob exists (its bytes are not read)."""

    async def size(self, tenant: str, digest: bytes) -> int:
        """Return the size in bytes. Raises NotFound `blob_not_found`."""

    async def delete(self, tenant: str, digest: bytes) -> bool:
        """Remove the blob; returns whether it existed."""

    async def forget(self, tenant: str, digest: bytes, before_ms: int) -> int:
        """Remove the blob unless it was put, or put again, at or after an instant of the wall clock, so that a
        concurrent put is safe. Returns its size in bytes; 0 when it stays or does not exist."""

    def iterate(self, tenant: str) -> AsyncIterator[bytes]:
        """The digests of all blobs of a tenant that exist throughout the call, in no order."""
