"""Tests for every `Topics`: subclass, return yours from `make`; tests of hooks that return None are skipped."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Conflict, TooLarge, Unavailable
from aob.core.instant import iso
from aob.ports.log import APPEND_BYTES_MAX, RECORD_BYTES_MAX, RECORDS_MAX, Appended, Logged, Record, Topics, TopicShape

TENANT, TOPIC = "acme", "orders"
AT_MS = 1_700_000_000_123


def event(id: str, data: bytes = b'{"n":1}', **fields: Any) -> Record:
    """An event whose other attributes do not matter to a test."""
    return Record(id, "/shop", "order.placed", fields.pop("tenant", TENANT), data=Raw(data), **fields)


def ids(found: list[Logged]) -> list[str]:
    """The ids of records, in order."""
    return [each.record.id for each in found]


class LogSuite:
    """The contract of `aob.ports.log`."""

    async def make(self, folder: Path, now_ms: Callable[[], int]) -> Topics:
        """A new, empty log; `folder` is an empty directory of the test."""
        raise NotImplementedError

    async def again(self, log: Topics, folder: Path, now_ms: Callable[[], int]) -> Topics:
        """What `make` made in this folder, opened by another process, which ends the first one."""
        raise NotImplementedError

    async def close(self, log: Topics) -> None:
        """Close what `make` or `again` made."""

    async def mended(self, log: Topics) -> None:
        """Returns when the log has noticed that there is room again."""

    def full(self, log: Topics) -> AbstractContextManager[None] | None:
        """While entered the log has no room left; None when a test cannot cause that."""
        return None

    @pytest.fixture
    async def log(self, tmp_path: Path) -> Any:
        """The log under test; its clock stands still."""
        made = await self.make(tmp_path, lambda: AT_MS)
        yield made
        await self.close(made)

    # -- append and read --------------------------------------------------------------------------------------------

    async def test_a_new_log_is_empty(self, log: Topics) -> None:
        assert (await log.topics(TENANT), await log.read(TENANT, TOPIC, 0, 0)) == ([], [])
        assert await log.append(TENANT, TOPIC, 0, []) == []
        assert await log.topics(TENANT) == []

    async def test_a_record_is_read_back_as_it_was_appended(self, log: Topics) -> None:
        whole = Record(
            "e1", "/shop", "order.placed", "acme", "order-7", Raw(b'{"n":[1,null,"\xc3\xb6"]}'),
            "2024-01-01T00:00:00Z", "run_1", "run_1/fetch", 3, {"classification": "secret"},
        )  # fmt: skip
        assert await log.append(TENANT, TOPIC, 5, [whole]) == [Appended(0)]
        (found,) = await log.read(TENANT, TOPIC, 5, 0)
        assert (found.offset, found.record, found.at_ms >= AT_MS) == (0, whole, True)

    async def test_an_event_without_a_time_gets_that_of_its_append(self, log: Topics) -> None:
        await log.append(TENANT, TOPIC, 0, [event("a"), event("b", time="2024-01-01T00:00:00Z")])
        found = await log.read(TENANT, TOPIC, 0, 0)
        assert [each.record.time for each in found] == [iso(found[0].at_ms), "2024-01-01T00:00:00Z"]

    async def test_offsets_begin_at_0_and_have_no_gaps(self, log: Topics) -> None:
        assert await log.append(TENANT, TOPIC, 0, [event("a"), event("b")]) == [Appended(0), Appended(1)]
        assert await log.append(TENANT, TOPIC, 0, [event("c")]) == [Appended(2)]
        assert await log.topics(TENANT) == [TopicShape(TOPIC, {0: 3})]
        assert [each.offset for each in await log.read(TENANT, TOPIC, 0, 0)] == [0, 1, 2]

    async def test_each_partition_of_each_topic_is_counted_for_itself(self, log: Topics) -> None:
        for topic, partition in ((TOPIC, 0), (TOPIC, 63), ("other", 0)):
            assert await log.append(TENANT, topic, partition, [event("a")]) == [Appended(0)]
        assert await log.topics(TENANT) == [TopicShape(TOPIC, {0: 1, 63: 1}), TopicShape("other", {0: 1})]

    @pytest.mark.parametrize(("start", "limit", "found"), [
        (0, 99, "abcdef"), (1, 99, "bcdef"), (2, 2, "cd"), (5, 1, "f"), (6, 9, ""), (99, 9, ""), (0, 0, ""),
        (-5, 2, "ab"),
    ])  # fmt: skip
    async def test_a_reader_begins_and_ends_anywhere(self, log: Topics, start: int, limit: int, found: str) -> None:
        for each in ("a", "bc", "def"):
            await log.append(TENANT, TOPIC, 0, [event(id) for id in each])
        assert "".join(ids(await log.read(TENANT, TOPIC, 0, start, limit))) == found

    async def test_what_was_appended_at_the_same_time_lies_one_behind_the_other(self, log: Topics) -> None:
        answers = await asyncio.gather(
            *(log.append(TENANT, TOPIC, n % 2, [event(f"{n}.0"), event(f"{n}.1")]) for n in range(200))
        )
        for partition in (0, 1):
            found = await log.read(TENANT, TOPIC, partition, 0)
            assert [each.offset for each in found] == list(range(200))
            place = {each.record.id: each.offset for each in found}
            for n in range(partition, 200, 2):
                assert [a.offset for a in answers[n]] == [place[f"{n}.0"], place[f"{n}.1"]]
                assert place[f"{n}.1"] == place[f"{n}.0"] + 1
            firsts = [place[f"{n}.0"] for n in range(partition, 200, 2)]
            assert firsts == sorted(firsts), "appends of one caller changed places"

    async def test_everything_is_there_after_the_log_was_opened_again(self, log: Topics, tmp_path: Path) -> None:
        await log.append(TENANT, TOPIC, 0, [event("a"), event("b")], keyed=True)
        other = await self.again(log, tmp_path, lambda: AT_MS + 5)
        assert ids(await other.read(TENANT, TOPIC, 0, 0)) == ["a", "b"]
        assert await other.append(TENANT, TOPIC, 0, [event("b"), event("c")], keyed=True) == [
            Appended(1, True),
            Appended(2),
        ]
        assert ids(await other.read(TENANT, TOPIC, 0, 0)) == ["a", "b", "c"]
        await self.close(other)

    async def test_a_topic_belongs_to_its_tenant(self, log: Topics) -> None:
        await log.append(TENANT, TOPIC, 0, [event("a")])
        assert (await log.topics("else"), await log.read("else", TOPIC, 0, 0)) == ([], [])
        assert await log.append("else", TOPIC, 0, [event("b", tenant="else")]) == [Appended(0)]
        assert [ids(await log.read(tenant, TOPIC, 0, 0)) for tenant in (TENANT, "else")] == [["a"], ["b"]]
        with pytest.raises(CallerError) as refused:
            await log.append(TENANT, TOPIC, 0, [event("c"), event("d", tenant="else")])
        assert refused.value.code == "other_tenant"

    # -- keyed appends ----------------------------------------------------------------------------------------------

    async def test_a_keyed_event_is_there_once_and_its_repeat_is_told_so(self, log: Topics) -> None:
        assert await log.append(TENANT, TOPIC, 0, [event("a")], keyed=True) == [Appended(0)]
        await log.append(TENANT, TOPIC, 0, [event("x")])
        assert await log.append(TENANT, TOPIC, 0, [event("a")], keyed=True) == [Appended(0, True)]
        assert await log.append(TENANT, TOPIC, 0, [event("b"), event("a"), event("b"), event("c")], keyed=True) == [
            Appended(2), Appended(0, True), Appended(2, True), Appended(3),
        ]  # fmt: skip
        assert ids(await log.read(TENANT, TOPIC, 0, 0)) == ["a", "x", "b", "c"]

    async def test_repeats_at_the_same_time_are_written_once(self, log: Topics) -> None:
        answers = await asyncio.gather(*(log.append(TENANT, TOPIC, 0, [event("a")], keyed=True) for _ in range(20)))
        assert sorted(each.repeated for (each,) in answers) == [False] + [True] * 19
        assert ids(await log.read(TENANT, TOPIC, 0, 0)) == ["a"]

    async def test_an_id_is_known_in_its_tenant_source_partition_and_topic(self, log: Topics) -> None:
        await log.append(TENANT, TOPIC, 0, [event("a")], keyed=True)
        assert not (await log.append("b", TOPIC, 0, [event("a", tenant="b")], keyed=True))[0].repeated
        assert not (await log.append(TENANT, TOPIC, 1, [event("a")], keyed=True))[0].repeated
        assert not (await log.append(TENANT, "other", 0, [event("a")], keyed=True))[0].repeated
        elsewhere = Record("a", "/desk", "order.placed", "acme", data=Raw(b'{"n":1}'))
        assert not (await log.append(TENANT, TOPIC, 0, [elsewhere], keyed=True))[0].repeated

    @pytest.mark.parametrize("other", [{"data": b"2"}, {"subject": "else"}])
    async def test_the_same_id_with_other_content_is_a_conflict_and_nothing_is_written(
        self, log: Topics, other: JsonObject
    ) -> None:
        await log.append(TENANT, TOPIC, 0, [event("a")], keyed=True)
        with pytest.raises(Conflict) as refused:
            await log.append(TENANT, TOPIC, 0, [event("new"), event("a", **other)], keyed=True)
        assert refused.value.code == "event_exists"
        assert ids(await log.read(TENANT, TOPIC, 0, 0)) == ["a"]
        assert not (await log.append(TENANT, TOPIC, 0, [event("new")], keyed=True))[0].repeated

    async def test_a_later_time_is_no_other_content(self, log: Topics) -> None:
        await log.append(TENANT, TOPIC, 0, [event("a", time="2024-01-01T00:00:00Z")], keyed=True)
        again = await log.append(TENANT, TOPIC, 0, [event("a", time="2024-01-01T00:00:09Z")], keyed=True)
        assert again == [Appended(0, True)]

    async def test_a_refused_first_append_makes_no_topic(self, log: Topics) -> None:
        with pytest.raises(Conflict):
            await log.append(TENANT, TOPIC, 0, [event("a"), event("a", b"2")], keyed=True)
        assert await log.topics(TENANT) == []

    # -- limits -----------------------------------------------------------------------------------------------------

    async def test_what_is_no_place_is_refused(self, log: Topics) -> None:
        for topic, partition, code in (("", 0, "bad_topic"), ("t" * 201, 0, "bad_topic"), ("a\n", 0, "bad_topic"),
                                       (TOPIC, 64, "bad_partition"), (TOPIC, -1, "bad_partition")):  # fmt: skip
            with pytest.raises(CallerError) as refused:
                await log.append(TENANT, topic, partition, [event("a")])
            assert refused.value.code == code

    async def test_what_is_too_large_is_refused(self, log: Topics) -> None:
        with pytest.raises(TooLarge):
            await log.append(TENANT, TOPIC, 0, [event("a", b'"%b"' % (b"x" * RECORD_BYTES_MAX))])
        with pytest.raises(TooLarge):
            await log.append(TENANT, TOPIC, 0, [event(str(n)) for n in range(RECORDS_MAX + 1)])
        large = b'"%b"' % (b"x" * (RECORD_BYTES_MAX - 2))
        many = APPEND_BYTES_MAX // RECORD_BYTES_MAX + 1
        with pytest.raises(TooLarge):
            await log.append(TENANT, TOPIC, 0, [event(str(n), large) for n in range(many)])
        assert await log.topics(TENANT) == []

    async def test_a_full_disk_is_said_and_work_goes_on_when_there_is_room(self, log: Topics) -> None:
        await log.append(TENANT, TOPIC, 0, [event("a")], keyed=True)
        full = self.full(log)
        if full is None:
            pytest.skip("this log cannot be made full")
        big = event("b", b'"%b"' % (b"x" * 500_000))
        with full, pytest.raises(Unavailable) as refused:
            await log.append(TENANT, "new", 0, [big], keyed=True)
        assert refused.value.code == "disk_full"
        await self.mended(log)
        assert [each.name for each in await log.topics(TENANT)] == [TOPIC]
        assert await log.append(TENANT, "new", 0, [big], keyed=True) == [Appended(0)]
