"""SEMANTICS 2: one commit a batch, nothing leaves before it, what fails is read back, timers ring until done."""

import asyncio
from typing import Any

import pytest

from aob.backends.memory.store import MemoryStore
from aob.core.errors import Busy, Conflict, NotFound, Quarantined, Unavailable
from aob.journal import deciding, exchange, journal, kept
from aob.ports.store import Batch, StaleEpoch
from aob.testing.world.loop import replaced
from tests.journal.tally import T0_MS, Add, Boom, End, Later, Need, Refuse, Shell, TallyLaw, in_virtual_time, passes


class GatedStore(MemoryStore):
    """A store whose commits wait for a gate, and may fail before or after they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        await self.gate.wait()
        if batch.count:
            self.batches.append(batch)
        if self.before:
            raise self.before.pop(0)
        answer = await super().commit(batch)
        if self.after and batch.count:
            raise self.after.pop(0)
        return answer


AWAY = Unavailable("the disk is full", code="disk_full")


@in_virtual_time
async def test_many_commands_are_one_commit() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        asks = [j.ask(f"t_{n % 3}", Add()) for n in range(30)]
        decided = await asyncio.gather(*asks)
        assert {each.row for each in decided} == {decided[0].row}
        assert [shell.count(f"t_{n}") for n in range(3)] == [10, 10, 10]
        (row,) = await j.store.journal(0)
        assert row.count == 30


@in_virtual_time
async def test_nothing_leaves_before_its_commit() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        store.gate.clear()
        ask = j.ask("t_1", Add())
        await passes(1)
        assert not ask.done()
        assert shell.told == []
        store.gate.set()
        await ask
        assert shell.told == [("t_1", [["add", 1]])]


@in_virtual_time
async def test_the_next_batch_is_decided_while_one_is_written() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        await j.ask("t_1", Add())
        store.gate.clear()
        one = j.ask("t_1", Add())
        await passes(0.1)
        two = j.ask("t_1", Add())
        await passes(0.1)
        assert shell.count("t_1") == 3, "decided on top of what is being written"
        assert not two.done()
        store.gate.set()
        assert [(await one).row, (await two).row] == [2, 3]


@in_virtual_time
async def test_answers_that_change_nothing_wait_for_what_they_stand_on() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        await j.ask("t_1", Add())
        store.gate.clear()
        first = j.ask("t_1", Add())
        await passes(0.1)
        no = j.ask("t_1", Refuse())
        await passes(0.1)
        assert not no.done()
        store.gate.set()
        await first
        with pytest.raises(Conflict):
            await no


# -- failures -------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_failed_commit_is_as_if_it_had_never_been() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        await j.ask("t_1", Add())
        store.before.append(AWAY)
        with pytest.raises(Unavailable, match="full"):
            await j.ask("t_1", Add(5))
        with pytest.raises(Unavailable):
            j.ask("t_1", Add(5))
        with pytest.raises(Unavailable):
            await j.load("t_1")
        assert await j.mended()
        assert shell.count("t_1") == 1
        await j.ask("t_1", Add(7))
        assert shell.count("t_1") == 8
        assert [told for _, told in shell.told] == [[["add", 1]], [["add", 7]]]


@in_virtual_time
async def test_a_commit_whose_reply_was_lost_counts_once() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        store.after.append(Unavailable("the line broke", code="store_failed"))
        with pytest.raises(Unavailable):
            await j.ask("t_1", Add())
        assert await j.mended()
        assert shell.count("t_1") == 1
        assert (await j.ask("t_1", Add())).row == 2


@in_virtual_time
async def test_commands_that_nobody_waits_for_are_decided_again() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        store.before.append(AWAY)
        j.tell("t_1", Add(3))
        await passes(0.1)
        j.tell("t_1", Add(4))
        assert await j.mended()
        await j.ask("t_1", Add(0))
        assert shell.count("t_1") == 7


@in_virtual_time
async def test_what_will_be_decided_again_is_known_to_whoever_begins_work() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        store.before.append(AWAY)
        j.tell("t_1", Add(3))
        await passes(0.1)
        j.tell("t_2", Add(4))
        await j.mended()
        assert shell.recovered[-1].again == [("t_1", Add(3)), ("t_2", Add(4))]


@in_virtual_time
async def test_a_shard_that_another_owner_took_is_left_to_it() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        await j.ask("t_1", Add())
        await store.take()
        with pytest.raises(Unavailable) as refused:
            await j.ask("t_1", Add())
        assert refused.value.code == "stale_epoch"
        await passes(10)
        with pytest.raises(Unavailable):
            j.ask("t_1", Add())
        assert (await store.last())[0] == 1


@in_virtual_time
async def test_a_shard_that_was_taken_during_an_outage_is_not_taken_back() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        store.before.append(AWAY)
        with pytest.raises(Unavailable):
            await j.ask("t_1", Add())
        theirs = await store.take()
        assert not await j.mended()
        assert await store.take() == theirs + 1
        assert j.broken is not None
        assert j.broken.code == "stale_epoch"


@in_virtual_time
async def test_a_shard_is_taken_only_while_its_process_may_act_also_after_an_outage() -> None:
    store, may, asked = GatedStore(), [False], list[bool]()

    async def permit() -> None:
        asked.append(may[-1])
        if not may[-1]:
            raise Unavailable("the lease is over", code="shard_unowned")

    refused = Shell(store).journal
    refused.permit = permit
    with pytest.raises(Unavailable, match="lease"):
        async with refused:
            pass
    shell = Shell(store)
    shell.journal.permit = permit
    may.append(True)
    async with shell.journal as j:
        assert j.epochs.now == 1, "nobody had taken it before"
        may.append(False)
        store.before.append(AWAY)
        with pytest.raises(Unavailable):
            await j.ask("t_1", Add())
        asked.clear()
        while len(asked) < 3:
            await passes(1.0)
        assert (j.epochs.now, asked) == (1, [False] * 3)
        may.append(True)
        assert await j.mended()
        assert j.epochs.now == 2
        await j.ask("t_1", Add())
    assert shell.count("t_1") == 1


@in_virtual_time
async def test_what_rests_on_a_durable_row_of_before_an_outage_counts_and_what_rests_on_the_lost_one_does_not() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        await j.ask("t_1", Add())
        epoch, row = j.epochs.now, j.durable_row
        store.before.append(AWAY)
        with pytest.raises(Unavailable):
            await j.ask("t_1", Add())
        assert await j.mended()
        for told in (row, row + 1):
            j.tell("t_2", Add(), epoch, told)
        j.tell("t_2", Add(), j.epochs.now, row)
        await j.ask("t_3", Add())
        assert [shell.count(name) for name in ("t_1", "t_2", "t_3")] == [1, 2, 1]


@in_virtual_time
async def test_a_law_that_breaks_sets_its_stream_aside_and_the_batch_goes_on() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        await j.ask("t_1", Add())
        boom, fine = j.ask("t_1", Boom()), j.ask("t_2", Add())
        with pytest.raises(Quarantined, match="ZeroDivisionError: oh"):
            await boom
        await fine
        assert "ZeroDivisionError" in j.streams["t_1"].state.aside
        assert shell.count("t_2") == 1


@in_virtual_time
async def test_a_stream_that_never_began_is_not_kept() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        for command, error in ((Refuse(), Conflict), (Boom(), Quarantined)):
            with pytest.raises(error):
                await j.ask("t_nobody", command)
        assert "t_nobody" not in j.streams
        assert await j.load("t_nobody") is None


@in_virtual_time
async def test_a_full_inbox_says_come_again() -> None:
    store = GatedStore()
    shell = Shell(store)
    with replaced((exchange, "INBOX_MAX", 3)):
        async with shell.journal as j:
            asks = [j.ask("t_1", Add()) for _ in range(3)]
            with pytest.raises(Busy):
                j.ask("t_1", Add())
            j.tell("t_1", Add(10))
            await asyncio.gather(*asks)
            assert shell.count("t_1") == 13, "what workers report is never refused"


# -- values that lie outside ------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_value_is_fetched_and_the_command_asked_again_in_its_place() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        await j.ask("t_1", Add())
        need, after = j.ask("t_1", Need(b"v")), j.ask("t_1", Add())
        assert [event for each in (await need, await after) for event in each.events] == [["add", 100], ["add", 1]]
        assert (await need).base < (await after).base or (await need).row < (await after).row


@in_virtual_time
async def test_commands_that_waited_for_a_read_go_on_in_the_order_in_which_they_came() -> None:
    """Of a value, and of a stream that is not in memory."""
    shell = Shell(GatedStore())
    async with shell.journal as j:
        await j.ask("t_1", Add(0))
        first = [j.ask("t_1", Need(b"v")), *(j.ask("t_1", Add(n)) for n in (1, 2, 3))]
        other = [j.ask("t_2", Add(n)) for n in (10, 20, 30)]
        j.tell("t_1", Add(4))
        j.tell("t_2", Add(40))
        first.append(j.ask("t_1", Add(5)))
        await asyncio.gather(*first, *other)
        await passes(1)
    told = {name: [n for of, events in shell.told if of == name for _, n in events] for name in ("t_1", "t_2")}
    assert told == {"t_1": [0, 100, 1, 2, 3, 4, 5], "t_2": [10, 20, 30, 40]}


@in_virtual_time
async def test_a_second_read_in_the_middle_keeps_the_order() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        asks = [j.ask("t_1", each) for each in (Add(1), Need(b"v"), Add(2), Need(b"w"), Add(3), Add(4))]
        await asyncio.gather(*asks)
    assert [n for _, events in shell.told for _, n in events] == [1, 100, 2, 100, 3, 4]


@in_virtual_time
async def test_a_value_that_is_nowhere_fails_who_asks_and_sets_aside_what_nobody_asks() -> None:
    shell = Shell(GatedStore())
    shell.values[b"v"] = NotFound("gone")
    async with shell.journal as j:
        await j.ask("t_1", Add())
        with pytest.raises(NotFound):
            await j.ask("t_1", Need(b"v"))
        assert not j.streams["t_1"].state.aside
        j.tell("t_1", Need(b"v"))
        await passes(1)
        assert "gone" in j.streams["t_1"].state.aside


@in_virtual_time
async def test_a_value_whose_store_is_away_is_waited_for() -> None:
    shell = Shell(GatedStore())
    shell.values[b"v"] = AWAY
    async with shell.journal as j:
        j.tell("t_1", Need(b"v"))
        await passes(5)
        shell.values.clear()
        await passes(1)
        assert (shell.count("t_1"), j.streams["t_1"].state.aside) == (100, "")


# -- timers -----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_timer_rings_when_it_is_due() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        await j.ask("t_1", Later("x", T0_MS + 5_000))
        await passes(4.9)
        assert shell.count("t_1") == 0
        await passes(0.2)
        assert shell.count("t_1") == 1_000
        assert await j.store.timers(1 << 60) == []


@in_virtual_time
async def test_a_timer_that_rings_while_a_batch_waits_is_decided_in_the_next_one() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        await j.ask("t_1", Later("x", T0_MS + 1_000))
        store.gate.clear()
        j.tell("t_2", Add())
        await passes(0.5)
        j.tell("t_2", Add())
        await passes(1)
        store.gate.set()
        await passes(0.01)
        assert shell.count("t_1") == 1_000
        assert [now >= T0_MS + 1_000 for name, now in shell.law.seen if name == "Fire"] == [True]


@in_virtual_time
async def test_a_timer_that_came_too_early_rings_again() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        await j.ask("t_1", Later("x", T0_MS + 1_000))
        ring = j.timers.ring

        def then_back() -> None:
            ring()
            shell.skew_ms = -5_000  # the clock goes back just after it rang

        j.timers.ring = then_back  # type: ignore[method-assign]
        await passes(30)
        assert shell.count("t_1") == 1_000


@in_virtual_time
async def test_a_timer_whose_command_was_lost_rings_again() -> None:
    store = GatedStore()
    shell = Shell(store)
    async with shell.journal as j:
        await j.ask("t_1", Later("x", T0_MS + 1_000))
        store.before += [AWAY, AWAY]
        await passes(10)
        assert shell.count("t_1") == 1_000


@in_virtual_time
async def test_the_end_of_a_stream_drops_its_timers() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        await j.ask("t_1", Later("x", T0_MS + 1_000))
        await j.ask("t_1", Later("y", T0_MS + 2_000))
        await j.ask("t_1", End())
        assert await j.store.timers(1 << 60) == []
        assert len(j.timers) == 0


@in_virtual_time
async def test_time_never_goes_back() -> None:
    shell = Shell(GatedStore())
    async with shell.journal as j:
        await j.ask("t_1", Add())
        shell.skew_ms = -3_600_000
        await j.ask("t_1", Add())
    rows = await shell.journal.store.journal(0)
    assert rows[0].at_ms <= rows[1].at_ms


# -- reading back -----------------------------------------------------------------------------------------------------


def small(**bounds: int) -> Any:
    places = {
        "cut": (journal, "CUT_ROWS"),
        "cut_events": (journal, "CUT_EVENTS"),
        "kept": (kept, "ENDED_KEPT"),
        "events": (kept, "ENDED_EVENTS"),
        "segment": (deciding, "SEGMENT_EVENTS"),
    }
    return replaced(*((*places[name], value) for name, value in bounds.items()))


def killed(shell: Shell) -> None:
    """The process is gone: nothing is drained or cut."""
    assert shell.journal._task is not None
    shell.journal._task.cancel()
    shell.journal.timers.stop()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    "bounds",
    [{}, {"cut": 3}, {"cut_events": 3}, {"segment": 2}, {"cut": 2, "segment": 3}, {"cut_events": 1, "segment": 1}],
)
def test_what_is_read_back_is_what_was_there(bounds: dict[str, int], lazy: bool) -> None:
    async def story() -> None:
        store, law = MemoryStore(), TallyLaw()
        law.lazy = lazy
        first = Shell(store, law)
        await first.journal.__aenter__()
        for n in range(40):
            await first.journal.ask(f"t_{n % 5}", Add(n))
        await first.journal.ask("t_0", Later("x", T0_MS + 10**9))
        await first.journal.ask("t_4", End())
        killed(first)
        second = Shell(store, law)
        async with second.journal as j:
            for n in range(4):
                assert second.count(f"t_{n}") == first.count(f"t_{n}")
                assert j.streams[f"t_{n}"].seq == first.journal.streams[f"t_{n}"].seq
            assert j.timers.of("t_0") == {"x": T0_MS + 10**9}
            ended = await j.load("t_4")
            assert ended is not None
            assert ended.state.over
            await j.ask("t_0", Add(1))
            assert second.count("t_0") == first.count("t_0") + 1

    with small(**bounds):
        in_virtual_time(story)()


@pytest.mark.parametrize("bound", [{"kept": 2}, {"events": 5}])
def test_ended_streams_that_are_asked_again_leave_memory_again(bound: dict[str, int]) -> None:
    async def story() -> None:
        shell = Shell(MemoryStore())
        async with shell.journal as j:
            for n in range(10):
                await j.ask(f"t_{n}", Add(n))
                await j.ask(f"t_{n}", End())
            for n in range(10):
                assert (await j.ask(f"t_{n}", Add(1))).stream.state.count == n + 1
            await j.ask("t_x", Add())
            await j.ask("t_x", Add())
            assert len(j.streams) <= 4
            assert j._ended.events == sum(events for _, events in j._ended.streams)

    with small(**bound):
        in_virtual_time(story)()


@pytest.mark.parametrize("ends", [False, True])
def test_a_stream_that_left_memory_comes_back_when_it_is_asked(ends: bool) -> None:
    async def story() -> None:
        shell = Shell(MemoryStore())
        async with shell.journal as j:
            for n in range(10):
                await j.ask(f"t_{n}", Add(n))
                await j.ask(f"t_{n}", End())
            await j.ask("t_x", Add())
            await j.ask("t_x", Add())
            assert "t_3" not in j.streams
            stream = await j.load("t_3")
            assert stream is not None
            assert (stream.state.count, stream.state.over, stream.seq) == (3, True, 2)
            decided = await j.ask("t_3", Add(4))
            assert decided.stream.state.count == 7
            if ends:
                await j.ask("t_3", End())

    with small(kept=2):
        in_virtual_time(story)()


@in_virtual_time
async def test_after_a_graceful_end_the_journal_need_not_be_read() -> None:
    store = MemoryStore()
    async with Shell(store).journal as j:
        for n in range(20):
            await j.ask(f"t_{n % 3}", Add())
    row, _, cut = await store.last()
    assert cut == row


@in_virtual_time
async def test_a_closing_journal_ends_what_it_was_given_and_refuses_the_rest() -> None:
    shell = Shell(GatedStore())
    j = shell.journal
    await j.__aenter__()
    ask = j.ask("t_1", Add())
    await j.__aexit__(None, None, None)
    assert (await ask).row == 1
    with pytest.raises(Unavailable, match="closing"):
        j.ask("t_1", Add())


@in_virtual_time
async def test_a_closing_journal_does_not_wait_for_a_value_that_may_never_come() -> None:
    shell = Shell(GatedStore())
    shell.values[b"v"] = AWAY
    j = shell.journal
    await j.__aenter__()
    await j.ask("t_1", Add())
    j.tell("t_1", Need(b"v"))
    after = j.ask("t_1", Add())
    await passes(1)
    await j.__aexit__(None, None, None)
    with pytest.raises(Unavailable, match="closing"):
        await after
    assert shell.count("t_1") == 1


@in_virtual_time
async def test_who_waits_for_a_stream_is_told_when_another_owner_takes_the_shard() -> None:
    store = GatedStore()
    shell = Shell(store)
    shell.values[b"v"] = AWAY
    async with shell.journal as j:
        await j.ask("t_1", Add())
        j.tell("t_1", Need(b"v"))
        waiting = j.ask("t_1", Add())
        await passes(0.1)
        await store.take()
        with pytest.raises(Unavailable):
            await j.ask("t_2", Add())
        with pytest.raises(Unavailable) as refused:
            await waiting
        assert refused.value.code == "stale_epoch"


class ForgettingStore(GatedStore):
    """A store that may come back from a failure without its last rows."""

    def forget(self, rows: int) -> None:
        del self._journal[-rows:]
        self.before.append(AWAY)


@in_virtual_time
async def test_a_store_that_comes_back_without_acknowledged_rows_stops_the_shard() -> None:
    store = ForgettingStore()
    shell = Shell(store)
    async with shell.journal as j:
        for _ in range(3):
            await j.ask("t_1", Add())
        recovered = len(shell.recovered)
        store.forget(2)
        with pytest.raises(Unavailable):
            await j.ask("t_1", Add())
        assert not await j.mended()
        with pytest.raises(Unavailable) as refused:
            await j.ask("t_1", Add())
        assert refused.value.code == "store_went_back"
        assert len(shell.recovered) == recovered
        assert len(await store.journal(0)) == 1, "nothing is written on what is left"


def test_a_bug_of_the_shell_is_said_to_everybody_and_nobody_waits_for_ever() -> None:
    async def story() -> None:
        shell = Shell(MemoryStore())
        j = shell.journal

        def broken(commit: object) -> None:
            raise RuntimeError("a bug")

        j.on_commit = broken
        await j.__aenter__()
        with pytest.raises(Exception, match="journal has stopped"):
            await j.ask("t_1", Add())
        with pytest.raises(Exception, match="journal has stopped"):
            j.ask("t_1", Add())
        await j.__aexit__(None, None, None)

    in_virtual_time(story)()
