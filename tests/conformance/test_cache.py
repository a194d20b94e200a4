"""Every `Cache` backend against the one suite, and memory against a plain dictionary on random scripts."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from aob.backends.memory.cache import MemoryCache
from aob.ports.cache import Cache
from aob.testing.conformance.cache import CacheSuite


class TestMemory(CacheSuite):
    now_ms = 1_000

    async def make(self) -> Cache:
        return MemoryCache(lambda: self.now_ms, bytes_max=1_000_000)

    async def advance(self, ms: int) -> None:
        self.now_ms += ms

    async def test_it_stays_bounded_in_entries_and_bytes(self) -> None:
        cache = MemoryCache(lambda: 0, entries_max=10, bytes_max=5_000)
        for n in range(50):
            await cache.put("acme", f"key-{n}", b"x" * 100)
        assert cache.entries == 10
        for n in range(50):
            await cache.put("acme", f"key-{n}", b"x" * 600)
        assert cache.entries == 6

    async def test_what_was_used_longest_ago_goes_first(self) -> None:
        cache = MemoryCache(lambda: 0, entries_max=2)
        await cache.put("acme", "a", b"1")
        await cache.put("acme", "b", b"2")
        await cache.get("acme", "a")
        await cache.put("acme", "c", b"3")
        assert [await cache.get("acme", key) for key in "abc"] == [b"1", None, b"3"]

    async def test_a_value_that_would_push_out_too_much_is_not_kept(self) -> None:
        cache = MemoryCache(lambda: 0, bytes_max=8_000)
        await cache.put("acme", "old", b"x")
        await cache.put("acme", "big", b"x" * 1_001)
        assert await cache.get("acme", "big") is None
        assert await cache.get("acme", "old") == b"x"


MOVE = st.tuples(
    st.sampled_from(["put", "get", "delete", "wait"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["x", "y", "z"]),
    st.integers(0, 3),
)


@given(st.lists(MOVE, max_size=40))
def test_memory_answers_as_a_dictionary_does(script: list[tuple[str, str, str, int]]) -> None:
    async def play() -> None:
        now = 0
        cache = MemoryCache(lambda: now)
        model: dict[tuple[str, str], tuple[bytes, int]] = {}
        for n, (verb, tenant, key, ttl) in enumerate(script):
            if verb == "put":
                await cache.put(tenant, key, str(n).encode(), ttl)
                model[(tenant, key)] = (str(n).encode(), now + ttl if ttl else 1 << 60)
            elif verb == "delete":
                await cache.delete(tenant, key)
                model.pop((tenant, key), None)
            elif verb == "wait":
                now += ttl
            else:
                value, until = model.get((tenant, key), (None, 0))
                assert await cache.get(tenant, key) == (value if now < until else None)

    asyncio.run(play())
