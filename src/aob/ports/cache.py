"""`Cache`: small values by key for a while, each tenant for itself. It may forget anything at any time, not lie."""

from typing import Protocol


class Cache(Protocol):
    """A bounded store of bytes. A miss is always a correct answer; a value never is another key's or tenant's."""

    async def get(self, tenant: str, key: str) -> bytes | None:
        """The value last put under the key, or None when it is forgotten or its time is over.

        Raises Unavailable when the cache does not answer; callers go on as after a miss.
        """
        ...

    async def put(self, tenant: str, key: str, value: bytes, ttl_ms: int = 0) -> None:
        """Keep a value for at most `ttl_ms` (0: until it is pushed out). A value over the cache's own limit is not
        kept. Raises Unavailable when the cache does not answer."""
        ...

    async def delete(self, tenant: str, key: str) -> None:
        """Forget a key now. Raises Unavailable when the cache does not answer."""
        ...
