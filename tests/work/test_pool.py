"""The pool: every job is reported once, in time, within bounds; cancelled ones never; nothing blocks the others."""

import asyncio
import contextlib
import contextvars
import functools
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.compose.loop import on_continued
from aob.core.errors import Unavailable
from aob.core.value import ROW_MAX, Ref, digest_of
from aob.ports.workers import Done, Fault, Job
from aob.work import WorkError
from aob.work.pool import Pool
from aob.work.pool.steps import never
from tests.work.jobs import Told, VirtualLoop, calls, passed

Perform = Callable[[Job], Awaitable[Any]]


class Noted:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    warning = exception = info

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


class Gate:
    """Handlers that wait until they are let through, and say when they have begun."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self._moved = asyncio.Event()
        self._open = asyncio.Event()

    async def perform(self, job: Job) -> str:
        self.began.append(job.visit)
        self._moved.set()
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            self.ended.append(f"{job.visit} cancelled")
            self._moved.set()
            raise
        self.ended.append(job.visit)
        return job.visit

    def open(self) -> None:
        self._open.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._moved.clear()
                await self._moved.wait()


WAYS = {"stepped": lambda perform: lambda task: perform, "queued": lambda perform: never}
way = "stepped"


@pytest.fixture(params=WAYS, autouse=True)
def _each_way(request: pytest.FixtureRequest) -> None:
    """All of this holds for bare jobs, which are stepped one after another, and for those that are queued."""
    global way
    way = request.param


def pool_of(perform: Any, told: Any, concurrency: int = 4, **more: Any) -> Pool:
    return Pool(concurrency, perform, told, log=more.pop("log", Noted()), bare=WAYS[way](perform), **more)


async def test_a_job_is_performed_and_its_output_reported() -> None:
    async def double(job: Job) -> int:
        return int(job.input) * 2

    told = Told()
    async with pool_of(double, told) as pool:
        pool.submit(calls("double", 21))
        assert await told.output() == 42


async def test_the_time_of_an_attempt_is_reported_with_it() -> None:
    async def slow(job: Job) -> None:
        await passed(10)

    told = Told()
    async with pool_of(slow, told) as pool:
        pool.submit(calls("slow"))
        (done,) = await told.first()
    assert isinstance(done, Done)
    assert 8_000 < done.took_us < 5_000_000


async def test_only_tasks_that_a_handler_makes_are_contained_and_each_knows_its_job() -> None:
    log, told, go = Noted(), Told(), asyncio.Event()

    async def leaves() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    async def outer() -> None:
        await go.wait()  # its worker has long gone on to another job
        await asyncio.gather(asyncio.create_task(leaves()), return_exceptions=True)

    kept: list[asyncio.Task[None]] = []

    async def perform(job: Job) -> None:
        kept.append(asyncio.create_task(outer(), name=job.visit))
        await asyncio.sleep(0)

    try:
        async with pool_of(perform, told, concurrency=2, log=log) as pool:
            pool.contain()
            for n in range(6):
                pool.submit(calls("f", visit=f"v{n}"))
            await told.first(6)
            workers = {
                type(task.get_coro()).__name__ for task in asyncio.all_tasks() if task.get_name() == "aob-worker"
            }
            go.set()
            await asyncio.gather(*kept)
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert workers == {"coroutine"}
    seen = [fields for event, fields in log.lines if event == "handler_task_ended"]
    assert sorted((str(each["visit"]), each["error"]) for each in seen) == [(f"v{n}", "SystemExit") for n in range(6)]


async def test_a_handler_that_does_not_suspend_is_done_without_a_task_of_its_own() -> None:
    tasks: set[Any] = set()

    async def note(job: Job) -> None:
        tasks.add(asyncio.current_task())

    told = Told()
    async with pool_of(note, told, concurrency=100) as pool:
        for n in range(500):
            pool.submit(calls("note", visit=f"n{n}"))
        await told.first(500)
        assert len(tasks) == 1
        assert pool.health().workers == 1


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_inside_a_handler_all_of_asyncio_works(run: Callable[..., Any]) -> None:
    async def busy(job: Job) -> list[Any]:
        seen: list[Any] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await asyncio.Event().wait()
        try:
            async with asyncio.timeout(60):
                seen.append(await asyncio.wait_for(asyncio.sleep(0, "slept"), 60))
                async with asyncio.TaskGroup() as group:
                    one = group.create_task(asyncio.sleep(0, "one"))
                    two = group.create_task(asyncio.sleep(0, "two"))
                seen += [one.result(), two.result()]
                lock = asyncio.Lock()
                async with lock:
                    seen.append(await asyncio.to_thread(lambda: "thread"))
        finally:
            await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        return seen

    async def main() -> None:
        told = Told()
        async with pool_of(busy, told) as pool:
            for n in range(20):
                pool.submit(calls("busy", visit=f"n{n}"))
            for result in await told.first(20):
                assert isinstance(result, Done), result
                assert result.output == ["slept", "one", "two", "thread"]

    run(main())


async def test_what_a_handler_sets_in_its_context_does_not_reach_the_next_one() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    async def claim(job: Job) -> list[str]:
        before = who.get()
        who.set(job.visit)
        await asyncio.sleep(0)
        return [before, who.get()]

    told = Told()
    async with pool_of(claim, told, concurrency=1) as pool:
        for visit in ("a", "b"):
            pool.submit(calls("claim", visit=visit))
        outputs = [result.output for result in await told.first(2) if isinstance(result, Done)]
    assert outputs == [["nobody", "a"], ["nobody", "b"]]


async def test_no_more_than_the_bound_run_at_a_time_and_all_are_done() -> None:
    now = most = 0

    async def count(job: Job) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    told = Told()
    async with pool_of(count, told, concurrency=3) as pool:
        for n in range(50):
            pool.submit(calls("count", visit=f"n{n}"))
        await told.first(50)
    assert most == 3


async def test_one_handler_that_waits_does_not_hold_up_the_others() -> None:
    gate = Gate()
    told = Told()

    async def perform(job: Job) -> str:
        return await gate.perform(job) if job.visit == "slow" else job.visit

    async with pool_of(perform, told, concurrency=2) as pool:
        pool.submit(calls("slow", visit="slow"))
        for n in range(10):
            pool.submit(calls("quick", visit=f"n{n}"))
        await told.first(10)
        gate.open()
        results = await told.first(11)
    assert isinstance(results[-1], Done)
    assert results[-1].output == "slow"


async def test_urgent_jobs_overtake_and_none_is_forgotten() -> None:
    gate = Gate()
    told = Told()
    order: list[str] = []

    async def perform(job: Job) -> None:
        order.append(job.priority)
        if job.visit == "first":
            await gate.perform(job)

    async with pool_of(perform, told, concurrency=1) as pool:
        pool.submit(calls("x", visit="first"))
        await gate.until(lambda: bool(gate.began))
        for n in range(16):
            pool.submit(calls("x", visit=f"low{n}", priority="low"))
        for n in range(16):
            pool.submit(calls("x", visit=f"high{n}", priority="high"))
        gate.open()
        await told.first(33)
    assert order[1:9].count("high") == 7
    assert order.count("low") == 16


async def test_the_loop_gets_its_turn_while_many_jobs_wait() -> None:
    async def nothing(job: Job) -> None: ...

    told = Told()
    turns = 0

    async def beat() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with pool_of(nothing, told) as pool:
        beating = asyncio.create_task(beat())
        for n in range(640):
            pool.submit(calls("nothing", visit=f"n{n}"))
        await told.first(640)
        beating.cancel()
    assert turns >= 8


# -- faults


async def faulted(handler: Perform, **more: Any) -> Fault:
    told = Told()
    async with pool_of(handler, told) as pool:
        pool.submit(calls("it", **more))
        return await told.fault()


async def test_an_exception_is_a_transient_fault_and_the_worker_goes_on() -> None:
    async def fail(job: Job) -> None:
        if job.visit == "bad":
            raise KeyError("order")

    told = Told()
    async with pool_of(fail, told, concurrency=1) as pool:
        pool.submit(calls("fail", visit="bad"))
        pool.submit(calls("fail", visit="good"))
        bad, good = await told.first(2)
    assert isinstance(bad, Fault)
    assert (bad.code, bad.transient) == ("exception", True)
    assert isinstance(good, Done)


async def test_a_work_error_says_its_own_fault() -> None:
    async def refuse(job: Job) -> None:
        raise WorkError("no stock", code="no_stock", transient=False, detail={"left": 0})

    assert await faulted(refuse) == Fault("no_stock", "no stock", False, {"left": 0})


async def test_a_handler_that_exits_or_cancels_itself_does_not_take_the_platform_along() -> None:
    async def leave(job: Job) -> None:
        raise SystemExit(3)

    async def give_up(job: Job) -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async def give_up_at_once(job: Job) -> None:
        raise asyncio.CancelledError

    assert (await faulted(leave)).detail["type"] == "SystemExit"
    assert (await faulted(give_up)).detail["type"] == "CancelledError"
    assert (await faulted(give_up_at_once)).detail["type"] == "CancelledError"


async def test_an_output_that_is_not_json_is_a_permanent_fault() -> None:
    async def odd(job: Job) -> Any:
        return {"file": open}

    fault = await faulted(odd)
    assert (fault.code, fault.transient, fault.detail["path"]) == ("output_not_json", False, "/file")


async def test_a_report_that_raises_is_logged_and_the_next_job_is_done() -> None:
    reported = asyncio.Event()
    log = Noted()

    def report(job: Job, result: Any) -> None:
        if job.visit == "n0":
            raise RuntimeError("the owner is gone")
        reported.set()

    async def nothing(job: Job) -> None: ...

    async with pool_of(nothing, report, 1, log=log) as pool:
        pool.submit(calls("nothing", visit="n0"))
        pool.submit(calls("nothing", visit="n1"))
        async with asyncio.timeout(60):
            await reported.wait()
    assert log.events() == ["report_failed"]


# -- cancel


async def test_a_cancelled_handler_is_told_and_never_reported_and_its_place_is_free() -> None:
    gate, told = Gate(), Told()
    async with pool_of(gate.perform, told, concurrency=1) as pool:
        pool.submit(calls("wait", visit="a"))
        pool.submit(calls("wait", visit="b"))
        await gate.until(lambda: gate.began == ["a"])
        assert pool.cancel("run_1", "a")
        await gate.until(lambda: gate.began == ["a", "b"] and gate.ended == ["a cancelled"])
        gate.open()
        assert await told.output() == "b"
        assert pool.health().leaving == 0


async def test_a_cancelled_job_that_waits_is_never_performed() -> None:
    gate, told = Gate(), Told()
    async with pool_of(gate.perform, told, concurrency=1) as pool:
        for visit in ("a", "b", "c"):
            pool.submit(calls("wait", visit=visit))
        await gate.until(lambda: gate.began == ["a"])
        assert pool.cancel("run_1", "b")
        assert not pool.cancel("run_1", "b")
        gate.open()
        await told.first(2)
    assert gate.began == ["a", "c"]


async def test_a_job_that_waits_can_be_had_back_unless_its_wait_is_timed_and_is_then_performed_once() -> None:
    gate, told = Gate(), Told()
    async with pool_of(gate.perform, told, concurrency=1) as pool:
        for visit, timeout in (("a", {}), ("b", {}), ("c", {"queue_ms": 60_000}), ("d", {})):
            pool.submit(calls("wait", visit=visit, timeout=timeout))
        await gate.until(lambda: gate.began == ["a"])
        back = pool.withdraw("run_1", "b")
        assert back is not None
        assert [pool.withdraw("run_1", visit) for visit in ("a", "b", "c", "e")] == [None] * 4
        assert pool.held().keys() == {("run_1", "a"), ("run_1", "c"), ("run_1", "d")}
        pool.submit(back)
        early = calls("wait", visit="early", run="run_2")
        gate.open()
        await told.first(4)
        pool.submit(early)
        assert pool.withdraw("run_2", "early") is early
        assert not pool.held()
    assert sorted(gate.began) == ["a", "b", "c", "d"]


async def test_cancel_of_what_is_not_held_or_of_another_attempt_does_nothing() -> None:
    gate, told = Gate(), Told()
    async with pool_of(gate.perform, told) as pool:
        pool.submit(calls("wait", visit="a", attempt=2))
        await gate.until(lambda: bool(gate.began))
        assert not pool.cancel("run_1", "b")
        assert not pool.cancel("run_1", "a", attempt=1)
        gate.open()
        assert await told.output() == "a"


async def test_a_handler_that_swallows_its_cancel_is_not_reported_and_holds_nobody_up() -> None:
    told = Told()
    began, release, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stubborn(job: Job) -> str:
        if job.visit == "next":
            return "next"
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await release.wait()
            over.set()
        return "too late"

    async with pool_of(stubborn, told, concurrency=1) as pool:
        pool.submit(calls("stubborn", visit="a"))
        await began.wait()
        pool.cancel("run_1", "a")
        pool.submit(calls("stubborn", visit="next"))
        assert await told.output() == "next"
        assert pool.health().leaving == 1
        release.set()
        await over.wait()
    assert len(told.results) == 1


async def test_a_handler_may_cancel_itself_by_way_of_its_run() -> None:
    told = Told()

    async def cancel_me(job: Job) -> str:
        if job.visit == "a":
            pool.cancel(job.run, job.visit)
        return job.visit

    async with pool_of(cancel_me, told, concurrency=1) as pool:
        for visit in ("a", "b", "c"):
            pool.submit(calls("cancel_me", visit=visit))
        await told.first(2)
    assert [job.visit for job, _ in told.results] == ["b", "c"]


async def test_the_next_attempt_may_be_submitted_while_the_last_is_reported() -> None:
    seen: list[int] = []
    over = asyncio.Event()

    async def fail(job: Job) -> None:
        raise ValueError

    def report(job: Job, result: Any) -> None:
        seen.append(job.attempt)
        if job.attempt < 3:
            pool.submit(calls("fail", attempt=job.attempt + 1))
        else:
            over.set()

    async with pool_of(fail, report, 1) as pool:
        pool.submit(calls("fail"))
        async with asyncio.timeout(60):
            await over.wait()
    assert seen == [1, 2, 3]


async def test_a_job_that_is_held_is_not_taken_twice_and_a_later_attempt_replaces_it() -> None:
    gate, told = Gate(), Told()
    async with pool_of(gate.perform, told) as pool:
        pool.submit(calls("wait", visit="a"))
        await gate.until(lambda: gate.began == ["a"])
        pool.submit(calls("wait", visit="a"))
        await asyncio.sleep(0)
        assert (gate.began, gate.ended) == (["a"], [])
        pool.submit(calls("wait", visit="a", attempt=2))
        await gate.until(lambda: gate.began == ["a", "a"] and gate.ended == ["a cancelled"])
        gate.open()
        await told.first()
    assert [job.attempt for job, _ in told.results] == [2]


# -- times


def virtual(test: Callable[[], Any]) -> Callable[[], None]:
    """Run a test by a clock of its own."""

    @functools.wraps(test)
    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test())

    # pytest looks through a wrapper, and would give the coroutine to a loop of its own.
    del vars(run)["__wrapped__"]
    return run


async def forever(job: Job) -> None:
    await asyncio.Event().wait()


@virtual
async def test_an_attempt_that_runs_too_long_is_a_transient_fault() -> None:
    fault = await faulted(forever, timeout={"run_ms": 20_000})
    assert (fault.code, fault.transient, fault.detail) == ("timeout_run", True, {"limit_ms": 20_000})
    assert "20.0 s" in fault.message


@virtual
async def test_an_attempt_that_ends_just_in_time_is_not() -> None:
    async def just(job: Job) -> str:
        await passed(19_999)
        return "done"

    told = Told()
    async with pool_of(just, told) as pool:
        pool.submit(calls("just", timeout={"run_ms": 20_000}))
        assert await told.output() == "done"


@virtual
async def test_the_time_of_one_attempt_does_not_reach_the_next_of_its_worker() -> None:
    async def quick_or_long(job: Job) -> str:
        await passed(10 if job.visit == "quick" else 20_000)
        return job.visit

    told = Told()
    async with pool_of(quick_or_long, told, concurrency=1) as pool:
        pool.submit(calls("it", visit="quick", timeout={"run_ms": 20, "heartbeat_ms": 15}))
        pool.submit(calls("it", visit="long"))
        results = await told.first(2)
    assert [result.output for result in results if isinstance(result, Done)] == ["quick", "long"]


@virtual
async def test_a_job_that_waits_too_long_for_a_worker_is_a_fault_and_is_not_performed() -> None:
    gate, told = Gate(), Told()
    async with pool_of(gate.perform, told, concurrency=1) as pool:
        pool.submit(calls("wait", visit="a"))
        pool.submit(calls("wait", visit="b", timeout={"queue_ms": 5_000}))
        fault = await told.fault()
        assert fault.code == "timeout_queue"
        gate.open()
        await told.first(2)
    assert gate.began == ["a"]


@virtual
async def test_a_job_that_was_picked_up_in_time_is_not_a_fault_of_the_queue() -> None:
    async def longer(job: Job) -> str:
        await passed(6_000)
        return "done"

    told = Told()
    async with pool_of(longer, told) as pool:
        pool.submit(calls("longer", timeout={"queue_ms": 5_000}))
        assert await told.output() == "done"


@virtual
async def test_work_that_does_not_begin_in_time_is_a_fault() -> None:
    assert (await faulted(forever, timeout={"start_ms": 3_000})).code == "timeout_start"


@virtual
async def test_a_pulse_says_that_the_work_has_begun() -> None:
    async def begin(job: Job) -> str:
        await passed(2_000)
        job.pulse()
        await passed(2_000)
        return "done"

    told = Told()
    async with pool_of(begin, told) as pool:
        pool.submit(calls("begin", timeout={"start_ms": 3_000}))
        assert await told.output() == "done"


@virtual
async def test_work_without_a_sign_of_life_is_a_fault_and_pulses_keep_it_alive() -> None:
    loop = asyncio.get_running_loop()
    last = 0.0

    async def pulse_then_stall(job: Job) -> None:
        nonlocal last
        for _ in range(6):
            await passed(2_900)
            job.pulse()
            last = loop.time()
        await asyncio.Event().wait()

    fault = await faulted(pulse_then_stall, timeout={"heartbeat_ms": 3_000})
    assert fault.code == "timeout_heartbeat"
    assert loop.time() - last == pytest.approx(3.0, abs=0.01)


@virtual
async def test_a_handler_may_clean_up_before_its_time_out_is_reported() -> None:
    cleaned: list[bool] = []

    async def tidy(job: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await passed(1_000)
            cleaned.append(True)

    assert (await faulted(tidy, timeout={"run_ms": 10})).code == "timeout_run"
    assert cleaned == [True]


@virtual
async def test_a_handler_that_ignores_its_time_out_is_reported_over_its_head() -> None:
    release = asyncio.Event()
    log = Noted()

    async def ignore(job: Job) -> str:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        return "late"

    told = Told()
    async with pool_of(ignore, told, log=log) as pool:
        pool.submit(calls("ignore", timeout={"run_ms": 10}))
        assert (await told.fault()).code == "timeout_run"
        release.set()
    assert len(told.results) == 1
    assert log.events() == ["handler_ignores_cancel"]


@virtual
async def test_a_handler_that_swallows_its_time_out_is_still_late() -> None:
    async def late(job: Job) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "late"

    assert (await faulted(late, timeout={"run_ms": 10})).code == "timeout_run"


# -- blocking, large outputs, stop


@pytest.mark.parametrize("when", ["at once", "before it waits", "later"])
async def test_a_handler_that_blocks_the_loop_is_named(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("place_workers", "stepping"):
        monkeypatch.setattr(f"aob.work.pool.{module}.BLOCK_S", 0.01)
    log = Noted()

    async def block(job: Job) -> None:
        if when == "later":
            await asyncio.sleep(0)
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        if when == "before it waits":
            await asyncio.sleep(0)

    told = Told()
    async with pool_of(block, told, log=log) as pool:
        pool.submit(calls("grind"))
        await told.first()
        assert pool.health().blocked == {"grind": 1}
    (event, fields) = log.lines[0]
    assert (event, fields["handler"], fields["run"], fields["visit"]) == ("loop_blocked", "grind", "run_1", "n")


async def test_a_process_that_was_stopped_is_no_handler_that_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("place_workers", "stepping"):
        monkeypatch.setattr(f"aob.work.pool.{module}.BLOCK_S", 0.01)
    log, told = Noted(), Told()

    async def stopped(job: Job) -> None:
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        os.kill(os.getpid(), signal.SIGCONT)  # what the kernel sends to a process that goes on

    kept = signal.getsignal(signal.SIGCONT)
    try:
        async with pool_of(stopped, told, log=log) as pool:
            on_continued(pool.continued)
            pool.submit(calls("work"))
            await told.first()
            assert pool.health().blocked == {}
    finally:
        signal.signal(signal.SIGCONT, kept)
    assert log.events() == ["process_was_stopped"]


async def test_a_large_output_is_kept_before_it_is_reported() -> None:
    kept: list[tuple[str, int]] = []
    size = ROW_MAX + 1

    async def keep(tenant: str, data: bytes) -> Ref:
        await asyncio.sleep(0)
        kept.append((tenant, len(data)))
        return Ref(digest_of(data), len(data))

    async def large(job: Job) -> str:
        return "x" * (size if job.visit == "large" else 10)

    told = Told()
    async with pool_of(large, told, keep=keep) as pool:
        pool.submit(calls("large", visit="small"))
        pool.submit(calls("large", visit="large"))
        small, big = await told.first(2)
    assert isinstance(small, Done)
    assert isinstance(big, Done)
    assert (small.ref, big.ref) == (None, Ref(digest_of(big.data), size + 2))
    assert kept == [("acme", size + 2)]


async def test_after_a_large_output_the_worker_goes_on() -> None:
    async def keep(tenant: str, data: bytes) -> Ref:
        await asyncio.sleep(0)
        return Ref(digest_of(data), len(data))

    async def large(job: Job) -> str:
        return "x" * (ROW_MAX + 1)

    told = Told()
    async with pool_of(large, told, keep=keep, concurrency=1) as pool:
        for n in range(3):
            pool.submit(calls("large", visit=f"n{n}"))
            await told.first(n + 1)


async def test_an_output_that_cannot_be_kept_is_a_transient_fault() -> None:
    async def keep(tenant: str, data: bytes) -> Ref:
        raise Unavailable("the disk is full", code="disk_full", hint="free space")

    async def large(job: Job) -> str:
        return "x" * (ROW_MAX + 1)

    told = Told()
    async with pool_of(large, told, keep=keep) as pool:
        pool.submit(calls("large"))
        fault = await told.fault()
    assert (fault.code, fault.transient) == ("disk_full", True)


async def test_a_stop_lets_what_runs_end_and_forgets_what_waits() -> None:
    gate, told = Gate(), Told()
    pool = pool_of(gate.perform, told, concurrency=1)
    for visit in ("a", "b"):
        pool.submit(calls("wait", visit=visit))
    await gate.until(lambda: bool(gate.began))
    stopping = asyncio.create_task(pool.stop())
    await asyncio.sleep(0)
    pool.submit(calls("wait", visit="c"))
    gate.open()
    await stopping
    assert [job.visit for job, _ in told.results] == ["a"]
    assert gate.began == ["a"]
    assert pool.health().workers == 0


@virtual
async def test_a_stop_cancels_what_does_not_end_in_time_and_reports_nothing_of_it() -> None:
    gate, told, log = Gate(), Told(), Noted()
    pool = pool_of(gate.perform, told, log=log)
    pool.submit(calls("wait"))
    await gate.until(lambda: bool(gate.began))
    await pool.stop(drain_s=10)
    assert gate.ended == ["n cancelled"]
    assert told.results == []
    assert log.events() == ["pool_drain_ended"]


async def test_stopping_twice_and_at_once_is_fine() -> None:
    gate, told = Gate(), Told()
    pool = pool_of(gate.perform, told)
    pool.submit(calls("wait"))
    await gate.until(lambda: bool(gate.began))
    stops = [asyncio.create_task(pool.stop()) for _ in range(3)]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(*stops)
    await pool.stop()
    assert await told.output() == "n"


MOVE = st.tuples(
    st.sampled_from(["submit", "submit", "submit", "cancel", "step", "release"]),
    st.integers(0, 5),
    st.sampled_from(["high", "medium", "low"]),
    st.sampled_from(["quick", "wait", "fail", "stubborn"]),
)


@given(st.lists(MOVE, max_size=50), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_each_job_is_reported_once_or_was_cancelled_whatever_happens(script: list[Any], concurrency: int) -> None:
    async def play() -> None:
        told = Told()
        cancelled: set[tuple[str, int]] = set()
        attempts: dict[str, int] = {}
        release = asyncio.Event()
        most = now = 0

        async def perform(job: Job) -> str:
            nonlocal most, now
            how = job.task.config.handler
            if how == "fail":
                raise ValueError(job.visit)
            if how == "quick":
                return job.visit
            now += 1
            most = max(most, now - pool.health().leaving)
            try:
                await release.wait()
            except asyncio.CancelledError:
                if how == "stubborn":
                    await asyncio.sleep(0)
                    return job.visit
                raise
            finally:
                now -= 1
            return job.visit

        pool = pool_of(perform, told, concurrency)
        for verb, number, priority, how in script:
            visit = f"n{number}"
            if verb == "submit":
                if visit in attempts:
                    cancelled.add((visit, attempts[visit]))  # replaced, if it is still held
                attempts[visit] = attempts.get(visit, 0) + 1
                pool.submit(calls(how, visit=visit, attempt=attempts[visit], priority=priority))
            elif verb == "cancel":
                if pool.cancel("run_1", visit):
                    cancelled.add((visit, attempts[visit]))
            elif verb == "release":
                release.set()
            await asyncio.sleep(0)
        release.set()
        expected = {(v, n) for v, last in attempts.items() for n in range(1, last + 1)} - cancelled
        for _ in range(200):
            await asyncio.sleep(0)
        health = pool.health()
        assert (health.waiting, health.running, health.leaving) == (0, 0, 0)
        await pool.stop()
        reported = [(job.visit, job.attempt) for job, _ in told.results]
        assert len(reported) == len(set(reported)), "a job was reported twice"
        assert expected <= set(reported)
        assert most <= concurrency

    asyncio.run(play())


class TestAnEnd:
    """`end` stops an attempt as a timeout does, and reports what it was given."""

    FAULT = Fault("cancelled", "no more", True)

    async def test_of_a_running_attempt_is_reported_once_it_has_ended(self) -> None:
        order: list[str] = []
        begun = asyncio.Event()

        async def work(job: Job) -> object:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                order.append("ended")

        def report(job: Job, result: Any) -> None:
            order.append(result.code if isinstance(result, Fault) else "done")

        async with Pool(1, work, report) as pool:
            first, second = calls("f", visit="a"), calls("f", visit="b")
            pool.submit(first)
            pool.submit(second)
            await begun.wait()
            assert not pool.end(first.run, first.visit, first.attempt + 1, self.FAULT)
            assert pool.end(second.run, second.visit, second.attempt, self.FAULT)  # it waits
            assert pool.end(first.run, first.visit, first.attempt, self.FAULT)
            while len(order) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert order == ["cancelled", "ended", "cancelled"]
