"""Tests for every `Cache`. It may forget, so a miss passes unless stated otherwise; a wrong value fails."""

import pytest

from aob.ports.cache import Cache

TTL_MS = 1_000


class CacheSuite:
    """The contract of `aob.ports.cache`. Set `remembers` to False for a backend that may forget even when idle."""

    remembers = True

    async def make(self) -> Cache:
        """A new, empty cache."""
        raise NotImplementedError

    async def advance(self, ms: int) -> None:
        """Advance the cache's time: move its clock, or wait that long."""
        raise NotImplementedError

    @pytest.fixture
    async def cache(self) -> Cache:
        return await self.make()

    def expect(self, found: bytes | None, value: bytes) -> None:
        """A hit must be the value; a miss is allowed where the cache may forget."""
        assert found == value or (found is None and not self.remembers)

    async def test_a_miss_is_none(self, cache: Cache) -> None:
        assert await cache.get("acme", "never") is None

    async def test_what_is_put_comes_back(self, cache: Cache) -> None:
        for value in (b"", b"one", bytes(range(256)) * 16):
            await cache.put("acme", "key", value)
            self.expect(await cache.get("acme", "key"), value)

    async def test_the_last_put_wins(self, cache: Cache) -> None:
        await cache.put("acme", "key", b"old")
        await cache.put("acme", "key", b"new")
        assert await cache.get("acme", "key") in {b"new", None}

    async def test_a_value_is_gone_when_its_time_is_over(self, cache: Cache) -> None:
        await cache.put("acme", "short", b"one", TTL_MS)
        await cache.put("acme", "long", b"two")
        await self.advance(TTL_MS // 2)
        self.expect(await cache.get("acme", "short"), b"one")
        await self.advance(TTL_MS)
        assert await cache.get("acme", "short") is None
        self.expect(await cache.get("acme", "long"), b"two")

    async def test_a_later_put_sets_the_time_anew(self, cache: Cache) -> None:
        await cache.put("acme", "key", b"short", TTL_MS)
        await cache.put("acme", "key", b"long")
        await self.advance(2 * TTL_MS)
        self.expect(await cache.get("acme", "key"), b"long")

    async def test_a_deleted_key_is_forgotten(self, cache: Cache) -> None:
        await cache.put("acme", "key", b"one")
        await cache.delete("acme", "key")
        await cache.delete("acme", "key")
        assert await cache.get("acme", "key") is None

    async def test_tenants_share_nothing(self, cache: Cache) -> None:
        names = [("acme", "b:c"), ("acme:b", "c"), ("Acme", "b:c"), ("acme/b", "c"), ("", "acme:b:c")]
        for n, (tenant, key) in enumerate(names):
            assert await cache.get(tenant, key) is None
            await cache.put(tenant, key, str(n).encode())
        for n, (tenant, key) in enumerate(names):
            self.expect(await cache.get(tenant, key), str(n).encode())

    async def test_what_a_caller_does_to_its_buffer_later_changes_nothing(self, cache: Cache) -> None:
        buffer = bytearray(b"one")
        await cache.put("acme", "key", buffer)  # type: ignore[arg-type]  # a caller without types
        buffer[:] = b"two"
        self.expect(await cache.get("acme", "key"), b"one")

    async def test_it_stays_bounded(self, cache: Cache) -> None:
        for n in range(3_000):
            await cache.put("acme", f"key-{n}", b"x" * 1_000)
        assert await cache.get("acme", "key-2999") in {b"x" * 1_000, None}
