"""The port `Transport`: one suite over a pair of sockets and over TCP."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from aob.backends.stream_transport import StreamTransport
from aob.ports.transport import Transport

Ends = tuple[Transport, Transport]


@pytest.fixture(params=["pair", "tcp"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    if request.param == "pair":
        sockets = socket.socketpair()
        for each in sockets:
            each.setblocking(False)
        both = [await StreamTransport.over(each) for each in sockets]
        yield both[0], both[1]
    else:
        came: asyncio.Future[StreamTransport] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda r, w: came.set_result(StreamTransport(r, w)), "127.0.0.1", 0)
        both = [StreamTransport(*await asyncio.open_connection(*server.sockets[0].getsockname())), await came]
        yield both[0], both[1]
        server.close()
    for end in both:
        end.close()


async def test_messages_come_whole_and_in_order_both_ways(ends: Ends) -> None:
    one, other = ends
    sent = [b"", b"a", b"\0" * 70_000, bytes(range(256))]
    for message in sent:
        one.send(message)
        other.send(message)
    await one.drained()
    await other.drained()
    assert [await other.receive() for _ in sent] == sent
    assert [await one.receive() for _ in sent] == sent


async def test_an_end_that_has_gone_is_told_once_all_that_it_sent_is_read(ends: Ends) -> None:
    one, other = ends
    one.send(b"last")
    one.close()
    one.close()
    assert (await other.receive(), await other.receive()) == (b"last", None)
    one.send(b"into the void")
    await one.drained()
