"""Port `Blobs` on Postgres: up to a size in a table, larger ones in another store behind the same names."""

from collections.abc import AsyncIterator
from typing import Any, Final

from aob.backends.postgres.database import Database
from aob.core.errors import CallerError, Unavailable
from aob.core.value import Ref, digest_of
from aob.ports.blobs import Blobs
from aob.ports.store import EVER_MS

HERE_BYTES: Final = 1024 * 1024  # larger blobs go to the other store
LISTED: Final = 1_000  # hashes that one read lists
FAR: Final = 2**31 - 1


class PostgresBlobs:
    """Blobs of all tenants. `larger` has those above the limit, and what was put there before."""

    def __init__(self, database: Database, larger: Blobs, *, here_bytes: int = HERE_BYTES) -> None:
        self._database, self._larger, self._here_bytes = database, larger, here_bytes
        self._sql = database.statements("blobs.sql")

    async def put(self, tenant: str, data: bytes) -> Ref:
        _named(tenant)
        if len(data) > self._here_bytes:
            return await self._larger.put(tenant, data)
        digest = digest_of(data)
        await self._one("put", tenant, digest, bytes(data))
        return Ref(digest, len(data))

    async def get(self, tenant: str, digest: bytes) -> bytes:
        found = await self._one("get", *_key(tenant, digest))
        if found is None:
            return await self._larger.get(tenant, digest)
        if digest_of(data := bytes(found)) != digest:
            why = f"the blob {digest.hex()} is not what was put"
            raise Unavailable(why, code="blob_corrupt", hint="restore the database, or put the same bytes again")
        return data

    async def get_range(self, tenant: str, digest: bytes, start: int, length: int) -> bytes:
        first, most = min(start + 1, FAR), min(length, FAR - min(start + 1, FAR))
        found = await self._one("range", first, most, *_key(tenant, digest))
        return bytes(found) if found is not None else await self._larger.get_range(tenant, digest, start, length)

    async def has(self, tenant: str, digest: bytes) -> bool:
        there = await self._one("size", *_key(tenant, digest)) is not None
        return there or await self._larger.has(tenant, digest)

    async def size(self, tenant: str, digest: bytes) -> int:
        found = await self._one("size", *_key(tenant, digest))
        return int(found) if found is not None else await self._larger.size(tenant, digest)

    async def delete(self, tenant: str, digest: bytes) -> bool:
        there = await self._one("forget", *_key(tenant, digest), EVER_MS) is not None
        return await self._larger.delete(tenant, digest) or there

    async def forget(self, tenant: str, digest: bytes, before_ms: int) -> int:
        """Removes the blob unless it was put at or after an instant of the database's clock."""
        found = await self._one("forget", *_key(tenant, digest), before_ms)
        return int(found) if found is not None else await self._larger.forget(tenant, digest, before_ms)

    async def iterate(self, tenant: str) -> AsyncIterator[bytes]:
        """The digests of the table in order, then those of the other store."""
        _named(tenant)
        after = b""
        while page := await self._database.rows(self._sql["list"], (tenant, after, LISTED)):
            for (digest,) in page:
                after = bytes(digest)
                yield after
        async for digest in self._larger.iterate(tenant):
            yield digest

    async def _one(self, name: str, *args: object) -> Any:
        row = await self._database.row(self._sql[name], args)
        return None if row is None else row[0]


def _named(tenant: str) -> None:
    if not tenant:
        raise CallerError("a blob belongs to a tenant", code="tenant_missing", hint="name one that is not empty")


def _key(tenant: str, digest: bytes) -> tuple[str, bytes]:
    _named(tenant)
    return tenant, digest
