"""Records and marks that a decision brings with it: in its commit, with dense offsets, none twice, gone with a failed
commit."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from aob.backends.memory.store import MemoryStore
from aob.core.errors import Unavailable
from aob.journal import Stream, Verdict
from aob.journal.law import Made, Passed
from aob.journal.topics.attaching import passed
from aob.ports.log import Record
from tests.journal.tally import Add, Shell, TallyLaw, in_virtual_time
from tests.journal.test_journal import GatedStore

TENANT = "default"


class MakingLaw(TallyLaw):
    """Each addition of n makes the record n, and passes the record n of its group's topic."""

    repeated = False

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        verdict = super().decide(stream, command, now_ms)
        record = Record(f"r{command.n}", "made", "t", TENANT, "k", Raw(b"1"))
        verdict.records = [Made("out", 3, record, self.repeated)]
        verdict.passed = [Passed("group", "in", 3, command.n)]
        return verdict


async def made(shell: Shell) -> list[str]:
    rows = await shell.journal.read_records(TENANT, "out", 3, 0)
    return [each.record.id for row in rows for each in row.logged("here")]


@in_virtual_time
async def test_records_and_marks_are_in_the_commit_of_their_decision() -> None:
    store = MemoryStore()
    shell = Shell(store, MakingLaw())
    async with shell.journal as j:
        for n in (0, 2, 1, 4):
            await j.ask("t_1", Add(n))
        assert await made(shell) == ["r0", "r2", "r1", "r4"]
        (mark,) = await store.group_marks()
        assert (mark.low, mark.done) == (3, (4,))
        assert j.topics.ends[TENANT, "out", 3][0] == 4
    again = Shell(store, MakingLaw())
    async with again.journal as j:
        await j.ask("t_1", Add(3))
        assert (await made(again))[-1] == "r3"
        assert [(mark.low, mark.done) for mark in await store.group_marks()] == [(5, ())]


@in_virtual_time
async def test_a_record_that_may_be_there_is_appended_once() -> None:
    store, law = MemoryStore(), MakingLaw()
    async with Shell(store, law).journal as j:
        await j.ask("t_1", Add(7))
    law.repeated = True
    shell = Shell(store, law)
    async with shell.journal as j:
        await j.ask("t_1", Add(7))
        await j.ask("t_1", Add(8))
        await j.ask("t_1", Add(8))
        assert await made(shell) == ["r7", "r8"]
        assert shell.count("t_1") == 30


@in_virtual_time
async def test_a_commit_that_failed_has_made_nothing() -> None:
    store = GatedStore()
    shell = Shell(store, MakingLaw())
    async with shell.journal as j:
        await j.ask("t_1", Add(0))
        store.before = [Unavailable("full", code="disk_full")]
        try:
            await j.ask("t_1", Add(1))
        except Unavailable:
            await j.mended()
        await j.ask("t_1", Add(2))
        assert await made(shell) == ["r0", "r2"]
        assert [(mark.low, mark.done) for mark in await store.group_marks()] == [(1, (2,))]


@given(st.permutations(range(12)), st.data())
def test_a_group_that_passes_all_in_any_order_is_behind_the_last(order: list[int], data: st.DataObject) -> None:
    low, done = 0, tuple[int, ...]()
    for offset in order:
        low, done = passed(low, done, offset)
        again = data.draw(st.integers(0, 11))
        if again < low or again in done:
            assert passed(low, done, again) == (low, done)
        assert all(low < each for each in done)
        assert done == tuple(sorted(set(done)))
    assert (low, done) == (12, ())
