"""Requests that wait at one end of a wire: each gets its own answer, whatever the order; what nobody waits for any more
disturbs nobody."""

import asyncio
from typing import Any

import pytest

from aob.compose.wire.asks import UNTIL, Asks, ask_of
from aob.compose.wire.frames import Frame, Kind, encode
from aob.core.errors import NotFound, Unavailable
from aob.core.policy import LOCAL
from aob.core.problem import problem_of
from aob.ports.telemetry import TRACE, Trace


class Wire:
    """An end of which only what was sent is of interest."""

    def __init__(self) -> None:
        self.sent = list[tuple[int, Kind]]()

    def send(self, number: int, kind: Kind, body: bytes = b"") -> None:
        self.sent.append((number, kind))


class End:
    """Requests over such a wire."""

    def __init__(self, step: int = 1) -> None:
        self.wire = Wire()
        fits: Any = self.wire
        self.asks = Asks(fits, step, lambda: Unavailable("it has gone", code="shard_lost"))

    async def asked(self, count: int) -> list["asyncio.Task[Any]"]:
        """So many requests, which are on their way."""
        tasks = [asyncio.ensure_future(self.asks.ask(number)) for number in range(count)]
        await asyncio.sleep(0)
        return tasks

    def answers(self, number: int, value: Any) -> None:
        self.asks.take(Frame(number, Kind.VALUE, encode(value)))


@pytest.mark.parametrize("step", [1, -1])
async def test_answers_that_come_in_another_order_are_each_s_own(step: int) -> None:
    end = End(step)
    tasks = await end.asked(3)
    assert end.wire.sent == [(step * number, Kind.ASK) for number in (1, 2, 3)]
    end.asks.take(Frame(3 * step, Kind.ERROR, encode(problem_of(NotFound("none", code="run_not_found")))))
    end.answers(step, "first")
    end.answers(2 * step, "second")
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert (told[:2], type(told[2])) == (["first", "second"], NotFound)


async def test_an_answer_that_comes_twice_or_for_nobody_disturbs_no_other() -> None:
    end = End()
    first, second = await end.asked(2)
    for value in ("once", "twice"):
        end.answers(1, value)
    end.answers(9, "for nobody")
    assert await first == "once"
    end.answers(1, "late")
    end.answers(2, "second")
    assert await second == "second"


async def test_who_stops_to_wait_says_so_and_an_answer_that_crosses_that_is_nobody_s() -> None:
    end = End()
    gone, stays = await end.asked(2)
    gone.cancel()
    end.answers(1, "in the same moment")
    await asyncio.sleep(0)
    assert gone.cancelled() or gone.done()
    assert end.wire.sent[2:] == [(1, Kind.CANCEL)]
    end.answers(1, "late")
    end.answers(2, "second")
    assert await stays == "second"
    assert end.wire.sent[2:] == [(1, Kind.CANCEL)], "what was answered is not ended"


async def test_when_the_other_end_goes_all_are_told_and_nothing_that_comes_then_counts() -> None:
    end = End()
    tasks = await end.asked(2)
    end.answers(1, "before")
    end.asks.lost()
    end.answers(2, "after")
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert told[0] == "before"
    assert isinstance(told[1], Unavailable)
    assert told[1].code == "shard_lost"


async def test_a_request_takes_along_the_trace_of_its_caller_and_how_long_that_still_waits() -> None:
    now_s = asyncio.get_running_loop().time()
    assert (ask_of("run", LOCAL, (), {}).left_ms, ask_of("run", LOCAL, (), {}).trace) == (0, None)
    UNTIL.set(now_s + 2.0)
    trace = Trace("1" * 32, "2" * 16)
    TRACE.set(trace)
    asked = ask_of("run", LOCAL, ("a",), {"b": 1}, 3)
    assert 1_000 < asked.left_ms <= 2_000
    assert (asked.trace, asked.shard, asked.args, asked.named) == (trace, 3, ["a"], {"b": 1})
    UNTIL.set(now_s - 2.0)
    assert ask_of("run", LOCAL, (), {}).left_ms == 1, "its time is over, which is not the same as no limit"
