"""Tests for the rows of topics of every `Store`, with the fixture of its main suite."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, structs

from aob.core.errors import Unavailable
from aob.ports.log import Record
from aob.ports.store import Batch, StaleEpoch, Store, Trim
from aob.ports.topics import READ_BYTES_MAX, GroupMark, KeyRow, RecordRow, TopicEnd
from aob.testing.conformance.store import batch

STRANGE = "x\0\ue000/ü"
"""A name that a backend has to keep as it is."""


def record(id: str, data: bytes = b'{"n":1}', **fields: Any) -> Record:
    """A record whose other fields do not matter to a test."""
    return Record(id, "/shop", "order.placed", fields.pop("tenant", "acme"), data=Raw(data), **fields)


def topic_row(
    first: int, records: Sequence[Record | None], *, topic: str = "orders", partition: int = 3, tenant: str = "acme",
    at_ms: int = 1_000,
) -> RecordRow:  # fmt: skip
    """A row of a topic."""
    return RecordRow.of(tenant, topic, partition, first, at_ms, records)


def appended(epoch: int, number: int, *rows: RecordRow, **parts: Any) -> Batch:
    """A batch with rows, and where their partitions end."""
    ends = [TopicEnd(each.tenant, each.topic, each.partition, each.end) for each in rows]
    return batch(epoch, number, records=rows, record_ends=parts.pop("record_ends", ends), **parts)


class TopicRowsSuite:
    """The contract of `aob.ports.topics`."""

    async def test_rows_are_read_back_as_they_were_written(self, store: Store, epoch: int) -> None:
        one = topic_row(0, [record("a"), None, record("b", b'"\\u0000 \xc3\xbc"', subject="s", extensions={"x": "y"})])
        other = topic_row(0, [record("c")], topic=STRANGE, tenant=STRANGE)
        await store.commit(appended(epoch, 1, one, other))
        assert await store.records("acme", "orders", 3, 0) == [one]
        (found,) = await store.records(STRANGE, STRANGE, 3, 0)
        assert found == other
        assert [(each.offset, each.record.id) for each in one.logged("")] == [(0, "a"), (2, "b")]
        assert await store.topic_ends() == [TopicEnd("acme", "orders", 3, 3), TopicEnd(STRANGE, STRANGE, 3, 1)]
        assert [await store.topic_end("acme", name, 3) for name in ("orders", "other")] == [3, 0]

    @pytest.mark.parametrize(("start", "limit", "firsts"), [
        (-1, 100, [0, 2, 3]), (0, 2, [0]), (0, 3, [0, 2]), (1, 1, [0]), (1, 2, [0, 2]), (2, 9, [2, 3]), (5, 9, [3]),
        (6, 9, []), (0, 0, []), (0, -1, []),
    ])  # fmt: skip
    async def test_a_read_begins_in_a_row_and_takes_whole_rows(
        self, store: Store, epoch: int, start: int, limit: int, firsts: list[int]
    ) -> None:
        rows = [topic_row(0, [record("a")] * 2), topic_row(2, [record("b")]), topic_row(3, [record("c")] * 3)]
        for number, each in enumerate(rows, 1):
            await store.commit(appended(epoch, number, each, topic_row(each.first, [record("x")], partition=4)))
        assert [each.first for each in await store.records("acme", "orders", 3, start, limit)] == firsts

    async def test_a_read_is_bounded_in_bytes(self, store: Store, epoch: int) -> None:
        large = b'"%b"' % (b"x" * (READ_BYTES_MAX // 3))
        for number in range(5):
            await store.commit(appended(epoch, number + 1, topic_row(number, [record(str(number), large)])))
        assert [each.first for each in await store.records("acme", "orders", 3, 1)] == [1, 2, 3]

    async def test_after_a_gap_a_read_goes_on_behind_it(self, store: Store, epoch: int) -> None:
        await store.commit(appended(epoch, 1, topic_row(0, [record("a")])))
        await store.commit(appended(epoch, 2, topic_row(7, [record("b")])))
        assert [each.first for each in await store.records("acme", "orders", 3, 1)] == [7]

    async def test_keys_are_known_in_their_tenant_topic_and_partition(self, store: Store, epoch: int) -> None:
        keys = [
            KeyRow("acme", "orders", 3, b"k" * 32, 5, b"d" * 32),
            KeyRow("else", "orders", 3, b"l" * 32, 6, b"e" * 32),
        ]
        await store.commit(batch(epoch, 1, record_keys=keys, record_ends=[TopicEnd("acme", "orders", 3, 7)]))
        asked = [b"k" * 32, b"l" * 32, b"m" * 32]
        assert await store.keyed("acme", "orders", 3, asked) == {b"k" * 32: (5, b"d" * 32)}
        assert await store.keyed("acme", "orders", 4, asked) == {}
        assert await store.keyed("acme", "other", 3, asked) == {}
        assert await store.keyed("acme", "orders", 3, []) == {}

    async def test_a_mark_is_one_for_each_group_and_partition(self, store: Store, epoch: int) -> None:
        first = GroupMark("acme", "billing", "orders", 3, 5, (7, 9), 1_000, 3)
        others = [GroupMark("acme", "billing", "orders", 10, 1), GroupMark(STRANGE, STRANGE, STRANGE, 3, 1)]
        await store.commit(batch(epoch, 1, marks=[first, *others]))
        moved = structs.replace(first, low=10, done=(), at_ms=2_000)
        await store.commit(batch(epoch, 2, marks=[moved]))
        assert await store.group_marks() == [moved, *others]

    async def test_ends_and_marks_are_read_a_page_at_a_time(self, store: Store, epoch: int) -> None:
        ends = [TopicEnd("acme", topic, partition, 1) for topic in ("a", "b") for partition in (0, 3, 12)]
        marks = [GroupMark("acme", group, "t", partition, 1) for group in ("a", "b") for partition in (0, 3, 12)]
        await store.commit(batch(epoch, 1, record_ends=ends[::-1], marks=marks[::-1]))
        assert await store.topic_ends(limit=4) == ends[:4]
        assert await store.topic_ends(("acme", "b", 0)) == ends[4:]
        assert await store.group_marks(limit=4) == marks[:4]
        assert await store.group_marks(("acme", "b", "t", 0)) == marks[4:]

    async def test_what_is_trimmed_is_gone_and_the_end_stays(self, store: Store, epoch: int) -> None:
        rows = [topic_row(n, [record(f"{n}"), record(f"{n}x")]) for n in (0, 2, 4)]
        keys = [KeyRow("acme", "orders", 3, bytes([n]) * 32, n, b"d" * 32) for n in range(3)]
        marks = [GroupMark("acme", "billing", topic, 3, 1) for topic in ("orders", "other")]
        other = topic_row(0, [record("y")], topic="other")
        for number, each in enumerate(rows, 1):
            await store.commit(appended(epoch, number, each, record_keys=keys[number - 1 : number]))
        await store.commit(appended(epoch, 4, other, marks=marks))
        less = topic_row(2, [None, record("2x")])
        trim = Trim("acme", "orders", 3, [0], [keys[0].key], [less])
        assert await store.topic_starts("acme", "orders", 8) == {3: 0}
        assert await store.commit(batch(epoch, 5, trims=[trim])) == 5
        assert await store.topic_starts("acme", "orders", 8) == {3: 2}
        assert await store.topic_starts("acme", "orders", 3) == {}
        assert await store.records("acme", "orders", 3, 0) == [less, rows[2]]
        assert await store.topic_bytes("acme", "orders", 3) == len(less.data) + len(rows[2].data)
        assert set(await store.keyed("acme", "orders", 3, [each.key for each in keys])) == {keys[1].key, keys[2].key}
        assert await store.group_marks() == marks
        whole = Trim("acme", "orders", 3, [2, 4], [keys[1].key, keys[2].key], marks=True)
        again = appended(epoch, 6, topic_row(6, [record("z")]), trims=[whole])
        assert await store.commit(again) == 6
        assert [each.first for each in await store.records("acme", "orders", 3, 0)] == [6]
        assert await store.group_marks() == marks[1:]
        assert (await store.topic_end("acme", "orders", 3), await store.topic_bytes("acme", "else", 3)) == (7, 0)
        assert await store.records("acme", "other", 3, 0) == [other]

    async def test_an_owner_that_was_replaced_appends_nothing(self, store: Store, epoch: int, tmp_path: Path) -> None:
        await store.commit(appended(epoch, 1, topic_row(0, [record("a")])))
        theirs = await store.take()
        late = appended(epoch, 2, topic_row(1, [record("b")]), marks=[GroupMark("acme", "g", "orders", 3, 1)])
        assert await store.commit(late) == StaleEpoch(theirs)
        assert [each.first for each in await store.records("acme", "orders", 3, 0)] == [0]
        assert (await store.topic_end("acme", "orders", 3), await store.group_marks()) == (1, [])

    def test_a_row_that_is_not_what_was_written_is_refused(self) -> None:
        good = topic_row(4, [record("a")])
        for bad in (
            structs.replace(good, data=good.data.replace(b"order.placed", b"order.plaxed")),
            structs.replace(good, first=5), structs.replace(good, at_ms=1_001), structs.replace(good, tenant="else"),
        ):  # fmt: skip
            with pytest.raises(Unavailable, match="shard 1: what orders holds from") as told:
                bad.logged("shard 1")
            assert told.value.code == "row_corrupt"
