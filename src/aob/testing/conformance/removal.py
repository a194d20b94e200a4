"""Tests for removals in every `Store`: add the suite to `StoreSuite`, which makes the store."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from aob.ports.store import (
    MOVED,
    EndedQuery,
    Extent,
    Leftover,
    Pointer,
    Removal,
    Segment,
    StaleEpoch,
    Store,
    TicketRow,
    TimerRow,
    Value,
)
from aob.testing.conformance.store import RUN, batch, content, head, whole


class RemovalSuite:
    """The contract of `aob.ports.store` for removals."""

    async def again(self, store: Store, folder: Path) -> Store:
        """A second handle, as of `StoreSuite`."""
        raise NotImplementedError

    async def test_what_is_removed_is_gone_whole_and_leaves_a_line_that_says_so(self, store: Store, epoch: int) -> None:
        await store.commit(whole(epoch, 1))
        await store.commit(batch(epoch, 2, heads=[head("run_2")], segments=[Segment("run_2", 0, 1, 2, b"x")],
                                 timers=[TimerRow("run_2", "t", 5)],
                                 tickets=[TicketRow("run_2", "q", "acme", 0, "")]))  # fmt: skip
        removal = Removal(RUN, "removal/1", "acme", "ann", 9, 8)
        assert not await store.removes()
        done = batch(epoch, 3, data=b"[]", removals=[removal], rewritten=[(1, b'[["",1,[],7]]')])
        assert await store.commit(done) == 3
        assert await store.head(RUN) is None
        assert await store.segments(RUN) == []
        assert await store.timers(99) == [TimerRow("run_2", "t", 5)]
        assert [row.stream for row in await store.tickets()] == ["run_2"]
        assert [row.data for row in await store.journal(0)] == [b'[["",1,[],7]]', batch(1, 2).data, b"[]"]
        assert [row.count for row in await store.journal(0)] == [1, 1, 1]
        assert await store.removed(RUN) == removal
        assert await store.removes()
        assert await store.removed("run_2") is None
        assert (await store.segments("run_2"))[0].data == b"x"

    async def test_pointers_are_read_with_what_stands_there_now_and_go_with_their_stream(
        self, store: Store, epoch: int
    ) -> None:
        await store.commit(batch(epoch, 1, data=b'[["run_1",0,[1],7],["run_2",0,[22],8]]'))
        pointers = [Pointer(1, 0, 12, 3, 7), Pointer(2, 0, 0, 9, 1), Pointer(1, 1, 30, 4, 8)]
        short = Segment(RUN, 0, 3, 2, b"", 5, pointers)
        other = Segment("run_2", 0, 1, 1, b"", 6, pointers[2:])
        await store.commit(batch(epoch, 2, count=0, segments=[short, other]))
        there = [(1_001, b"[1]"), (0, b""), (1_001, b"[22]")]
        assert await store.segments(RUN) == [replace(short, pieces=there)]
        assert await store.segments(RUN, 3) == []
        assert await store.all_segments(("", -1), 9) == [], "what they point to lies in the journal"
        removal = Removal(RUN, "removal/1", "acme", "ann", 9, 8)
        await store.commit(batch(epoch, 2, removals=[removal], rewritten=[(1, b'[["",1,[],7],["run_2",0,[22],8]]')]))
        assert await store.segments(RUN) == []
        assert [found.pieces for found in await store.segments("run_2")] == [[(1_001, b"]]")]]
        whole_copy = Segment("run_2", 0, 1, 1, b"copy")
        await store.commit(batch(epoch, 3, segments=[whole_copy]))
        assert await store.segments("run_2") == [whole_copy], "a copy is read rather than pointers"

    async def test_a_row_is_rewritten_by_a_commit_that_removes_nothing(self, store: Store, epoch: int) -> None:
        await store.commit(batch(epoch, 1, data=b'[["run_1",0,[1],7]]'))
        await store.commit(batch(epoch, 2, data=b"[]", rewritten=[(1, b'[["",1,[],7]]')]))
        assert [row.data for row in await store.journal(0)] == [b'[["",1,[],7]]', b"[]"]

    async def test_pointers_stand_for_the_copies_of_their_beginning_and_before_what_follows(
        self, store: Store, epoch: int
    ) -> None:
        first, later = Segment(RUN, 0, 2, 1, b"the first two"), Segment(RUN, 3, 1, 2, b"after the end")
        await store.commit(batch(epoch, 1, data=b'[["run_1",0,[1,2,3],7]]', segments=[first]))
        whole = Segment(RUN, 0, 3, 1, b"", 5, [Pointer(1, 0, 12, 7, 7)])
        await store.commit(batch(epoch, 2, count=0, segments=[whole]))
        read = replace(whole, pieces=[(1_001, b"[1,2,3]")])
        assert await store.segments(RUN) == [read]
        await store.commit(batch(epoch, 2, segments=[later]))
        assert await store.segments(RUN) == [read, later]
        assert await store.segments(RUN, 3) == [later]
        assert await store.segments(RUN, 0, 1) == [read]

    async def test_a_name_that_was_removed_may_begin_again_and_be_removed_again(self, store: Store, epoch: int) -> None:
        await store.commit(whole(epoch, 1))
        await store.commit(batch(epoch, 2, removals=[Removal(RUN, "removal/1", "acme", "ann", 9, 8)]))
        again = head(RUN, started_ms=70, tenant="globex", name="ship")
        await store.commit(batch(epoch, 3, heads=[again], segments=[Segment(RUN, 0, 1, 3, b"new")]))
        assert await store.head(RUN) == again
        assert [segment.data for segment in await store.segments(RUN)] == [b"new"]
        last = Removal(RUN, "removal/2", "globex", "bob", 19, 18)
        await store.commit(batch(epoch, 4, removals=[last]))
        assert await store.removed(RUN) == last

    async def test_an_owner_that_was_replaced_removes_nothing(self, store: Store, tmp_path: Path) -> None:
        mine = await store.take()
        await store.commit(whole(mine, 1))
        before = await content(store)
        other = await self.again(store, tmp_path)
        await other.take()
        late = batch(mine, 2, removals=[Removal(RUN, "removal/1", "acme", "ann", 9, 8)], rewritten=[(1, b"[]")])
        assert isinstance(await store.commit(late), StaleEpoch)
        assert await content(store) == before
        assert await store.removed(RUN) is None
        await other.close()

    async def test_what_moved_to_another_shard_leaves_its_history_and_whose_it_was(
        self, store: Store, epoch: int
    ) -> None:
        await store.commit(whole(epoch, 1))
        assert (await store.holding()).extents[3] == Extent(3, 0, 1)
        rows, left = await store.journal(0), Extent(3, 0, 1, 1, 2)
        await store.commit(batch(epoch, 2, count=0, data=b"[]", extents=[left], moved=[RUN]))
        held = (await store.holding()).extents
        assert (len(held), held[3]) == (64, left)
        moved = await store.head(RUN)
        assert moved is not None
        assert (moved.kind, moved.tenant) == (MOVED, "acme")
        assert (await store.live("run"), await store.segments(RUN), await store.timers(1 << 60)) == ([], [], [])
        assert await store.tickets() == []
        assert await store.journal(0) == rows
        assert await store.removed(RUN) is None
        back = Extent(3, 2, 2)
        await store.commit(batch(epoch, 2, heads=[head(RUN)], segments=[Segment(RUN, 0, 1, 2, b"x")], extents=[back]))
        assert [each for each in (await store.holding()).extents if each.partition == 3] == [left, back]
        assert await store.live("run") == [await store.head(RUN)]

    async def test_what_has_ended_is_listed_the_first_begun_first(self, store: Store, epoch: int) -> None:
        rows = [
            head("run_a", "COMPLETED", ended_ms=9), head("run_b", "FAILED", ended_ms=7, started_ms=3),
            head("run_c"), head("run_d", "COMPLETED", ended_ms=8, name="ship"),
            head("run_e", "COMPLETED", ended_ms=10), head("run_f", "COMPLETED", ended_ms=6, tenant="globex"),
        ]  # fmt: skip
        await store.commit(batch(epoch, 1, heads=rows))

        async def listed(**query: Any) -> str:
            return "".join(found.stream[-1] for found in await store.ended(EndedQuery("run", "acme", 10, **query)))

        assert await listed() == "bad"
        assert await listed(status="COMPLETED") == "ad"
        assert await listed(name="ship") == "d"
        assert await listed(limit=2) == "ba"
        assert await listed(after=(5, "run_a")) == "d"

    async def test_leftovers_wait_for_their_time_and_a_value_goes_unless_something_names_it(
        self, store: Store, epoch: int
    ) -> None:
        one, two, three = b"1" * 32, b"2" * 32, b"3" * 32
        values = [Value("acme", each, b"v") for each in (one, two, three)]
        left = [Leftover("value", "acme", each, at) for each, at in ((one, 5), (two, 4), (three, 20))]
        log = Leftover("log", "acme", b"run_1", 6)
        await store.commit(batch(epoch, 1, values=values, leftovers=[*left, log]))
        assert await store.leftovers(10) == [left[1], left[0], log]
        assert await store.leftovers(10, 1) == [left[1]]
        assert await store.leftovers(10, since_ms=5) == [left[0], log]
        naming = b'[["run_2",0,[["sha256:%b"]]]]' % two.hex().encode()
        await store.commit(batch(epoch, 2, data=naming))
        gone = [("acme", one), ("acme", two), ("globex", three)]
        await store.commit(batch(epoch, 3, settled=[left[0], left[1], log], dropped=gone, unless_after=1))
        assert await store.leftovers(99) == [left[2]]
        assert [await store.value("acme", each) for each in (one, two, three)] == [None, b"v", b"v"]
        await store.commit(batch(epoch, 4, values=[Value("acme", one, b"v")], dropped=[("acme", one)], unless_after=3))
        assert await store.value("acme", one) == b"v", "what the batch itself writes is there"

    async def test_segments_of_all_streams_are_paged_through(self, store: Store, epoch: int) -> None:
        rows = [Segment(name, first, 2, 1, b"s") for name in ("run_2", "run_1", "a/b") for first in (2, 0)]
        await store.commit(batch(epoch, 1, segments=rows))
        found: list[Segment] = []
        after = ("", -1)
        while page := await store.all_segments(after, 4):
            found += page
            after = (page[-1].stream, page[-1].first_seq)
        assert [(each.stream, each.first_seq) for each in found] == [
            ("a/b", 0), ("a/b", 2), ("run_1", 0), ("run_1", 2), ("run_2", 0), ("run_2", 2),
        ]  # fmt: skip
