"""Long-term memory, sync and async, on every store."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import InvalidNamespaceError, Item, PutOp, SearchItem

import aob
from aob.core.errors import Invalid
from aob.langgraph import AobSaver, AobStore


class Clock:
    """A clock that a test sets."""

    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


class Memory:
    """A store by its sync methods or its async ones, with a label of its own."""

    def __init__(self, store: AobStore, clock: Clock, *, sync: bool) -> None:
        self.store, self.clock, self.sync, self.label = store, clock, sync, f"m-{uuid.uuid4()}"

    async def call(self, name: str, *args: Any, **named: Any) -> Any:
        """What a method gives."""
        if self.sync:
            return await asyncio.to_thread(getattr(self.store, name), *args, **named)
        return await getattr(self.store, f"a{name}")(*args, **named)

    async def put(self, key: str, value: dict[str, Any], *below: str, **named: Any) -> None:
        await self.call("put", (self.label, *below), key, value, **named)

    async def get(self, key: str, *below: str, **named: Any) -> Item | None:
        found: Item | None = await self.call("get", (self.label, *below), key, **named)
        return found

    async def keys(self, *below: str, **named: Any) -> list[str]:
        """The keys that a search gives."""
        found: list[SearchItem] = await self.call("search", (self.label, *below), **named)
        return [each.key for each in found]


def embed(texts: list[str]) -> list[list[float]]:
    """How often some letters are in a text."""
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


@pytest.fixture(params=["sync", "async"])
def memory(request: Any, opened: AobSaver) -> Memory:
    """A memory where the savers of other tests are."""
    clock = Clock()
    return Memory(AobStore(opened._door, opened._calls, clock=clock), clock, sync=request.param == "sync")


async def test_items_are_put_changed_and_removed(memory: Memory) -> None:
    value = {"text": "ü" * 5_000, "n": [1, None, {"a": True}]}
    await memory.put("k", value, "docs")
    found = await memory.get("k", "docs")
    assert found is not None
    assert (found.value, found.key, found.namespace) == (value, "k", (memory.label, "docs"))
    assert found.created_at == found.updated_at
    memory.clock.now_s += 60
    await memory.put("k", {"n": 2}, "docs")
    later = await memory.get("k", "docs")
    assert later is not None
    assert (later.value, later.created_at) == ({"n": 2}, found.created_at)
    assert (later.updated_at - found.updated_at).total_seconds() == 60
    assert await memory.get("k") is None
    await memory.call("delete", (memory.label, "docs"), "k")
    await memory.call("delete", (memory.label, "docs"), "never there")
    assert await memory.get("k", "docs") is None


async def test_filters_pages_and_prefixes(memory: Memory) -> None:
    for n in range(6):
        await memory.put(
            f"k{n}", {"n": n, "kind": "even" if n % 2 == 0 else "odd", "in": {"a": n, "b": [n]}}, "x" * (n + 1)
        )
    await memory.put("other", {"n": "text"}, "xx", "deep")
    assert await memory.keys(filter={"kind": "odd"}) == ["k1", "k3", "k5"]
    assert await memory.keys(filter={"n": {"$gt": 2, "$lte": 4}}) == ["k3", "k4"]
    assert await memory.keys(filter={"n": {"$ne": 1}, "kind": "odd"}) == ["k3", "k5"]
    assert await memory.keys(filter={"in": {"a": 2, "b": [2]}}) == ["k2"]
    assert await memory.keys(filter={"missing": 1}) == []
    assert await memory.keys("xx") == ["k1", "other"], "a label is not a beginning of another"
    assert await memory.keys(limit=2) == ["k0", "k1"]
    with pytest.raises(ValueError, match="operator"):
        await memory.keys(filter={"n": {"$near": 1}})


async def test_words_find_items_without_embeddings(memory: Memory) -> None:
    await memory.put("a", {"text": "The parcel never arrived"})
    await memory.put("b", {"text": "charged twice for one parcel"})
    await memory.put("c", {"text": "hello"})
    found = await memory.call("search", (memory.label,), query="parcel charged")
    assert [(each.key, each.score) for each in found] == [("b", 1.0), ("a", 0.5)]


async def test_embeddings_find_what_is_alike(opened: AobSaver, memory: Memory) -> None:
    given: Any = {"dims": 5, "embed": embed, "fields": ["text"]}
    memory.store = AobStore(opened._door, opened._calls, index=given)
    await memory.put("a", {"text": "aaaa"})
    await memory.put("e", {"text": "eeee"})
    await memory.put("both", {"text": "aaee"})
    await memory.put("none", {"text": "aaaa"}, index=False)
    found = await memory.call("search", (memory.label,), query="a")
    assert [each.key for each in found] == ["a", "both", "e"]
    assert [round(each.score, 3) for each in found] == [1.0, 0.707, 0.0]


async def test_items_that_nobody_uses_expire(memory: Memory) -> None:
    await memory.put("kept", {})
    for key in ("read", "searched", "asked", "left"):
        await memory.put(key, {"x": key}, ttl=10)
    memory.clock.now_s += 9 * 60
    assert await memory.get("read") is not None
    assert await memory.keys(filter={"x": "searched"}) == ["searched"]
    assert await memory.get("asked", refresh_ttl=False) is not None
    memory.clock.now_s += 2 * 60
    assert await memory.get("left") is None
    assert await memory.keys() == ["kept", "read", "searched"]
    assert await memory.call("sweep_ttl") >= 2
    await memory.put("read", {"without": "end"})
    memory.clock.now_s += 1e9
    assert await memory.keys() == ["kept", "read"]


async def test_namespaces_are_listed(memory: Memory) -> None:
    for path in (("a",), ("a", "b"), ("a", "b", "c"), ("z", "b")):
        await memory.put("k", {}, *path)
    mine = memory.label
    assert await memory.call("list_namespaces", prefix=(mine,)) == [
        (mine, "a"), (mine, "a", "b"), (mine, "a", "b", "c"), (mine, "z", "b"),
    ]  # fmt: skip
    assert await memory.call("list_namespaces", prefix=(mine, "*", "b")) == [
        (mine, "a", "b"), (mine, "a", "b", "c"), (mine, "z", "b"),
    ]  # fmt: skip
    assert await memory.call("list_namespaces", prefix=(mine,), suffix=("b",)) == [(mine, "a", "b"), (mine, "z", "b")]
    assert await memory.call("list_namespaces", prefix=(mine,), max_depth=2, offset=1) == [(mine, "z")]


async def test_names_and_values_that_cannot_be_kept_are_refused(memory: Memory) -> None:
    with pytest.raises(InvalidNamespaceError):
        await memory.call("put", (), "k", {})
    for key in ("", "a\0b", "x" * 600):
        with pytest.raises(Invalid, match="no name"):
            await memory.put(key, {})
    with pytest.raises(Invalid, match="JSON"):
        await memory.put("k", {"x": object()})
    assert await memory.keys() == []


async def test_a_batch_reads_first_and_writes_once_a_key(memory: Memory) -> None:
    space = (memory.label,)
    await memory.put("k", {"n": 1})
    ops: list[Any] = [PutOp(space, "k", {"n": 2}), PutOp(space, "k", {"n": 3}), PutOp(space, "l", {"n": 4})]
    assert await memory.call("batch", ops) == [None, None, None]
    assert [(await memory.get(key)).value for key in "kl"] == [{"n": 3}, {"n": 4}]  # type: ignore[union-attr]


@pytest.mark.every_store
async def test_a_home_keeps_what_was_remembered(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.memory().aput(("users", "ada"), "likes", {"tea": True})
    async with aob.open(tmp_path) as app:
        found = await app.memory().asearch(("users",))
        assert [(each.namespace, each.key, each.value) for each in found] == [
            (("users", "ada"), "likes", {"tea": True})
        ]
        assert await app.memory().alist_namespaces() == [("users", "ada")]
        assert [each async for each in app.saver().alist(None)] == []
