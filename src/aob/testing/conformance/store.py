"""Tests for every `Store`: subclass, return yours from `make`; tests of hooks that return None are skipped."""

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, Unavailable
from aob.core.event import Message, MessageMark
from aob.ports.store import Batch, Head, HeadQuery, JournalRow, Segment, StaleEpoch, Store, TicketRow, TimerRow, Value

RUN = "run_1"
STARTED = b'[1,"run_1","order"]'


def head(stream: str, status: str = "RUNNING", *, ended_ms: int = 0, **fields: Any) -> Head:
    """A head whose other fields do not matter to a test."""
    told = {"kind": "run", "tenant": "acme", "name": "order", "reason": "", "started_ms": 5, "seq": 1, **fields}
    return Head(stream, status=status, ended_ms=ended_ms, **told)


def batch(epoch: int, row: int, *, count: int = 1, at_ms: int = 0, **parts: Any) -> Batch:
    """A batch of one event, or with the given content."""
    data = parts.pop("data", b'[["run_1",%d,[%b]]]' % (row - 1, STARTED))
    return Batch(epoch, row, at_ms or 1_000 + row, count, data, **parts)


def whole(epoch: int, row: int) -> Batch:
    """A batch with something in every part."""
    return batch(
        epoch, row, counts=b'{"3":1}', heads=[head(RUN)], segments=[Segment(RUN, 0, 1, row, b"[]")],
        timers=[TimerRow(RUN, "t", 9)], values=[Value("acme", b"h" * 32, b"data")], cut=row,
        tickets=[TicketRow(RUN, "q", "acme", 9, "boss")], outbox=[message(1)], sent=[MessageMark(3, 4, 1, 1)],
        received=[MessageMark(4, 3, 1, 7)],
    )  # fmt: skip


def message(number: int, *, sender: int = 3, receiver: int = 4, generation: int = 1, **fields: Any) -> Message:
    """A message whose other fields do not matter to a test."""
    told = {"source": RUN, "target": "run_2", "body": b"{}", **fields}
    return Message(sender, receiver, generation, number, **told)


async def content(store: Store) -> JsonObject:
    """Everything that the reads of a store return."""
    return {
        "last": await store.last(),
        "journal": await store.journal(0),
        "heads": await store.heads(HeadQuery("run", limit=1_000)),
        "live": await store.live("run"),
        "live_count": await store.live_count(),
        "segments": {name: await store.segments(name) for name in (RUN, "run_2", "run_3")},
        "timers": await store.timers(1 << 60),
        "tickets": await store.tickets(),
        "value": await store.value("acme", b"h" * 32),
        "outbox": await store.outbox(),
        "marks": await store.message_marks(),
    }


