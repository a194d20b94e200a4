"""What an owner may do only while its lease lasts, asked at the last moment; and the clocks by which that is judged."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from aob.compose.cluster import Guard, StoreClock, barely_tenured, steady_s, tenured
from aob.compose.cluster.guard import LOOK_S
from aob.core.cluster import Tenure
from aob.core.errors import Unavailable
from aob.testing.world.loop import VirtualLoop, run_virtual
from tests.compose.virtual_time import passes

LEASE_S = 9.0


class Lease:
    """A lease that was granted at 0, and a clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.tenure = Tenure(LEASE_S, lambda: self.now_s)
        self.tenure.renewed(0.0)
        self.guard = Guard(1, self.tenure)

    def ends(self) -> None:
        self.now_s = LEASE_S


@pytest.fixture
def lease() -> Lease:
    return Lease()


async def refused(work: Any) -> str:
    """The code with which something is refused."""
    with pytest.raises(Unavailable) as told:
        await work
    return told.value.code


async def test_an_answer_is_neither_made_nor_given_after_the_lease(lease: Lease) -> None:
    did = list[str]()

    async def answer(ends: bool) -> str:
        did.append("made")
        if ends:
            lease.ends()
        return "it"

    assert await lease.guard.answered(answer(ends=False)) == "it"
    assert await refused(lease.guard.answered(answer(ends=True))) == "shard_unowned"
    assert did == ["made", "made"], "it was made, and does not leave"
    assert await refused(lease.guard.answered(answer(ends=False))) == "shard_unowned"
    assert did == ["made", "made"], "it is not made"


async def test_each_item_of_a_stream_leaves_in_time_or_not_at_all(lease: Lease) -> None:
    got = list[int]()

    async def feed() -> AsyncIterator[int]:
        for number in range(3):
            lease.now_s = number * LEASE_S / 2
            yield number

    async def read() -> None:
        async for item in lease.guard.items(feed()):
            got.append(item)

    assert await refused(read()) == "shard_unowned"
    assert got == [0, 1]


async def test_a_message_to_another_shard_leaves_in_time_or_not_at_all(lease: Lease) -> None:
    posted = list[Any]()

    async def post(delivery: Any) -> Any:
        posted.append(delivery)
        return "mark"

    posts: Any = lease.guard.posts(post)
    assert await posts("first") == "mark"
    lease.ends()
    assert await refused(posts("second")) == "shard_unowned"
    assert posted == ["first"]


async def test_a_commit_asks_first(lease: Lease) -> None:
    await lease.guard.permit()
    lease.ends()
    assert await refused(lease.guard.permit()) == "shard_unowned"


@pytest.mark.parametrize("bare", [False, True])
def test_a_job_begins_in_time_or_waits_for_the_next_renewal(lease: Lease, bare: bool) -> None:
    began = list[float]()

    async def perform(job: Any) -> str:
        began.append(lease.now_s)
        return "done"

    async def life() -> None:
        task: Any = None
        made: Any = barely_tenured(lambda task: perform, lease.tenure)(task) if bare else tenured(perform, lease.tenure)
        assert await made("job") == "done"
        lease.ends()
        waits = asyncio.ensure_future(made("job"))
        await passes(3 * LOOK_S)
        assert began == [0.0]
        lease.tenure.renewed(LEASE_S)
        assert await waits == "done"
        assert began == [0.0, LEASE_S]

    run: Coroutine[Any, Any, None] = life()
    run_virtual(VirtualLoop(), run)


def test_the_clock_of_leases_counts_while_the_machine_sleeps_where_there_is_such_a_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = list[int]()

    def gettime(clock: int) -> float:
        asked.append(clock)
        return 7.0

    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 77, raising=False)
    monkeypatch.setattr(time, "clock_gettime", gettime)
    assert (steady_s(), asked) == (7.0, [77])
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    monkeypatch.setattr(time, "monotonic", lambda: 3.0)
    assert steady_s() == 3.0


def test_the_time_of_the_store_is_carried_on_by_the_steady_clock_and_a_skew_is_told_once() -> None:
    clocks = SimpleNamespace(steady_s=5.0, wall_ms=1_000)
    clock = StoreClock(lambda: clocks.steady_s, lambda: clocks.wall_ms)
    assert clock.now_ms() == 1_000, "until the store has said what time it is"
    clock.told(50_000, 5.0)
    assert (clock.now_ms(), clock.skew_ms) == (50_000, -49_000)
    clocks.steady_s, clocks.wall_ms = 7.5, 0
    assert clock.now_ms() == 52_500, "whatever the wall clock does"
    clock.told(52_000, 7.0)
    assert clock.now_ms() == 52_500, "it was told half a second ago"
