"""Appends as commands of a journal, on a store that fails: what is acknowledged is there once, in its place, and what
was given and not written is given again."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from aob.backends.memory.store import MemoryStore
from aob.core.errors import AobError, Busy, Conflict, Unavailable
from aob.journal import journal as journal_room
from aob.journal.topics import appending, memory
from aob.ports.log import Record
from aob.ports.store import Batch, StaleEpoch
from tests.conformance.one_shard import OneShard

TENANT, TOPIC = "acme", "orders"
PLACE = TENANT, TOPIC, 0


def record(id: str, data: bytes = b"1") -> Record:
    return Record(id, "/shop", "order.placed", TENANT, data=Raw(data))


class Moody(MemoryStore):
    """Fails as it is told: before it writes, or after."""

    def __init__(self) -> None:
        super().__init__()
        self.next = list[str]()
        self.held: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        if self.held is not None:
            self.begun.set()
            await self.held.wait()
        mood = self.next.pop(0) if self.next and batch.count else ""
        if mood == "refuses":
            raise Unavailable("not written", code="disk_full")
        answer = await super().commit(batch)
        if mood == "loses":
            raise Unavailable("written, and not answered", code="store_failed", unknown=True)
        return answer


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_room, "RETRY_S", 0.0)


async def opened(store: MemoryStore) -> OneShard:
    return await OneShard.over(store, lambda: 1_000)


async def ids(log: OneShard, partition: int = 0) -> list[str]:
    found = await log.read(TENANT, TOPIC, partition, 0)
    assert [each.offset for each in found] == list(range(len(found)))
    return [each.record.id for each in found]


@pytest.mark.parametrize(("mood", "kept"), [("refuses", ["a", "d"]), ("loses", ["a", "b", "c", "d"])])
async def test_a_commit_that_fails_gives_its_offsets_back(mood: str, kept: list[str]) -> None:
    store = Moody()
    log = await opened(store)
    await log.append(*PLACE, [record("a")])
    store.next = [mood]
    told = await asyncio.gather(
        log.append(*PLACE, [record("b")]), log.append(*PLACE, [record("c")], keyed=True), return_exceptions=True
    )
    assert [type(each) for each in told] == [Unavailable] * 2
    assert await log.journal.mended()
    (last,) = await log.append(*PLACE, [record("d")])
    assert (last.offset, await ids(log)) == (len(kept) - 1, kept)
    (again,) = await log.append(*PLACE, [record("c")], keyed=True)
    assert again.repeated == ("c" in kept)
    await log.close()


async def test_a_repeat_is_answered_when_what_it_repeats_is_durable() -> None:
    store = Moody()
    log = await opened(store)
    await log.append(*PLACE, [record("x")])
    store.held = asyncio.Event()
    first = asyncio.create_task(log.append(*PLACE, [record("a")], keyed=True))
    again = asyncio.create_task(log.append(*PLACE, [record("a")], keyed=True))
    await store.begun.wait()
    assert not first.done()
    assert not again.done()
    assert await ids(log) == ["x"], "a reader sees what is durable"
    store.held.set()
    assert [(await each)[0].repeated for each in (first, again)] == [False, True]
    await log.close()


async def test_a_reader_near_the_end_reads_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    store, asked = MemoryStore(), list[int]()
    plain = store.records

    async def counted(tenant: str, topic: str, partition: int, start: int, limit: int = 1_000) -> Any:
        asked.append(start)
        return await plain(tenant, topic, partition, start, limit)

    monkeypatch.setattr(store, "records", counted)
    monkeypatch.setattr(memory, "NEWEST_BYTES", 500)
    log = await opened(store)
    for n in range(10):
        await log.append(*PLACE, [record(str(n))])
    assert [each.record.id for each in await log.read(*PLACE, 9)] == ["9"]
    assert asked == []
    assert len(await ids(log)) == 10
    assert asked == [0]
    await log.close()


async def test_who_waits_for_records_is_woken_by_the_commit() -> None:
    log = await opened(MemoryStore())
    waits = asyncio.create_task(log.moved(TENANT, TOPIC, 30_000))
    other = asyncio.create_task(log.moved(TENANT, "other", 30_000))
    await asyncio.sleep(0)
    await log.append(TENANT, TOPIC, 5, [record("a")])
    await asyncio.wait_for(waits, 10)
    assert not other.done()
    other.cancel()
    await log.close()


async def test_what_waits_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appending, "WAITING_BYTES", 1_000)
    store = Moody()
    log = await opened(store)
    store.held = asyncio.Event()
    waits = [asyncio.create_task(log.append(*PLACE, [record(str(n), b'"%b"' % (b"x" * 300))])) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await log.append(*PLACE, [record("y", b'"%b"' % (b"x" * 300))])
    store.held.set()
    await asyncio.gather(*waits)
    await log.append(*PLACE, [record("z")])
    assert len(await ids(log)) == 4
    await log.close()


async def test_a_large_batch_becomes_several_commits_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appending, "DRAFT_BYTES", 1_000)
    monkeypatch.setattr("aob.journal.topics.draft.ROW_BYTES_MAX", 400)
    store = MemoryStore()
    log = await opened(store)
    await asyncio.gather(*(log.append(*PLACE, [record(f"{n}.{m}") for m in range(9)]) for n in range(20)))
    assert len(await ids(log)) == 180
    rows = await store.records(*PLACE, 0)
    assert max(len(row.data) for row in rows) < 600
    assert log.journal.stats["commits"] > 5
    await log.close()


async def test_a_commit_of_records_alone_has_a_row_and_is_recovered_over() -> None:
    store = MemoryStore()
    log = await opened(store)
    await log.append(*PLACE, [record("a")])
    assert (await store.last())[0] == log.journal.durable_row == 1
    await log.close()
    log = await opened(store)
    assert (log.journal.durable_row, await ids(log)) == (1, ["a"])
    await log.close()


async def test_a_group_goes_on_only_from_where_it_is() -> None:
    store = MemoryStore()
    log = await opened(store)
    await log.append(*PLACE, [record(str(n)) for n in range(5)])
    assert (await log.move_mark(TENANT, "g", TOPIC, 0, 3, 0)).low == 3
    for low, before, code in ((4, 0, "group_moved"), (6, 3, "no_such_offset"), (-1, None, "no_such_offset")):
        with pytest.raises(Conflict) as refused:
            await log.move_mark(TENANT, "g", TOPIC, 0, low, before)
        assert refused.value.code == code
    both = await asyncio.gather(
        *(log.move_mark(TENANT, "g", TOPIC, 0, low, 3) for low in (4, 5)), return_exceptions=True
    )
    assert [isinstance(each, Conflict) for each in both] == [False, True]
    assert (await log.move_mark(TENANT, "g", TOPIC, 0, 0, None)).low == 0
    assert [(mark.group, mark.low) for mark in await log.marks(TENANT)] == [("g", 0)]
    assert await log.marks("else") == []
    await log.close()
    log = await opened(store)
    assert (await log.move_mark(TENANT, "g", TOPIC, 0, 5, 0)).low == 5
    await log.close()


# -- any order of appends, failures and processes -----------------------------------------------------------------

APPEND = st.tuples(
    st.just("append"), st.integers(0, 1), st.lists(st.sampled_from("abcd"), min_size=1, max_size=3), st.booleans()
)
MARK = st.tuples(st.just("mark"), st.integers(0, 1), st.integers(0, 4), st.booleans())
SCRIPT = st.lists(
    st.tuples(
        st.lists(st.one_of(APPEND, MARK), min_size=1, max_size=6), st.sampled_from(["", "", "", "refuses", "loses"]),
        st.sampled_from(["", "", "open", "forget"]),
    ),
    max_size=6,
)  # fmt: skip


async def lived(script: list[Any]) -> None:
    store = Moody()
    log, count = await opened(store), 0
    told, low = dict[tuple[int, str], int](), {0: 0, 1: 0}

    async def append(partition: int, names: list[str], keyed: bool) -> None:
        nonlocal count
        count += 1
        named = names if keyed else [f"{name}{count}" for name in dict.fromkeys(names)]
        answers = await log.append(TENANT, TOPIC, partition, [record(name) for name in named], keyed=keyed)
        for name, each in zip(named, answers, strict=True):
            assert told.setdefault((partition, name), each.offset) == each.offset

    async def mark(partition: int, step: int, _: bool) -> None:
        before = low[partition]
        made = await log.move_mark(TENANT, "g", TOPIC, partition, before + step, before)
        low[partition] = made.low

    for together, mood, then in script:
        store.next = [mood] if mood else []
        acts: dict[str, Callable[..., Any]] = {"append": append, "mark": mark}
        answers = await asyncio.gather(*(acts[what](*given) for what, *given in together), return_exceptions=True)
        assert all(each is None or isinstance(each, AobError) for each in answers), answers
        store.next = []
        assert await log.journal.mended()
        marks = {each.partition: each.low for each in await log.marks(TENANT)}
        assert all(marks.get(partition, 0) >= at for partition, at in low.items())
        low = {partition: marks.get(partition, 0) for partition in low}
        if then == "open":
            await log.close()
            log = await opened(store)
        elif then == "forget":
            log.journal.topics.forget(0)
    for partition in (0, 1):
        found = await ids(log, partition)
        assert len(set(found)) == len(found)
        assert all(found[at] == name for (where, name), at in told.items() if where == partition)
    await log.close()


@given(SCRIPT)
@settings(max_examples=150, deadline=None)
def test_what_is_acknowledged_is_there_once_in_its_place(script: list[Any]) -> None:
    asyncio.run(lived(script))


@given(SCRIPT)
@settings(max_examples=60, deadline=None)
def test_so_it_is_when_memory_holds_next_to_nothing(script: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "KEPT_MAX", 1)
        asyncio.run(lived(script))
