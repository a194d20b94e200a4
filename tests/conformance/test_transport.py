"""The port `Transport`: one suite over a pair of sockets, TCP and TLS, on both loops that the product runs on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from aob.backends.stream_transport import StreamTransport
from aob.backends.tcp import Listener, Proved, connect
from aob.core.errors import TooLarge
from aob.ports.transport import Transport
from tests.servers.certificates import contexts

pytestmark = pytest.mark.timeout(20)
Ends = tuple[StreamTransport, StreamTransport]


@asynccontextmanager
async def pair() -> AsyncIterator[Ends]:
    sockets = socket.socketpair()
    for each in sockets:
        each.setblocking(False)
    yield await StreamTransport.over(sockets[0]), await StreamTransport.over(sockets[1])


@asynccontextmanager
async def listening(secure: bool) -> AsyncIterator[Ends]:
    came: asyncio.Future[StreamTransport] = asyncio.get_running_loop().create_future()

    async def serve(transport: StreamTransport, proved: Proved) -> None:
        proved()
        came.set_result(transport)
        await asyncio.Event().wait()

    server, client = contexts() if secure else (None, None)
    async with await Listener(serve, lambda: server).open("127.0.0.1", 0) as listener:
        yield await connect(*listener.address, client), await came


KINDS = {"pair": pair, "tcp": lambda: listening(False), "tls": lambda: listening(True)}


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # what is awaited are steps of the loop
        await asyncio.sleep(0)


async def intervals(end: StreamTransport, count: int) -> None:
    """Wait until a ping was due so many times."""
    for _ in range(count):
        ticking = end._ticking
        await until(lambda ticking=ticking: end._ticking is not ticking)  # type: ignore[misc]  # bound at each turn


@pytest.fixture(params=KINDS)
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    async with KINDS[request.param]() as both:
        yield both
        for end in both:
            await end.ended()


async def test_messages_come_whole_and_in_order_both_ways(ends: Ends) -> None:
    one, other = ends
    sent = [b"", b"a", b"\0" * 70_000, bytes(range(256)), b"\xff" * 2_000_000, b"\xff\xff\xff\xff"]

    async def receive(end: Transport) -> list[bytes | None]:
        return [await end.receive() for _ in sent]

    reading = asyncio.gather(receive(one), receive(other))
    for message in sent:
        one.send(message)
        other.send(message)
    await one.drained()
    await other.drained()
    assert await reading == [sent, sent]


async def test_an_end_that_has_gone_is_told_once_all_that_it_sent_is_read(ends: Ends) -> None:
    one, other = ends
    one.send(b"last")
    one.close()
    one.close()
    assert (await other.receive(), await other.receive()) == (b"last", None)
    one.send(b"into the void")
    await one.drained()


async def test_a_sender_waits_for_a_reader_that_takes_nothing_and_what_is_unread_is_bounded(ends: Ends) -> None:
    one, other = ends
    message, sent = b"x" * 10_000, 0

    async def send() -> None:
        nonlocal sent
        while sent < 4_000:
            one.send(message)
            sent += 1
            await one.drained()

    sending = asyncio.create_task(send())
    assert await other.receive() == message
    before = -1
    while before != sent:  # until nothing goes on
        before = sent
        for _ in range(200):
            await asyncio.sleep(0)
    assert sent < 2_500
    for _ in range(3_999):
        assert await other.receive() == message
    await sending


async def test_whoever_waits_for_room_goes_on_when_the_other_end_goes(ends: Ends) -> None:
    one, other = ends
    while not one.full:
        one.send(b"x" * 100_000)
        await asyncio.sleep(0)
    waiting = [asyncio.create_task(one.drained()) for _ in range(3)]
    await asyncio.sleep(0)
    other.abort()
    async with asyncio.timeout(60):
        await asyncio.gather(*waiting)
        assert await one.receive() is None


async def test_a_message_over_the_limit_is_refused_where_it_is_sent_and_ends_the_connection_where_it_comes(
    ends: Ends,
) -> None:
    one, other = ends
    one.size_max = 1_000
    with pytest.raises(TooLarge, match="larger than 1000"):
        one.send(b"x" * 1_001)
    one.send(b"x" * 1_000)
    other.send(b"y" * 1_001)
    assert await one.receive() is None
    assert await other.receive() == b"x" * 1_000
    assert await other.receive() is None
    assert "larger than 1000" in str(one.error)


async def test_a_silent_end_is_found_by_pings_and_one_that_pings_is_not(ends: Ends) -> None:
    one, other = ends
    one.ping(0.01, 3)
    async with asyncio.timeout(60):
        assert await one.receive() is None
    assert "nothing came" in str(one.error)
    assert await other.receive() is None


async def test_pings_are_no_messages_and_keep_a_connection_on_which_nothing_else_is_said(ends: Ends) -> None:
    one, other = ends
    counted: list[asyncio.Task[bytes | None]] = []
    for end in ends:
        end.ping(0.01, 50)
        counted.append(asyncio.create_task(end.receive()))
    await intervals(one, 10)
    assert not any(task.done() for task in counted)
    one.send(b"a")
    other.send(b"b")
    assert [await task for task in counted] == [b"b", b"a"]


async def test_an_end_that_reads_nothing_yet_is_not_taken_for_gone(ends: Ends) -> None:
    one, other = ends
    one.ping(0.005, 4)
    other.ping(0.005, 4)
    for _ in range(200):
        other.send(b"x" * 10_000)
    await until(lambda: one._paused)
    await intervals(one, 10)
    for _ in range(200):
        assert await one.receive() == b"x" * 10_000
    one.send(b"still here")
    assert await other.receive() == b"still here"


@pytest.mark.parametrize("cut", range(1, 12))
async def test_messages_in_any_pieces_are_the_same_messages(cut: int) -> None:
    transport = StreamTransport()
    sent = [b"", b"abc", b"\xff" * 9, b"d"]
    stream = b"".join(len(each).to_bytes(4, "big") + each + b"\xff" * 4 for each in sent)
    for at in range(0, len(stream), cut):
        transport.data_received(stream[at : at + cut])
    assert [await transport.receive() for _ in sent] == sent
    assert not transport._messages
    assert not transport._rest
