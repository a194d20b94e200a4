"""SEMANTICS 2.3, 2.5: the part of the journal that a start reads is bounded in events, whatever a row holds, and each
commit of a cut writes a bounded slice."""

import asyncio
from collections.abc import Iterator
from random import Random

import pytest

from aob.backends.memory.store import MemoryStore
from aob.journal import batch, journal
from aob.ports.store import Batch, StaleEpoch
from aob.testing.world.loop import replaced
from tests.journal.tally import Add, End, Shell, in_virtual_time

CUT: int = 400
SLICE: int = 40
A_ROW: int = 120
STREAMS: int = 3_000


class CountedStore(MemoryStore):
    """How many events lie after the last cut at each commit, and what the segments of each cost."""

    def __init__(self) -> None:
        super().__init__()
        self.after: list[int] = []
        self.costs: list[tuple[int, int]] = []

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        answer = await super().commit(batch)
        self.after.append(sum(row.count for row in self.durable(self._cut)))
        self.costs.append((sum(16 + each.count for each in batch.segments), batch.count))
        return answer


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(batch.Cutter.take, "__defaults__", (SLICE,))
    with replaced((journal, "CUT_EVENTS", CUT)):
        yield


def killed(shell: Shell) -> None:
    """The process is gone: nothing is drained or cut."""
    assert shell.journal._task is not None
    shell.journal._task.cancel()
    shell.journal.timers.stop()


@pytest.mark.parametrize("ends", [0.0, 0.2, 0.5])
def test_what_a_start_reads_is_bounded_in_events_while_every_batch_is_full(ends: float) -> None:
    async def story() -> None:
        dice, store = Random(ends), CountedStore()
        shell = Shell(store)
        await shell.journal.__aenter__()
        for _ in range(60):
            names = [f"t_{dice.randrange(STREAMS)}" for _ in range(A_ROW)]
            commands = [End() if dice.random() < ends else Add() for _ in names]
            asks = [shell.journal.ask(name, command) for name, command in zip(names, commands, strict=True)]
            await asyncio.gather(*asks)
        killed(shell)
        row = max(count for _, count in store.costs)
        assert row > A_ROW // 2, "a row holds many decisions"
        assert len(store.after) < journal.CUT_ROWS, "its rows alone begin no cut"
        assert max(store.after) <= 2 * CUT + 3 * row
        assert max(store.after) >= CUT, "and no cut begins before it is due"
        due = [(cost, count) for cost, count in store.costs if cost > 2 * (max(SLICE, 2 * 17 * count) + 16 + row)]
        assert not due
        second = Shell(store)
        async with second.journal:
            assert second.recovered[0].since <= 2 * CUT + 3 * row
            assert {n: s.state.count for n, s in second.journal.streams.items() if s.seq and not s.ended} == {
                n: s.state.count for n, s in shell.journal.streams.items() if s.seq and not s.ended
            }

    in_virtual_time(story)()


@in_virtual_time
async def test_the_count_of_a_cut_goes_on_after_a_start() -> None:
    store = CountedStore()
    for life in range(6):
        shell = Shell(store)
        await shell.journal.__aenter__()
        assert shell.recovered[0].since == shell.journal._cutter.since == (store.after[-1] if life else 0)
        for _ in range(CUT // 80):
            await asyncio.gather(*(shell.journal.ask(f"t_{n}", Add()) for n in range(20)))
        killed(shell)
    assert shell.journal.cut_row
    assert max(store.after) <= CUT + CUT // 4
