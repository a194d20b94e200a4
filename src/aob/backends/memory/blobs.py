"""`Blobs` in a dictionary: the reference of the port, except that it is lost when the process ends."""

import time
from collections.abc import AsyncIterator

from aob.core.errors import CallerError, NotFound, Unavailable
from aob.core.value import Ref, digest_of


class MemoryBlobs:
    """Blobs for tests and for runs that need not last."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, bytes], bytes] = {}
        self._put_ms: dict[tuple[str, bytes], int] = {}

    async def put(self, tenant: str, data: bytes) -> Ref:
        _named(tenant)
        digest = digest_of(data)
        self.kept[(tenant, digest)] = bytes(data)
        self._put_ms[(tenant, digest)] = time.time_ns() // 1_000_000
        return Ref(digest, len(data))

    async def get(self, tenant: str, digest: bytes) -> bytes:
        data = self._find(tenant, digest)
        if digest_of(data) != digest:
            why = f"the blob {digest.hex()} is not what was put"
            raise Unavailable(why, code="blob_corrupt", hint="put the same bytes again")
        return data

    async def get_range(self, tenant: str, digest: bytes, start: int, length: int) -> bytes:
        return self._find(tenant, digest)[start : start + length]

    async def has(self, tenant: str, digest: bytes) -> bool:
        _named(tenant)
        return (tenant, digest) in self.kept

    async def size(self, tenant: str, digest: bytes) -> int:
        return len(self._find(tenant, digest))

    async def delete(self, tenant: str, digest: bytes) -> bool:
        _named(tenant)
        return self.kept.pop((tenant, digest), None) is not None

    async def forget(self, tenant: str, digest: bytes, before_ms: int) -> int:
        _named(tenant)
        if self._put_ms.get((tenant, digest), 0) >= before_ms:
            return 0
        return len(self.kept.pop((tenant, digest), b""))

    async def iterate(self, tenant: str) -> AsyncIterator[bytes]:
        _named(tenant)
        for owner, digest in list(self.kept):
            if owner == tenant and (owner, digest) in self.kept:
                yield digest

    def _find(self, tenant: str, digest: bytes) -> bytes:
        _named(tenant)
        try:
            return self.kept[(tenant, digest)]
        except KeyError:
            raise NotFound(f"there is no blob {digest.hex()}", code="blob_not_found") from None


def _named(tenant: str) -> None:
    if not tenant:
        raise CallerError("a blob belongs to a tenant", code="tenant_missing", hint="name one that is not empty")
