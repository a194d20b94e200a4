"""Threads for plain handlers: reused, counted, fenced when nobody waits for them any more."""

import asyncio
import os
import queue
import select
import signal
import threading
from typing import Any

import pytest

from aob.core.errors import Unavailable
from aob.ports.workers import Job
from aob.work import WorkError, node
from aob.work.kinds import performer, placer
from aob.work.pool import Pool, Threads
from aob.work.pool import threads as threads_module
from tests.work.jobs import Asked, Told, calls, tools_of


class Held:
    """A plain function that waits until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.release = threading.Event()
        self.seen: list[str] = []

    def __call__(self) -> str:
        self.began.set()
        assert self.release.wait(30)
        return "late"


async def began(held: Held) -> None:
    assert await asyncio.to_thread(held.began.wait, 30)


async def ended(condition: Any) -> None:
    """Threads end when they do: ask until it is so."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.to_thread(threading.Event().wait, 0.002)


async def test_threads_are_reused() -> None:
    async with Threads() as threads:
        names = {await threads.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert len(names) == 1


async def test_calls_run_side_by_side() -> None:
    barrier = threading.Barrier(8, timeout=30)
    async with Threads() as threads:
        await asyncio.gather(*(threads.run(barrier.wait) for _ in range(8)))


async def test_the_beginning_is_told_on_the_loop() -> None:
    told: list[str] = []
    async with Threads() as threads:
        await threads.run(lambda: None, lambda: told.append(threading.current_thread().name))
    assert told == [threading.main_thread().name]


async def test_a_fenced_thread_is_counted_until_it_ends_and_its_answer_is_dropped() -> None:
    held = Held()
    async with Threads() as threads:
        waiting = asyncio.create_task(threads.run(held))
        await began(held)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert threads.fenced == 1
        assert await threads.run(lambda: "next") == "next"
        held.release.set()
        await ended(lambda: threads.fenced == 0)


class SlowQueue(queue.SimpleQueue[Any]):
    """Hands nothing out before it is let go: a thread that is not scheduled yet."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def get(self, *args: Any, **named: Any) -> Any:
        assert self.release.wait(30)
        return super().get(*args, **named)


async def test_a_call_that_was_cancelled_before_it_began_is_never_made_nor_counted() -> None:
    made: list[int] = []
    calls_held = SlowQueue()
    async with Threads() as threads:
        vars(threads)["_calls"] = calls_held
        waiting = asyncio.create_task(threads.run(lambda: made.append(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert threads.fenced == 0
        calls_held.release.set()
        await threads.run(lambda: None)
    assert made == []


async def test_when_too_many_threads_do_not_end_no_new_one_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "FENCED_MAX", 1)
    held = Held()
    async with Threads() as threads:
        waiting = asyncio.create_task(threads.run(held))
        await began(held)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        with pytest.raises(WorkError) as refused:
            await threads.run(lambda: None)
        assert (refused.value.fault.code, refused.value.fault.transient) == ("threads_exhausted", True)
        held.release.set()


async def test_after_a_stop_all_threads_have_ended_and_no_call_is_taken() -> None:
    others = set(threading.enumerate())  # those that a test of a crash left behind are not ours
    threads = Threads()
    await asyncio.gather(*(threads.run(lambda: None) for _ in range(4)))
    await threads.stop()
    await threads.stop()
    assert not [t for t in set(threading.enumerate()) - others if t.name.startswith("aob-handler")]
    with pytest.raises(Unavailable, match="stopping"):
        await threads.run(lambda: None)


async def test_a_cancelled_handler_in_a_thread_is_fenced_and_its_words_are_not_heard() -> None:
    held = Held()
    said: list[str] = []

    @node
    def slow(ctx: Any) -> None:
        held()
        ctx.log("too late")
        try:
            ctx.heartbeat()
        except asyncio.CancelledError:
            said.append("was told")
            raise

    told = Told()
    job: Job = calls("slow")
    ctx = Asked(job)
    async with Threads() as threads:
        tools = tools_of(slow, threads=threads)
        async with Pool(1, performer(tools, lambda asked: ctx), told, place=placer(tools)) as pool:
            pool.submit(job)
            await began(held)
            assert pool.cancel("run_1", "n")
            await ended(lambda: threads.fenced == 1)
            held.release.set()
            await ended(lambda: threads.fenced == 0)
    assert said == ["was told"]
    assert (told.results, ctx.lines, ctx.asked) == ([], [], [])


async def test_a_thread_has_times_too() -> None:
    held = Held()

    @node
    def slow() -> None:
        held()

    told = Told()
    async with Threads() as threads:
        tools = tools_of(slow, threads=threads)
        async with Pool(1, performer(tools, Asked), told, place=placer(tools)) as pool:
            pool.submit(calls("slow", timeout={"run_ms": 30, "start_ms": 10_000}))
            assert (await told.fault()).code == "timeout_run"
            held.release.set()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_child_that_a_handler_forks_ends_when_it_comes_back() -> None:
    def forks() -> bool:
        ends, held = os.pipe()
        child = os.fork()
        if not child:
            return False
        os.close(held)
        ended = bool(select.select([ends], [], [], 20)[0])  # nobody has the other end any more
        os.close(ends)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return ended

    async with Threads() as threads:
        assert await threads.run(forks)
