"""Connections over TCP: what callers cost that have not proved themselves is bounded, and stops nobody else."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aob.backends.stream_transport import StreamTransport
from aob.backends.tcp import ENTERING_MAX, HELLO_BYTES_MAX, Listener, Proved, connect
from tests.servers.certificates import certificates, contexts

pytestmark = pytest.mark.timeout(30)


async def echo(transport: StreamTransport, proved: Proved) -> None:
    """Whoever says `hello` has proved himself."""
    if await transport.receive() != b"hello":
        return
    proved()
    transport.send(b"welcome")
    while (message := await transport.receive()) is not None:
        transport.send(message)
        await transport.drained()


@asynccontextmanager
async def listening(*, secure: bool = False, hello_s: float = 10.0) -> AsyncIterator[tuple[Listener, list[str]]]:
    refused: list[str] = []
    server = contexts()[0] if secure else None
    listener = Listener(
        echo, lambda: server, hello_s=hello_s, refused=lambda address, error: refused.append(type(error).__name__)
    )
    async with await listener.open("127.0.0.1", 0):
        yield listener, refused


async def entered(listener: Listener, tls: ssl.SSLContext | None = None) -> StreamTransport:
    made = await connect(*listener.address, tls)
    made.send(b"hello")
    assert await made.receive() == b"welcome"
    return made


async def talks(transport: StreamTransport, text: bytes = b"still there?") -> bool:
    transport.send(text)
    return await transport.receive() == text


async def raw(listener: Listener, data: bytes = b"") -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, listener.address)
    if data:
        await asyncio.get_running_loop().sock_sendall(made, data)
    return made


async def ended(sock: socket.socket) -> None:
    """Wait until the other end has closed."""
    try:
        while await asyncio.get_running_loop().sock_recv(sock, 1_000):
            pass
    except ConnectionError:
        pass
    sock.close()


@pytest.mark.parametrize("secure", [False, True])
async def test_whoever_says_nothing_is_closed_in_time_and_whoever_proved_himself_is_not(secure: bool) -> None:
    async with listening(secure=secure, hello_s=0.3) as (listener, _):
        inside = await entered(listener, contexts()[1] if secure else None)
        silent = await raw(listener)
        slow = await raw(listener, b"\0")
        await ended(silent)
        await ended(slow)
        assert await talks(inside)
        assert not listener._entering
        await inside.ended()


@pytest.mark.parametrize("secure", [False, True])
async def test_thousands_of_silent_connections_are_bounded_and_keep_nobody_out(secure: bool) -> None:
    tls = contexts()[1] if secure else None
    async with listening(secure=secure) as (listener, _):
        inside = await entered(listener, tls)
        silent = [await raw(listener) for _ in range(3 * ENTERING_MAX)]
        assert len(listener._entering) <= ENTERING_MAX
        later = await entered(listener, tls)
        assert await talks(inside)
        assert await talks(later)
        assert len(listener._entering) <= ENTERING_MAX
        for each in silent:
            each.close()
        await inside.ended()
        await later.ended()


async def test_an_address_that_floods_pushes_out_its_own_connections_only() -> None:
    async with listening() as (listener, _):
        quiet = asyncio.current_task()
        assert quiet is not None
        tasks = [asyncio.create_task(asyncio.Event().wait()) for _ in range(4)]
        listener._entering = dict(zip(tasks, ("10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3"), strict=True))  # type: ignore[arg-type]  # tasks of a test
        listener._evict()
        assert tasks[1] not in listener._entering
        await asyncio.gather(tasks[1], return_exceptions=True)
        assert [task.cancelled() for task in tasks] == [False, True, False, False]


async def test_a_huge_message_before_the_proof_ends_the_connection_and_after_it_does_not() -> None:
    async with listening() as (listener, _):
        huge = await raw(listener, (HELLO_BYTES_MAX + 1).to_bytes(4, "big"))
        await ended(huge)
        inside = await entered(listener)
        assert await talks(inside, b"x" * (4 * HELLO_BYTES_MAX))
        await inside.ended()


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", os.urandom(5_000), b"\x16\x03\x01\x02\x00", b"\0\0\0\x05hello"]
)
async def test_whoever_speaks_no_tls_is_refused_with_a_line_and_hurts_nobody(said: bytes) -> None:
    async with listening(secure=True, hello_s=0.5) as (listener, refused):
        inside = await entered(listener, contexts()[1])
        await ended(await raw(listener, said))
        assert await talks(inside)
        assert len(refused) <= 1
        await inside.ended()


@pytest.mark.parametrize("how", ["none", "foreign"])
async def test_without_a_certificate_of_the_authority_nobody_gets_in(how: str) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if how == "none" else certificates("api", name="theirs").client()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    async with listening(secure=True) as (listener, refused):
        inside = await entered(listener, contexts()[1])
        outside = await connect(*listener.address, client)
        outside.send(b"hello")
        assert await outside.receive() is None
        await outside.ended()
        assert await talks(inside)
        assert len(refused) == 1
        assert refused[0] in ("SSLError", "SSLCertVerificationError")
        await inside.ended()


async def test_a_listener_that_closes_leaves_no_socket_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for secure in (False, True):
        async with listening(secure=secure) as (listener, _):
            tls = contexts()[1] if secure else None
            inside = [await entered(listener, tls) for _ in range(3)]
            silent = [await raw(listener, b"\0" * count) for count in range(3)]
        for one in inside:
            assert await one.receive() is None
        for each in silent:
            await ended(each)
        for one in inside:
            await one.ended()
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_nobody_who_listens_is_told_as_such() -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    with closed, pytest.raises(ConnectionRefusedError):
        await connect(*closed.getsockname(), None)
