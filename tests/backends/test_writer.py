"""The writer's thread: work in order, results and errors to whoever asked, an end when all is done."""

import asyncio
import threading
from functools import partial

import pytest

from aob.backends.sqlite.file import Writer


async def test_work_is_done_in_order_on_one_thread() -> None:
    writer, seen = Writer("w"), list[tuple[int, str]]()

    def note(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        return number

    writer.later(partial(note, 0))
    results = await asyncio.gather(*[writer.do(partial(note, number)) for number in range(1, 20)])
    assert results == list(range(1, 20))
    assert seen == [(i, "w") for i in range(20)]
    writer.close()


async def test_an_error_belongs_to_whoever_asked_and_the_next_work_is_done() -> None:
    writer = Writer("w")

    def broken() -> int:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        await writer.do(broken)
    assert await writer.do(lambda: 7) == 7
    writer.close()


async def test_who_stops_waiting_does_not_stop_the_work() -> None:
    writer, gate, done = Writer("w"), threading.Event(), list[int]()

    def slow() -> None:
        gate.wait(10)
        done.append(1)

    task = asyncio.create_task(writer.do(slow))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await writer.do(lambda: None)
    assert done == [1]
    writer.close()


async def test_closing_twice_and_unused_is_fine() -> None:
    writer = Writer("w")
    writer.close()
    await writer.do(lambda: None)
    thread = writer._thread
    assert thread is not None
    writer.close()
    writer.close()
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
