"""Bare jobs are stepped one after another by one worker: nobody can tell but by the clock."""

import asyncio
import contextvars
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aob.core.value import ROW_MAX
from aob.ports.workers import Done, Job
from aob.work import WorkError, node
from aob.work.kinds import barer
from aob.work.pool import Bare, Pool
from aob.work.pool.steps import STEPS_MAX, Steps, never
from tests.work.jobs import Told, VirtualLoop, calls, passed, tools_of
from tests.work.test_pool import Noted

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

ACT = st.sampled_from([
    "turn", "sleep", "set", "in time", "too late", "task", "uncancel", "fail", "refuse", "leave", "give up",
    "cancel me", "odd", "large", "cancel it",
])  # fmt: skip
JOB = st.tuples(st.lists(ACT, max_size=3), st.sampled_from(["low", "medium", "high"]), st.sampled_from(["a", "b"]))


async def act(what: str, pool: Pool, job: Job, seen: list[Any]) -> Any:
    """Something that a handler may do; what it returns, if it is not None, is the output."""
    me = asyncio.current_task()
    assert me is not None
    match what:
        case "turn":
            await asyncio.sleep(0)
        case "sleep":
            await passed(10)
        case "set":
            seen.append(WHO.get())
            WHO.set(job.visit)
        case "in time":
            async with asyncio.timeout(5):
                await passed(1)
        case "too late":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
        case "task":
            async with asyncio.TaskGroup() as group:
                other = group.create_task(asyncio.sleep(0, WHO.get()))
            seen.append(other.result())
        case "uncancel":
            me.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()
            me.uncancel()
        case "fail":
            raise ValueError(job.visit)
        case "refuse":
            raise WorkError("no", code="no", transient=False)
        case "leave":
            raise SystemExit(3)
        case "give up":
            raise asyncio.CancelledError
        case "cancel me":
            seen.append(pool.runs(job.run, job.visit))
            seen.append(pool.cancel(job.run, job.visit))
        case "cancel it":
            pool.cancel(job.run, "n0")
        case "odd":
            return {"file": open}
        case "large":
            return "x" * (ROW_MAX + 1)
    assert asyncio.current_task() is me
    seen.append((what, WHO.get()))
    return None


def played(script: list[Any], *, concurrency: int, stepped: bool) -> dict[str, Any]:
    """What is reported of each visit, and what each handler has seen."""

    async def play() -> dict[str, Any]:
        told = Told()
        saw: dict[str, list[Any]] = {}

        async def perform(job: Job) -> Any:
            seen = saw[job.visit] = []
            for what in job.input:
                if (output := await act(what, pool, job, seen)) is not None:
                    return output
            return seen

        async def keep(tenant: str, data: bytes) -> Any:
            await asyncio.sleep(0)
            raise WorkError("full", code="full")

        bare: Bare = (lambda task: perform) if stepped else never
        pool = Pool(concurrency, perform, told, keep=keep, log=Noted(), bare=bare)
        for number, (acts, priority, tenant) in enumerate(script):
            pool.submit(calls("f", acts, visit=f"n{number}", priority=priority, tenant=tenant))
        for _ in range(200):  # of its own time, which takes none
            await passed(1_000)
        assert not pool.held()
        assert (pool.health().waiting, pool.health().running) == (0, 0)
        await pool.stop()
        visits = [job.visit for job, _ in told.results]
        assert len(visits) == len(set(visits))
        results = {
            job.visit: result.output if isinstance(result, Done) else (result.code, result.transient)
            for job, result in told.results
        }
        return {"results": results, "saw": saw}

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play())


