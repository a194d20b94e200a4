"""Remembered outputs: the policies of a node, what a key depends on, and misses instead of lies."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.cache import MemoryCache
from aob.core.errors import Unavailable
from aob.core.rules import FIRST_RULES, RULES
from aob.core.value import Ref
from aob.ports.workers import Done, Job
from aob.work import node
from aob.work.kinds import performer
from aob.work.tools import Memo, Tools
from tests.work.jobs import Asked, calls, job_of, node_of, tools_of


class Home:
    """Tools with a memory, and a handler that counts its calls."""

    def __init__(self, version: str = "1", cache: Any = None, blobs: Any = None) -> None:
        self.calls = 0
        self.now_ms = 1_000
        self.blobs = blobs or MemoryBlobs()
        self.cache = cache or MemoryCache(lambda: self.now_ms)
        self.tools = self.tools_of(version)

    def tools_of(self, version: str) -> Tools:
        @node(effect="none", deterministic=True, version=version)
        async def score(order: Any) -> Any:
            self.calls += 1
            return {"order": order, "call": self.calls}

        table = tools_of(score).handlers
        self.memo = Memo(self.cache, self.blobs, table.facts, lambda: self.now_ms)
        return tools_of(score, memo=self.memo)

    async def ask(self, policy: str, value: Any = 1, **more: Any) -> Any:
        more = {"effect": "none", "deterministic": True, **more}
        job = calls("score", {"order": value}, cache=policy, **more)
        return await self.perform(job)

    async def perform(self, job: Job) -> Any:
        result: Any = await performer(self.tools, Asked)(job)
        return (result.output["call"], result.memo) if isinstance(result, Done) else (result["call"], False)


async def test_off_never_asks_and_never_writes() -> None:
    home = Home()
    assert [await home.ask("off"), await home.ask("off"), await home.ask("read_only")] == [
        (1, False),
        (2, False),
        (3, False),
    ]


async def test_read_through_writes_after_a_miss_and_reads_after_that() -> None:
    home = Home()
    assert [await home.ask("read_through") for _ in range(3)] == [(1, False), (1, True), (1, True)]
    assert (home.memo.counts.hits, home.memo.counts.misses, home.memo.counts.kept) == (2, 1, 1)


async def test_read_only_reads_and_never_writes() -> None:
    home = Home()
    assert [await home.ask("read_only"), await home.ask("read_only")] == [(1, False), (2, False)]
    await home.ask("write_only")
    assert await home.ask("read_only") == (3, True)


async def test_write_only_always_does_the_work_and_always_writes() -> None:
    home = Home()
    assert [await home.ask("write_only"), await home.ask("write_only")] == [(1, False), (2, False)]
    assert await home.ask("read_through") == (2, True)


@pytest.mark.parametrize("more", [{"effect": "keyed"}, {"effect": "once"}, {"deterministic": False}])
async def test_only_deterministic_work_without_effect_is_remembered(more: dict[str, Any]) -> None:
    home = Home()
    await home.ask("read_through")
    assert await home.ask("read_through", **more) == (2, False)


async def test_another_version_of_the_handler_is_another_work() -> None:
    home = Home()
    await home.ask("read_through")
    home.tools = home.tools_of("2")
    assert await home.ask("read_through") == (2, False)
    home.tools = home.tools_of("1")
    assert await home.ask("read_through") == (1, True)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "1", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=4,
)
PARTS = st.tuples(st.sampled_from(["acme", "other"]), st.sampled_from(["score", "rate"]), VALUE, st.booleans())


@given(PARTS, PARTS)
def test_two_jobs_share_a_key_only_when_all_they_depend_on_is_the_same(one: Any, other: Any) -> None:
    memo = Home().memo

    def key(parts: Any) -> str:
        tenant, handler, value, named = parts
        job = calls(handler, {"order": value} if named else value, tenant=tenant, named=named)
        return memo.key(job)

    # as JSON with its keys in order: to Python True is 1, and to JSON a map has no order
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key(one) == key(other)) is same


def test_what_does_not_change_the_output_does_not_change_the_key() -> None:
    memo = Home().memo
    plain = job_of(node_of("function", {"handler": "score"}), {"a": 1, "b": 2})
    other = job_of(
        node_of("function", {"handler": "score"}, priority="high", timeout={"run_ms": 5}, labels={"x": "y"}),
        {"b": 2, "a": 1},
        run="run_2",
        visit="each[3]/n",
        attempt=4,
    )
    assert memo.key(plain) == memo.key(other)


def test_the_same_work_by_other_rules_is_another_work() -> None:
    memo, keys = Home().memo, set()
    for rules in (FIRST_RULES, RULES):
        job = calls("score", {"order": 1})
        job.task = replace(job.task, rules=rules)
        keys.add(memo.key(job))
    assert len(keys) == 2


async def test_tenants_remember_apart() -> None:
    home = Home()
    await home.ask("read_through", tenant="acme")
    assert await home.ask("read_through", tenant="other") == (2, False)


async def test_a_hit_whose_blob_is_gone_or_damaged_is_a_miss_and_is_mended() -> None:
    home = Home()
    await home.ask("read_through")
    home.blobs.kept.clear()
    assert await home.ask("read_through") == (2, False)
    assert await home.ask("read_through") == (2, True)
    for name in home.blobs.kept:
        home.blobs.kept[name] = b"damaged"
    assert await home.ask("read_through") == (3, False)
    assert home.memo.counts.broken == 2


async def test_an_entry_of_another_release_is_a_miss() -> None:
    home = Home()
    job = calls("score", {"order": 1}, cache="read_through", effect="none", deterministic=True)
    await home.cache.put("acme", home.memo.key(job), b"\x93old")
    assert await home.perform(job) == (1, False)


class Down(MemoryCache):
    """A cache that does not answer."""

    async def get(self, tenant: str, key: str) -> bytes | None:
        raise Unavailable("the cache is down")

    async def put(self, tenant: str, key: str, value: bytes, ttl_ms: int = 0) -> None:
        raise Unavailable("the cache is down")


class Full(MemoryBlobs):
    """Blobs on a full disk."""

    async def put(self, tenant: str, data: bytes) -> Ref:
        raise Unavailable("the disk is full", code="disk_full")


async def test_a_cache_that_is_down_or_a_full_disk_costs_only_the_memory() -> None:
    for home in (Home(cache=Down(lambda: 0)), Home(blobs=Full())):
        assert [await home.ask("read_through"), await home.ask("read_through")] == [(1, False), (2, False)]


async def test_what_was_remembered_too_long_ago_is_forgotten() -> None:
    home = Home()
    await home.ask("read_through")
    home.now_ms += 31 * 86_400_000
    assert await home.ask("read_through") == (2, False)
