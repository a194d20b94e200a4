"""The memory of a serving process: pauses of the collector are counted, and what recovery made is not gone over."""

import gc
import subprocess
import sys
from typing import Final

from aob.compose import memory as memory_module
from aob.compose.memory import Memory, give_back
from aob.testing.world.loop import replaced
from tests.journal.tally import in_virtual_time, passes

LOOKED: Final = """
import gc
from aob.cli import main

main(["serve", "--help"])
from aob.compose.loop import run_tuned

async def frozen():
    return gc.get_freeze_count()

print(sum(each["collections"] for each in gc.get_stats()), run_tuned(frozen()))
"""


def test_a_start_looks_hardly_ever_through_what_its_imports_made_and_the_loop_never() -> None:
    told = subprocess.run([sys.executable, "-c", LOOKED], capture_output=True, text=True, timeout=60)
    looked, frozen = map(int, told.stdout.splitlines()[-1].split())
    assert looked < 20, "once in 700 objects makes hundreds"
    assert frozen > 10_000


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
