"""SEMANTICS 2.3, 2.5: a live stream that rests leaves memory, a start leaves it there, and it comes back whole."""

import asyncio
from typing import Any

import pytest

from aob.backends.memory.store import MemoryStore
from aob.core.errors import NotFound, Quarantined, Unavailable
from aob.journal import Stream, deciding
from aob.journal.recovery import recover
from aob.ports.store import Head, Segment
from aob.testing.world.loop import replaced
from tests.journal.tally import T0_MS, Add, End, Later, Need, Shell, TallyLaw, in_virtual_time, passes


class RestingLaw(TallyLaw):
    """All its streams rest."""

    def rests(self, stream: Stream) -> bool:
        return not stream.lazy

    def rests_as(self, head: Head) -> bool:
        return True


class CountingStore(MemoryStore):
    """A store that counts how often a history is read, and may spoil one."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    async def segments(self, stream: str, after: int = 0, limit: int = 1_000_000) -> list[Segment]:
        self.read.append(stream)
        await asyncio.sleep(0)
        return await super().segments(stream, after, limit)

    def spoil(self, stream: str) -> None:
        """Its history is not what was written."""
        for at, segment in self._segments[stream].items():
            self._segments[stream][at] = Segment(stream, segment.first_seq, segment.count, segment.row, b"[]", 5)


async def rested(shell: Shell) -> None:
    """Lets go of all that rests: first segments are written, then the streams leave."""
    for _ in range(3):
        if shell.journal.let_go(-1, 1_000):
            shell.journal._wake.set()
        await passes(0.5)


async def some(shell: Shell, count: int = 5) -> None:
    for n in range(count):
        await shell.journal.ask(f"t_{n}", Add(n))


@in_virtual_time
async def test_a_stream_that_was_not_touched_for_a_minute_leaves_and_comes_back_when_it_is_asked() -> None:
    shell = Shell(CountingStore(), RestingLaw())
    async with shell.journal as j:
        await some(shell)
        for _ in range(59):
            await passes(1)
            j.look()
        assert len(j.streams) == 5
        await j.ask("t_0", Add(10))
        for _ in range(5):
            await passes(1)
            j.look()
        assert set(j.streams) == {"t_0"}
        assert len(j.away) == 4
        assert (await j.ask("t_3", Add(1))).stream.state.count == 4
        read = await j.load("t_4")
        assert read is not None
        assert read is j.streams["t_4"]
        assert (read.state.count, set(j.streams)) == (4, {"t_0", "t_3", "t_4"})


@in_virtual_time
async def test_one_with_something_undecided_or_unwritten_stays_until_it_is_written() -> None:
    shell = Shell(CountingStore(), RestingLaw())
    async with shell.journal as j:
        asks = [j.ask("t_1", Add()), j.ask("t_2", Add())]
        j.let_go(-1)
        await asyncio.gather(*asks)
        j.let_go(-1)
        assert set(j.streams) == {"t_1", "t_2"}, "no segment holds them"
        await rested(shell)
        assert not j.streams


@in_virtual_time
async def test_a_start_under_the_name_of_one_that_is_away_finds_it() -> None:
    shell = Shell(CountingStore(), RestingLaw())
    async with shell.journal as j:
        await j.ask("t_1", Add(5), fresh=True)
        await rested(shell)
        assert "t_1" in j.away
        assert (await j.ask("t_1", Add(1), fresh=True)).stream.state.count == 6


@in_virtual_time
async def test_what_is_read_while_it_is_decided_on_is_what_it_is_then() -> None:
    shell = Shell(CountingStore(), RestingLaw())
    async with shell.journal as j:
        await j.ask("t_1", Add(5))
        await rested(shell)
        reads = [asyncio.create_task(j.load("t_1")) for _ in range(3)]
        await asyncio.sleep(0)
        ended = j.ask("t_1", End())
        found = await asyncio.gather(*reads)
        await ended
        assert all(stream is j.streams["t_1"] for stream in found)
        assert found[0] is not None
        assert found[0].state.over


def test_a_start_reads_no_stream_that_rests_and_its_timers_ring() -> None:
    async def story() -> None:
        store, law = CountingStore(), RestingLaw()
        first = Shell(store, law)
        async with first.journal:
            await some(first, 50)
            await first.journal.ask("t_7", Later("x", T0_MS + 5_000))
        store.read.clear()
        second = Shell(store, law)
        async with second.journal as j:
            assert store.read == []
            assert (len(j.streams), len(j.away), len(j.timers)) == (0, 50, 1)
            await passes(10)
            assert store.read == ["t_7", "t_7"]
            assert second.count("t_7") == 1_007
            every = await j.read_back(store)
            assert len(every.streams) == 50, "who compares reads all of them"

    in_virtual_time(story)()


@pytest.mark.parametrize("segment", [1, 256])
@pytest.mark.parametrize("lazy", [False, True])
def test_one_that_the_rows_after_the_cut_tell_of_is_read_at_a_start(lazy: bool, segment: int) -> None:
    async def story() -> None:
        store, law = CountingStore(), RestingLaw()
        law.lazy = lazy
        first = Shell(store, law)
        await first.journal.__aenter__()
        await some(first)
        await rested(first)
        await first.journal.ask("t_1", Add(7))
        assert first.journal._task is not None
        first.journal._task.cancel()
        first.journal.timers.stop()
        second = Shell(store, law)
        async with second.journal as j:
            assert "t_1" in j.streams
            for n in range(5):
                read = await j.load(f"t_{n}")
                assert read is not None
                assert read.state.count == n + 7 * (n == 1)
                assert (await j.ask(f"t_{n}", Add(1))).stream.state.count == n + 1 + 7 * (n == 1)

    with replaced((deciding, "SEGMENT_EVENTS", segment)):
        in_virtual_time(story)()


def test_a_home_in_which_nothing_happens_is_cut_so_that_a_kill_costs_no_rows() -> None:
    async def story() -> None:
        store, law = CountingStore(), RestingLaw()
        shell = Shell(store, law)
        async with shell.journal as j:
            law.lazy = True  # none of them rests
            await some(shell)
            await rested(shell)
            found = await recover(store, 0, j.laws)
            assert found.cut == found.row > 0

    in_virtual_time(story)()


@pytest.mark.parametrize("how", ["ask", "load"])
def test_one_that_cannot_be_read_is_named_when_it_is_asked_for_and_the_others_go_on(how: str) -> None:
    async def story() -> None:
        store = CountingStore()
        shell = Shell(store, RestingLaw())
        async with shell.journal as j:
            await some(shell)
            await j.ask("t_2", Later("x", T0_MS + 10**9))
            await rested(shell)
            store.spoil("t_2")
            calls: dict[str, Any] = {"ask": lambda: j.ask("t_2", Add()), "load": lambda: j.load("t_2")}
            for _ in range(2):
                with pytest.raises(Quarantined, match="t_2"):
                    await calls[how]()
            assert set(j.unreadable) == {"t_2"}
            assert ("t_2" not in j.away, len(j.timers)) == (True, 0)
            assert (await j.ask("t_3", Add(1))).stream.state.count == 4

    in_virtual_time(story)()


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_a_timer_of_one_that_is_away_rings_once_though_the_clock_steps_while_it_is_read(step_ms: int) -> None:
    async def story() -> None:
        shell = Shell(CountingStore(), RestingLaw())
        async with shell.journal as j:
            await j.ask("t_1", Later("x", T0_MS + 5_000))
            await rested(shell)
            assert "t_1" in j.away
            fetch, stepped = j._fetch, []

            def stepping(name: str, asked: Any) -> None:
                shell.skew_ms += step_ms * (not stepped)
                stepped.append(name)
                fetch(name, asked)

            j._fetch = stepping  # type: ignore[method-assign]
            await passes(20)
            assert stepped == ["t_1"]
            assert (shell.count("t_1"), len(j.timers)) == (1_000, 0)

    in_virtual_time(story)()


@in_virtual_time
async def test_one_whose_decision_waits_for_a_value_stays_however_long_and_is_set_aside_when_it_is_gone() -> None:
    shell = Shell(CountingStore(), RestingLaw())
    async with shell.journal as j:
        await j.ask("t_1", Add(5))
        await j.ask("t_2", Add(1))
        shell.values[b"d"] = Unavailable("the store of values is away", code="disk_gone")
        j.tell("t_1", Need(b"d"))
        for _ in range(180):
            await passes(1)
            j.look()
        assert set(j.streams) == {"t_1"}, "its command is not decided"
        shell.values[b"d"] = NotFound("it is gone", code="blob_not_found")
        await passes(5)
        assert "it is gone" in j.streams["t_1"].state.aside