class StoreSuite:
    """The contract of `aob.ports.store`, for one shard."""

    async def make(self, folder: Path) -> Store:
        """A new, empty store; `folder` is an empty directory of the test."""
        raise NotImplementedError

    async def again(self, store: Store, folder: Path) -> Store:
        """A second handle on what `make` made in this folder, as for another process."""
        raise NotImplementedError

    def full(self, store: Store) -> AbstractContextManager[None] | None:
        """While entered the store has no room left; None when a test cannot cause that."""
        return None

    def locked(self, store: Store) -> AbstractContextManager[None] | None:
        """While entered another process holds the store; None when a test cannot cause that."""
        return None

    @pytest.fixture
    async def store(self, tmp_path: Path) -> Any:
        made = await self.make(tmp_path)
        yield made
        await made.close()

    @pytest.fixture
    async def epoch(self, store: Store) -> int:
        """The epoch of the store's owner."""
        return await store.take()

    # -- epochs -----------------------------------------------------------------------------------------------------

    async def test_a_new_store_is_empty(self, store: Store) -> None:
        assert await content(store) == {
            "last": (0, 0, 0), "journal": [], "heads": [], "live": [], "live_count": 0, "timers": [], "tickets": [],
            "value": None, "outbox": [], "marks": ([], []),
            "segments": {"run_1": [], "run_2": [], "run_3": []},
        }  # fmt: skip
        assert await store.head(RUN) is None
        assert await store.heads_of([RUN]) == {}

    async def test_each_owner_gets_a_higher_epoch(self, store: Store, tmp_path: Path) -> None:
        other = await self.again(store, tmp_path)
        assert [await store.take(), await other.take(), await store.take()] == [1, 2, 3]
        await other.close()

    async def test_an_owner_that_was_replaced_writes_nothing(self, store: Store, tmp_path: Path) -> None:
        mine = await store.take()
        await store.commit(whole(mine, 1))
        before = await content(store)
        other = await self.again(store, tmp_path)
        theirs = await other.take()
        late = whole(mine, 2)
        late.heads = [head(RUN, "FAILED")]
        late.timers_done = [(RUN, "")]
        assert await store.commit(late) == StaleEpoch(theirs)
        assert await content(store) == before
        assert await other.commit(whole(theirs, 2)) == 2
        await other.close()

    async def test_an_epoch_that_nobody_took_writes_nothing(self, store: Store) -> None:
        mine = await store.take()
        assert await store.commit(whole(mine + 1, 1)) == StaleEpoch(mine)
        assert (await store.last())[0] == 0

    # -- a batch ----------------------------------------------------------------------------------------------------

    async def test_a_commit_is_read_back_as_it_was_written(self, store: Store, epoch: int) -> None:
        assert await store.commit(whole(epoch, 1)) == 1
        data = b'[["run_1",0,[%b]]]' % STARTED
        assert await content(store) == {
            "last": (1, 1_001, 1), "journal": [JournalRow(1, epoch, 1_001, 1, data)],
            "heads": [head(RUN)], "live": [head(RUN)], "live_count": 1,
            "segments": {RUN: [Segment(RUN, 0, 1, 1, b"[]")], "run_2": [], "run_3": []},
            "tickets": [TicketRow(RUN, "q", "acme", 9, "boss")],
            "timers": [TimerRow(RUN, "t", 9)], "value": b"data",
            "outbox": [message(1)], "marks": ([MessageMark(3, 4, 1, 1)], [MessageMark(4, 3, 1, 7)]),
        }  # fmt: skip

    async def test_everything_is_there_after_the_store_was_opened_again(
        self, store: Store, epoch: int, tmp_path: Path
    ) -> None:
        await store.commit(whole(epoch, 1))
        await store.commit(batch(epoch, 2, heads=[head(RUN, "COMPLETED", ended_ms=7)], timers_done=[(RUN, "")]))
        before = await content(store)
        other = await self.again(store, tmp_path)
        assert await content(other) == before
        await other.close()

    @pytest.mark.parametrize("row", [1, 2, 4, 0, -1])
    async def test_only_the_row_after_the_last_one_is_taken(self, store: Store, epoch: int, row: int) -> None:
        await store.commit(whole(epoch, 1))
        await store.commit(batch(epoch, 2))
        before = await content(store)
        wrong = whole(epoch, row)
        wrong.heads = [head(RUN, "FAILED"), head("run_2")]
        with pytest.raises(Conflict) as refused:
            await store.commit(wrong)
        assert refused.value.code == "row_exists"
        assert await content(store) == before
        assert await store.commit(batch(epoch, 3)) == 3

    async def test_a_batch_without_events_writes_no_row_and_all_the_rest(self, store: Store, epoch: int) -> None:
        await store.commit(batch(epoch, 1))
        quiet = batch(epoch, 2, count=0, data=b"[]", segments=[Segment(RUN, 0, 1, 1, b"s")], cut=1, at_ms=1_500)
        await store.commit(quiet)
        assert await store.last() == (1, 1_500, 1)
        assert await store.segments(RUN) == [Segment(RUN, 0, 1, 1, b"s")]
        assert await store.commit(batch(epoch, 2, at_ms=1_600)) == 2

    async def test_a_cut_stays_until_the_next_one(self, store: Store, epoch: int) -> None:
        for row, cut in ((1, 0), (2, 2), (3, 0)):
            await store.commit(batch(epoch, row, cut=cut))
        assert await store.last() == (3, 1_003, 2)

    async def test_rows_come_in_order_and_page_by_page(self, store: Store, epoch: int) -> None:
        for row in range(1, 8):
            await store.commit(batch(epoch, row))
        seen, after = [], 0
        while page := await store.journal(after, 3):
            assert len(page) <= 3
            seen += [each.row for each in page]
            after = page[-1].row
        assert seen == [1, 2, 3, 4, 5, 6, 7]
        assert [each.row for each in await store.journal(5)] == [6, 7]

    # -- heads ------------------------------------------------------------------------------------------------------

    async def test_a_head_changes_in_place_and_keeps_how_it_began(self, store: Store, epoch: int) -> None:
        await store.commit(batch(epoch, 1, heads=[head(RUN, started_ms=5, info=b"a")]))
        later = head(RUN, "FAILED", ended_ms=9, started_ms=77, seq=4, reason="no", info=b"b", tenant="x", name="y")
        await store.commit(batch(epoch, 2, heads=[later]))
        expected = head(RUN, "FAILED", ended_ms=9, started_ms=5, seq=4, reason="no", info=b"b")
        assert await store.head(RUN) == expected
        assert await store.heads_of([RUN, "run_9"]) == {RUN: expected}

    async def test_heads_are_listed_newest_first_by_what_is_asked(self, store: Store, epoch: int) -> None:
        rows = [
            head("run_a"), head("run_b", "WAITING"), head("run_c", tenant="globex"), head("run_d", name="ship"),
            head("run_e", "COMPLETED", ended_ms=3), head("workflow/acme/order", kind="workflow"),
            head("run_0", tenant="late", started_ms=90), head("run_9", tenant="late", started_ms=80),
        ]  # fmt: skip
        await store.commit(batch(epoch, 1, heads=rows))

        async def listed(**query: Any) -> list[str]:
            return [found.stream[-1] for found in await store.heads(HeadQuery("run", **query))]

        assert await listed() == ["0", "9", "e", "d", "c", "b", "a"]
        assert await listed(tenant="acme") == ["e", "d", "b", "a"]
        assert await listed(status="RUNNING", tenant="acme") == ["d", "a"]
        assert await listed(name="ship") == ["d"]
        assert await listed(limit=2) == ["0", "9"]
        assert await listed(limit=2, before=(head("x").started_ms, "run_d")) == ["c", "b"]
        assert await listed(limit=2, before=(90, "run_0")) == ["9", "e"]
        assert [found.stream for found in await store.heads(HeadQuery("workflow"))] == ["workflow/acme/order"]

    async def test_live_heads_are_those_that_have_not_ended(self, store: Store, epoch: int) -> None:
        rows = [head("run_b"), head("run_a", "WAITING"), head("run_c", "FAILED", ended_ms=3), head("x", kind="other")]
        await store.commit(batch(epoch, 1, heads=rows))
        assert [found.stream for found in await store.live("run")] == ["run_b", "run_a"]
        many = [head(f"run_{number:03}", ("RUNNING", "WAITING")[number % 2]) for number in range(25)]
        await store.commit(batch(epoch, 2, heads=many))
        seen, after = list[tuple[str, str]](), ("", "")
        while page := await store.live("run", after, 4):
            assert len(page) <= 4
            seen += [(found.status, found.stream) for found in page]
            after = seen[-1]
        assert seen == sorted([("WAITING", "run_a"), ("RUNNING", "run_b"), *((m.status, m.stream) for m in many)])

    async def test_many_heads_are_read_at_once(self, store: Store, epoch: int) -> None:
        names = [f"run_{number:05}" for number in range(1_203)]
        await store.commit(batch(epoch, 1, heads=[head(name) for name in names]))
        assert set(await store.heads_of([*names, "run_x"])) == set(names)

    async def test_a_reader_sees_a_batch_wholly_or_not_at_all(self, store: Store, epoch: int) -> None:
        names = ["run_1", "run_2", "run_3"]
        done = asyncio.Event()

        async def write() -> None:
            for row in range(1, 21):
                await store.commit(batch(epoch, row, heads=[head(name, seq=row) for name in names]))
            done.set()

        async def read() -> int:
            looks = 0
            while not done.is_set():
                found = await store.heads_of(names)
                assert len({each.seq for each in found.values()}) <= 1, "a reader saw half a batch"
                looks += 1
                await asyncio.sleep(0)
            return looks

        _, looks = await asyncio.gather(write(), read())
        assert looks

    # -- segments, timers, values -----------------------------------------------------------------------------------

    async def test_segments_come_in_order_and_may_be_written_again(self, store: Store, epoch: int) -> None:
        first, second = Segment(RUN, 0, 256, 4, b"a"), Segment(RUN, 256, 10, 6, b"b")
        await store.commit(batch(epoch, 1, segments=[second, Segment("run_2", 0, 1, 1, b"x")]))
        await store.commit(batch(epoch, 2, segments=[first]))
        assert await store.segments(RUN) == [first, second]
        longer = Segment(RUN, 256, 20, 9, b"c")
        await store.commit(batch(epoch, 3, segments=[longer]))
        assert await store.segments(RUN) == [first, longer]

    async def test_timers_come_soonest_first_up_to_an_instant(self, store: Store, epoch: int) -> None:
        rows = [TimerRow(RUN, "c", 30), TimerRow(RUN, "a", 10), TimerRow("run_2", "b", 20), TimerRow("run_2", "a", 10)]
        await store.commit(batch(epoch, 1, timers=rows))
        assert [(row.due_ms, row.stream, row.id) for row in await store.timers(20)] == [
            (10, "run_1", "a"), (10, "run_2", "a"), (20, "run_2", "b"),
        ]  # fmt: skip
        assert [row.due_ms for row in await store.timers(1 << 60, 3)] == [10, 10, 20]
        more = [TimerRow(f"run_{n % 7}", f"m{n}", n // 5 - 3) for n in range(60)]
        await store.commit(batch(epoch, 2, timers=more))
        for size in (1, 4, 100):
            seen, after = list[tuple[int, str, str]](), None
            while page := await store.timers(25, size, after):
                assert len(page) <= size
                seen += [(row.due_ms, row.stream, row.id) for row in page]
                after = page[-1]
            due = [(row.due_ms, row.stream, row.id) for row in (*rows, *more) if row.due_ms <= 25]
            assert seen == sorted(due)

    async def test_open_tickets_are_rows_and_come_page_by_page(self, store: Store, epoch: int) -> None:
        assert await store.tickets_whole(), "nothing was written by an earlier release"
        assert await store.holder("ticket_01") == ""
        rows = [TicketRow(f"run_{n % 3}", f"ticket_{n:02}", "acme", n, "boss\nlegal") for n in range(11)]
        await store.commit(batch(epoch, 1, tickets=rows))
        changed = TicketRow("run_0", "ticket_03", "acme", 77, "legal")
        await store.commit(
            batch(epoch, 2, count=0, tickets=[changed], tickets_done=[("run_1", "ticket_04"), ("run_9", "x")])
        )
        await store.commit(batch(epoch, 2, tickets_done=[("run_2", "")], tickets_whole=True))
        kept = [row for row in rows if row.stream == "run_0" or (row.stream == "run_1" and row.id != "ticket_04")]
        kept = sorted((changed if row.id == "ticket_03" else row for row in kept), key=lambda row: (row.stream, row.id))
        for size in (1, 3, 100):
            seen, after = list[TicketRow](), ("", "")
            while page := await store.tickets(after, size):
                assert len(page) <= size
                seen += page
                after = (page[-1].stream, page[-1].id)
            assert seen == kept
        assert await store.tickets_whole()

    async def test_a_timer_is_set_anew_and_dropped_one_by_one_or_all_of_a_stream(
        self, store: Store, epoch: int
    ) -> None:
        rows = [TimerRow(RUN, "a", 1), TimerRow(RUN, "b", 2), TimerRow("run_2", "a", 3), TimerRow("run_2", "b", 4)]
        await store.commit(batch(epoch, 1, timers=rows))
        await store.commit(batch(epoch, 2, timers=[TimerRow(RUN, "a", 8)], timers_done=[(RUN, "b"), (RUN, "nothing")]))
        assert await store.timers(99) == [TimerRow("run_2", "a", 3), TimerRow("run_2", "b", 4), TimerRow(RUN, "a", 8)]
        await store.commit(batch(epoch, 3, timers_done=[("run_2", "")]))
        assert await store.timers(99) == [TimerRow(RUN, "a", 8)]

    async def test_values_are_found_by_their_hash_within_their_tenant(self, store: Store, epoch: int) -> None:
        one, two = b"1" * 32, b"2" * 32
        await store.commit(batch(epoch, 1, values=[Value("acme", one, b"x"), Value("acme", two, bytes(range(256)))]))
        await store.commit(batch(epoch, 2, values=[Value("acme", one, b"x")]))
        assert await store.value("acme", one) == b"x"
        assert await store.value("acme", two) == bytes(range(256))
        assert await store.value("globex", one) is None
        assert await store.value("acme", b"3" * 32) is None

    # -- failures ---------------------------------------------------------------------------------------------------

    async def test_without_room_nothing_is_written_and_work_goes_on_afterwards(self, store: Store) -> None:
        trouble = self.full(store)
        if trouble is None:
            pytest.skip("this store cannot be made full")
        epoch = await store.take()
        await store.commit(whole(epoch, 1))
        before = await content(store)
        large = batch(epoch, 2, values=[Value("acme", b"v" * 32, b"x" * 500_000)], heads=[head("run_2")])
        with trouble, pytest.raises(Unavailable) as refused:
            await store.commit(large)
        assert refused.value.code == "disk_full"
        assert refused.value.hint
        assert await content(store) == before
        assert await store.commit(large) == 2

    async def test_a_locked_store_says_so_and_work_goes_on_afterwards(self, store: Store) -> None:
        trouble = self.locked(store)
        if trouble is None:
            pytest.skip("this store cannot be locked from outside")
        epoch = await store.take()
        await store.commit(whole(epoch, 1))
        before = await content(store)
        with trouble:
            with pytest.raises(Unavailable) as refused:
                await store.commit(batch(epoch, 2))
            with pytest.raises(Unavailable):
                await store.take()
            assert await content(store) == before
        assert refused.value.code == "store_locked"
        assert await store.commit(batch(epoch, 2)) == 2

    async def test_closing_twice_is_fine(self, store: Store) -> None:
        await store.close()
        await store.close()
