"""The wire between the main process and an owner, both ends in one process, with a shard that does as the test says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from aob.compose.shards.inner import OfMain
from aob.compose.shards.local import STREAMS
from aob.compose.shards.upward import answering
from aob.compose.wire import Ask, Asking, Channel, Requests, Wire
from aob.compose.wire.frames import WINDOW
from aob.core.errors import AobError, Busy, Conflict, Invalid, NotFound, OurError, Problem, Unavailable
from aob.core.event import HOME, Message, MessageMark
from aob.core.policy import LOCAL, Caller
from aob.journal.messages import Delivery

pytestmark = pytest.mark.timeout(20)


class Desk:
    """A shard that answers with what it was asked, fails as it is told, or counts."""

    number = 1

    def __init__(self) -> None:
        self.given = 0
        self.ended = asyncio.Event()
        self.asked = asyncio.Event()

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        self.asked.set()
        if verb == "raise":
            raise FAILURES[args[0]]
        if verb == "blob":
            return bytes(range(256))
        if verb == "wait":
            await asyncio.Event().wait()
        return [verb, who and [who.tenant, who.name, sorted(who.roles)], list(args), named]

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        try:
            for number in range(*args):
                self.given = number + 1
                yield [number, named]
            if named.get("how") == "break":
                raise FAILURES["Conflict"]
            if verb == "follow":
                await asyncio.Event().wait()
        finally:
            self.ended.set()


FAILURES: dict[str, Exception] = {
    "Conflict": Conflict("no", code="key_reused", hint="another", difference="/inputs"),
    "Invalid": Invalid("wrong", [Problem("/a", "is bad")]),
    "NotFound": NotFound("nothing"),
    "Busy": Busy("full", retry_after_s=2.0),
    "Unavailable": Unavailable("disk", code="disk_full"),
    "KeyError": KeyError("a bug"),
}


async def main(ask: Ask) -> Any:
    """What the main process answers its owners."""
    if ask.verb == "refuse":
        raise Invalid("wrong", [Problem("/a", "is bad")], code="event_rejected")
    if ask.verb == "break":
        raise KeyError("a bug")
    return [ask.verb, ask.args]


@asynccontextmanager
async def wired(desk: Desk, upward: list[Asking] | None = None) -> AsyncIterator[Channel]:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    wire = await Wire.over(theirs)

    async def serve() -> None:
        asking = Asking(wire)
        if upward is not None:
            upward.append(asking)
        async with Requests(wire, lambda ask: desk, STREAMS, asking) as asked:  # type: ignore[arg-type]
            await asked.stopped.wait()
        wire.close()

    serving = asyncio.create_task(serve())
    channel = Channel(await Wire.over(ours), 1, main)
    yield channel
    await channel.close()
    await serving


async def test_a_verb_comes_with_its_caller_and_all_arguments_and_its_answer_goes_back() -> None:
    async with wired(Desk()) as channel:
        who = Caller("acme", "ann", frozenset({"run", "view"}))
        told = await channel.call("run", who, "run_1", {"ö": [1.5, None]}, min_position=None)
        assert told == ["run", ["acme", "ann", ["run", "view"]], ["run_1", {"ö": [1.5, None]}], {"min_position": None}]
        assert await channel.call("health", None) == ["health", None, [], {}]


async def test_an_owner_asks_the_main_process_while_that_asks_it() -> None:
    upward: list[Asking] = []
    async with wired(Desk(), upward) as channel:
        assert await channel.call("health", None) == ["health", None, [], {}]
        (asking,) = upward
        both = await asyncio.gather(asking.ask("append", "a", 1), channel.call("health", None), asking.ask("b"))
        assert both == [["append", ["a", 1]], ["health", None, [], {}], ["b", []]]
        with pytest.raises(Invalid, match="is bad") as refused:
            await asking.ask("refuse")
        assert refused.value.code == "event_rejected"
        with pytest.raises(OurError, match="a bug"):
            await asking.ask("break")


async def test_bytes_stay_bytes() -> None:
    async with wired(Desk()) as channel:
        assert await channel.call("blob", LOCAL) == bytes(range(256))


async def test_many_asks_at_a_time_get_their_own_answers() -> None:
    async with wired(Desk()) as channel:
        told = await asyncio.gather(*(channel.call("run", LOCAL, n) for n in range(500)))
        assert [each[2] for each in told] == [[n] for n in range(500)]


@pytest.mark.parametrize("name", [name for name in FAILURES if name != "KeyError"])
async def test_an_error_is_raised_as_it_was(name: str) -> None:
    expected = FAILURES[name]
    assert isinstance(expected, AobError)
    async with wired(Desk()) as channel:
        with pytest.raises(type(expected)) as raised:
            await channel.call("raise", LOCAL, name)
    assert (raised.value.code, raised.value.detail, raised.value.hint) == (
        expected.code,
        expected.detail,
        expected.hint,
    )
    assert raised.value.fields == expected.fields


async def test_a_bug_is_our_error_and_the_wire_goes_on() -> None:
    async with wired(Desk()) as channel:
        with pytest.raises(OurError) as raised:
            await channel.call("raise", LOCAL, "KeyError")
        assert "a bug" not in str(raised.value)
        assert await channel.call("run", None)


async def test_a_stream_gives_its_items_in_order_and_ends() -> None:
    async with wired(Desk()) as channel:
        found = [item async for item in channel.stream("logs", LOCAL, 2_000, node="a")]
        assert found == [[n, {"node": "a"}] for n in range(2_000)]


async def test_a_stream_that_breaks_raises_after_its_items() -> None:
    found: list[int] = []

    async def read(channel: Channel) -> None:
        async for item in channel.stream("logs", LOCAL, 3, how="break"):
            found.append(item[0])

    async with wired(Desk()) as channel:
        with pytest.raises(Conflict):
            await read(channel)
    assert found == [0, 1, 2]


async def test_an_owner_runs_no_further_ahead_than_a_window() -> None:
    desk = Desk()
    async with wired(desk) as channel:
        feed = channel.stream("logs", LOCAL, 10 * WINDOW)
        await anext(feed)
        for _ in range(5):
            await channel.call("run", None)  # whatever was on its way has come
        assert desk.given <= WINDOW + 1
        for _ in range(2 * WINDOW):
            await anext(feed)
        assert desk.given <= 4 * WINDOW
        await feed.aclose()  # type: ignore[attr-defined]


async def test_a_reader_that_leaves_ends_the_feed_of_the_owner() -> None:
    desk = Desk()
    async with wired(desk) as channel:
        feed = channel.stream("follow", LOCAL, 3)
        await anext(feed)
        await feed.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(60):
            await desk.ended.wait()


async def test_whoever_waits_is_told_when_the_owner_is_lost() -> None:
    desk = Desk()
    async with wired(desk) as channel:
        waiting = asyncio.create_task(channel.call("wait", LOCAL))
        feed = channel.stream("follow", LOCAL, 1)
        await anext(feed)
        await desk.asked.wait()
        channel.stop()
        for lost in (waiting, anext(feed), channel.call("run", None)):
            with pytest.raises(Unavailable) as raised:
                await lost
            assert (raised.value.code, raised.value.fields["shard"]) == ("shard_lost", 1)


async def test_what_processes_ask_of_one_another_is_one_function_with_typed_arguments() -> None:
    class Main(OfMain):
        async def total(self, who: None, numbers: frozenset[int], twice: bool = False) -> int:
            return sum(numbers)

    delivered: list[Delivery] = []

    async def post(delivery: Delivery) -> MessageMark:
        delivered.append(delivery)
        return MessageMark(1, HOME, 1, 2)

    answer = answering(Main(None, None, None, None, post, None))  # type: ignore[arg-type]
    message = Message(1, HOME, 1, 2, "run_1", "alert/a/b", b"\x00\xff", "no", ((b"h" * 32, b"\xfe"),))
    delivery = Delivery(1, HOME, (1, 2), [message])
    for told in (delivery, msgspec.json.decode(msgspec.json.encode(delivery))):  # in one process, and over the wire
        assert await answer(Ask("deliver", None, [told], {})) == MessageMark(1, HOME, 1, 2)
        assert delivered.pop() == delivery
    assert await answer(Ask("total", None, [[1, 2, 2], False], {})) == 3
    with pytest.raises(ValueError, match="Expected `int`"):
        await answer(Ask("total", None, [["x"], False], {}))
    for verb in ("_read", "__init__", "nothing"):
        with pytest.raises(AobError, match="has no verb"):
            await answer(Ask(verb, None, [], {}))