@given(st.lists(JOB, max_size=12), st.integers(1, 3))
@example(
    [([], "low", "a"), (["cancel me", "cancel me"], "low", "b")], 1
)  # the worker of a step goes on with a queued one
@settings(max_examples=150, deadline=None)
def test_stepped_or_queued_the_same_is_reported_and_seen(script: list[Any], concurrency: int) -> None:
    # Who cancels another one meets it earlier or later: that alone is a matter of time.
    script = [([a for a in acts if a != "cancel it"], priority, tenant) for acts, priority, tenant in script]
    queued = played(script, concurrency=concurrency, stepped=False)
    assert played(script, concurrency=concurrency, stepped=True) == queued


@given(st.lists(JOB, max_size=12), st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_whoever_is_cancelled_is_not_reported_and_all_others_are(script: list[Any], concurrency: int) -> None:
    done = played(script, concurrency=concurrency, stepped=True)["results"]
    gone = {f"n{n}" for n, (acts, *_) in enumerate(script) if "cancel me" in acts}
    if any("cancel it" in acts for acts, *_ in script):
        gone.add("n0")
    assert {f"n{n}" for n in range(len(script))} - gone <= done.keys()


async def test_those_of_another_tenant_or_priority_do_not_wait_for_more_than_a_burst() -> None:
    order: list[str] = []
    told = Told()

    async def note(job: Job) -> None:
        order.append(job.tenant + job.priority)

    async with Pool(4, note, told, log=Noted(), bare=lambda task: note) as pool:
        for n in range(STEPS_MAX):
            pool.submit(calls("f", visit=f"a{n}", tenant="a"))
        for n in range(3):
            pool.submit(calls("f", visit=f"b{n}", tenant="b", priority="high"))
        for n in range(3):
            pool.submit(calls("f", visit=f"c{n}", tenant="a"))
        await told.first(STEPS_MAX + 6)
    assert order.index("bhigh") <= 64
    assert len(order) == STEPS_MAX + 6


async def test_what_waits_to_be_stepped_is_held_can_be_cancelled_and_is_replaced_by_a_later_attempt() -> None:
    done: list[tuple[str, int]] = []
    told = Told()

    async def note(job: Job) -> None:
        done.append((job.visit, job.attempt))

    async with Pool(4, note, told, log=Noted(), bare=lambda task: note) as pool:
        for visit, attempt in (("a", 1), ("b", 1), ("c", 2), ("a", 2), ("c", 1), ("d", 1)):
            pool.submit(calls("f", visit=visit, attempt=attempt))
        assert pool.held() == {("run_1", "a"): 2, ("run_1", "b"): 1, ("run_1", "c"): 2, ("run_1", "d"): 1}
        assert (pool.waiting, pool.health().waiting) == (4, 4)
        assert not pool.runs("run_1", "a")
        assert not pool.cancel("run_1", "b", 2)
        assert pool.cancel("run_1", "b", 1)
        assert not pool.cancel("run_1", "b")
        await told.first(3)
        pool.submit(calls("f", visit="e"))
        await pool.stop()
        assert not pool.held()
    assert sorted(done) == [("a", 2), ("c", 2), ("d", 1)]


def test_only_a_call_of_a_coroutine_function_on_the_loop_without_more_is_bare() -> None:
    @node
    async def takes(value: Any) -> Any: ...
    @node
    async def nothing() -> Any: ...
    @node
    async def asks(value: Any, ctx: Any) -> Any: ...
    @node
    async def typed(value: int) -> Any: ...
    @node
    def plain(value: Any) -> Any: ...

    bare = barer(tools_of(takes, nothing, asks, typed, plain))
    assert [name for name in ("takes", "nothing", "asks", "typed", "plain", "missing") if bare(calls(name).task)] == [
        "takes", "nothing",
    ]  # fmt: skip
    for more in ({"effect": "once"}, {"cache": "by_input"}, {"verify": "takes"}):
        assert bare(calls("takes", **more).task) is None
    steps = Steps(bare)
    assert steps.call_of(calls("takes")) is not None
    for time in ("queue_ms", "start_ms", "run_ms", "heartbeat_ms"):
        assert steps.call_of(calls("takes", timeout={time: 5})) is None
