"""Workers are shared by tenants: the slow jobs of one, however many, never hold up another's; alone it has them all."""

import asyncio
import os
import threading
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.ports.workers import Job
from aob.work import node
from aob.work.handlers import Place
from aob.work.job import WorkError
from aob.work.kinds import performer, placer
from aob.work.pool import Pool, Processes, Threads
from aob.work.pool.shares import Shares
from tests.work import handlers_cpu
from tests.work.jobs import Asked, Told, calls, tools_of
from tests.work.test_pool import Gate, Noted

LIMITS: dict[Place, int] = {"loop": 256, "thread": 32, "process": 2}


def slow(visit: str, tenant: str = "many") -> Job:
    return calls("slow", visit=visit, tenant=tenant)


@given(st.integers(1, 300), st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=400))
def test_alone_a_tenant_has_all_and_no_other_waits_for_it(limit: int, moves: list[tuple[int, bool]]) -> None:
    shares = Shares(limit)
    while shares.may("many"):
        shares.take("many")
    assert shares.total == limit < shares.most
    assert shares.may("few")
    for tenant, takes in moves:
        name = f"t{tenant}"
        if takes and shares.may(name):
            shares.take(name)
        elif not takes and name in shares.held:
            shares.give(name)
        assert shares.total <= shares.most
        assert shares.total == sum(shares.held.values())
        assert shares.total == shares.most or shares.may("new")
        assert shares.total >= limit or all(map(shares.may, shares.held))


@pytest.mark.parametrize("place", list(LIMITS))
@pytest.mark.parametrize("many", [110, 1_000])
async def test_the_slow_jobs_of_one_tenant_leave_room_for_another_at_once(place: Place, many: int) -> None:
    gate, told = Gate(), Told()
    async with Pool(256, gate.perform, told, place=lambda job: place, log=Noted()) as pool:
        for n in range(many):
            pool.submit(slow(f"slow{n}"))
        first = min(many, LIMITS[place])
        await gate.until(lambda: len(gate.began) == first)
        pool.submit(slow("mine", "few"))
        await gate.until(lambda: "mine" in gate.began)
        assert (len(gate.began), gate.ended) == (first + 1, [])
        assert pool.cancel("run_1", "slow0")  # its worker is free: for the next of the many
        pool.submit(slow("other", "third"))
        await gate.until(lambda: "other" in gate.began)
        gate.open()
        assert len(await told.first(many + 1)) == many + 1  # all but the one that was cancelled
        assert pool.health().running == 0


Step = st.tuples(st.sampled_from(["submit", "submit", "submit", "end", "cancel"]), st.integers(0, 3))


@given(st.lists(Step, max_size=150), st.integers(1, 6))
def test_no_worker_is_lost_and_nobody_who_may_begin_waits(steps: list[tuple[str, int]], limit: int) -> None:
    async def world() -> None:
        ends: dict[str, asyncio.Future[None]] = {}

        async def perform(job: Job) -> None:
            ends[job.visit] = asyncio.get_running_loop().create_future()
            try:
                await ends[job.visit]
            finally:
                del ends[job.visit]

        tenants: dict[str, str] = {}
        async with Pool(limit, perform, Told(), log=Noted()) as pool:
            for n, (step, which) in enumerate(steps):
                if step == "submit":
                    tenants[f"v{n}"] = f"t{which}"
                    pool.submit(slow(f"v{n}", f"t{which}"))
                elif step == "end" and ends:
                    list(ends.values())[which % len(ends)].set_result(None)
                elif step == "cancel" and tenants:
                    pool.cancel("run_1", list(tenants)[which * 7 % len(tenants)])
                for _ in range(12):
                    await asyncio.sleep(0)
                shares = Shares(limit)
                held = Counter(tenants[visit] for visit in ends)
                shares.held, shares.total = dict(held), held.total()
                waiting = {tenants[visit] for _, visit in pool.held() if visit not in ends}
                assert shares.total <= shares.most
                assert not any(map(shares.may, waiting)), (waiting, held)
            for end in list(ends.values()):
                end.cancel()

    asyncio.run(world())


async def test_in_real_threads_and_real_processes(tmp_path: Path) -> None:
    pipe, go = tmp_path / "pipe", threading.Event()
    os.mkfifo(pipe)

    @node(name="slow")
    def blocks() -> None:
        go.wait(30)

    @node(name="quick")
    def quick() -> str:
        return "here"

    told = Told()
    async with AsyncExitStack() as stack:
        threads, processes = await stack.enter_async_context(Threads()), Processes(2)
        await stack.enter_async_context(processes)
        tools = tools_of(blocks, quick, handlers_cpu, threads=threads, processes=processes)
        pool = Pool(4, performer(tools, Asked), told, place=placer(tools), threads=3, processes=2, log=Noted())
        await stack.enter_async_context(pool)
        for n in range(20):
            pool.submit(slow(f"slow{n}"))
            pool.submit(calls("stand", {"path": str(pipe)}, visit=f"stand{n}", tenant="many"))
        pool.submit(calls("quick", visit="quick", tenant="few"))
        pool.submit(calls("add", {"a": 1, "b": 2}, visit="add", tenant="few"))
        await told.first(2)
        assert {job.visit: getattr(done, "output", done) for job, done in told.results} == {"quick": "here", "add": 3}
        for n in range(20):
            pool.cancel("run_1", f"stand{n}")
            pool.cancel("run_1", f"slow{n}")
        go.set()


async def test_calls_of_tools_share_the_processes_too() -> None:
    async with Processes(1) as processes:
        went: list[str] = []

        async def hold(tenant: str, until: asyncio.Event) -> None:
            async with processes._place(tenant):
                went.append(tenant)
                await until.wait()

        end = asyncio.Event()
        many = [asyncio.create_task(hold("many", end)) for _ in range(5)]
        await asyncio.sleep(0)
        few = asyncio.create_task(hold("few", end))
        await asyncio.sleep(0)
        assert went == ["many", "few"]
        many[1].cancel()
        end.set()
        await asyncio.gather(*many, few, return_exceptions=True)
        assert Counter(went) == {"many": 4, "few": 1}
        assert processes._shares.total == 0


async def test_the_threads_of_one_tenant_that_never_end_are_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.work.pool.threads.FENCED_TENANT_MAX", 2)
    go = threading.Event()
    async with Threads() as threads:
        started = asyncio.Event()

        def wait() -> Any:
            return go.wait(30)

        for _ in range(2):
            started.clear()
            stuck = asyncio.create_task(threads.run(wait, started.set, "many"))
            await started.wait()
            stuck.cancel()
            await asyncio.gather(stuck, return_exceptions=True)
        with pytest.raises(WorkError, match="do not end"):
            await threads.run(go.is_set, tenant="many")
        assert await threads.run(go.is_set, tenant="few") is False
        go.set()
