"""The memory of a serving process: pauses of the collector are counted, and what recovery made is not gone over."""

import gc

from aob.compose import memory as memory_module
from aob.compose.memory import Memory, give_back
from aob.testing.world.loop import replaced
from tests.journal.tally import in_virtual_time, passes


def test_pauses_over_the_bound_are_counted_and_told() -> None:
    async def story() -> None:
        memory = Memory(lambda: 0)
        with replaced((memory_module, "PAUSE_MS", -1.0)), memory.watched():
            assert gc.get_freeze_count() > 1_000
            gc.collect()
        told = memory.told()
        assert told["gc_pauses"] == memory.pauses >= 1
        assert told["gc_longest_ms"] >= 0
        assert gc.get_freeze_count() == 0
        gc.collect()
        assert told == memory.told(), "nobody watches any more"

    in_virtual_time(story)()


def test_freed_memory_goes_back_once_nothing_is_written() -> None:
    async def story() -> None:
        rows = [0]
        memory = Memory(lambda: len(rows))
        given: list[int] = []

        async def at_once(work: object) -> bool:
            given.append(len(rows))
            return True

        with replaced((memory_module.asyncio, "to_thread", at_once)), memory.watched():
            for _ in range(30):
                rows.append(0)
                await passes(1)
            assert not given, "it is never idle for long"
            await passes(60)
            assert (given, memory.given_back) == ([31], 1), "once, until something is written"
            rows.append(0)
            await passes(60)
            assert given == [31, 32]

    in_virtual_time(story)()


def test_where_the_c_library_can_it_gives_memory_back() -> None:
    assert give_back() in (True, False)
