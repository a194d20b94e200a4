"""`Cache`: small values by key, separate per tenant. It may forget any value, never return a wrong one."""

from typing import Protocol


class Cache(Protocol):
    """A bounded store of bytes. A miss is always a correct answer; a value is never another key's or tenant's."""

    async def get(self, tenant: str, key: str) -> bytes | None:
        """Return the value last put under the key, or None when it is evicted or expired. Raises Unavailable when the
        cache does not answer; callers continue as after a miss."""

    async def put(self, tenant: str, key: str, value: bytes, ttl_ms: int = 0) -> None:
        """Store a value for at most `ttl_ms` (0: until evicted). A value over the cache's own limit is not stored.
        Raises Unavailable when the cache does not answer."""

    async def delete(self, tenant: str, key: str) -> None:
        """Remove a key now. Raises Unavailable when the cache does not answer."""
