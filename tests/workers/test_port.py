"""The port of workers: whoever connects and asks for nothing is hung up on, and connections have a bound."""

import asyncio
from typing import Any

import pytest

from aob.server.workers import port
from aob.server.workers.stream import Door

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
HALF_A_HEAD = bytes((0, 0, 1, 1, 0, 0, 0, 0, 1, 0x83))  # HEADERS without END_HEADERS: nobody knows whose it is


def soon(monkeypatch: pytest.MonkeyPatch, **options: int) -> None:
    named = {f"grpc.{name}": value for name, value in options.items()}
    monkeypatch.setattr(port, "OPTIONS", tuple((name, named.get(name, value)) for name, value in port.OPTIONS))


async def connected(to: port.Listening) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", to.port)


async def hung_up_on(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(20):
            while await reader.read(65_536):
                pass
    except ConnectionError:
        pass
    return True


@pytest.fixture
def door() -> Door[Any]:
    return Door(None, None, [])  # type: ignore[arg-type]  # nobody gets as far as that


@pytest.mark.parametrize("said", [b"", PREFACE, PREFACE + HALF_A_HEAD])
async def test_whoever_asks_for_nothing_is_hung_up_on(
    door: Door[Any], said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon(monkeypatch, server_handshake_timeout_ms=200, max_connection_idle_ms=200)
    async with port.listening(door, "127.0.0.1", 0) as at:
        reader, writer = await connected(at)
        writer.write(said)
        assert await hung_up_on(reader)
        writer.close()


async def test_connections_have_a_bound(door: Door[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "STREAMS_MAX", 3)
    async with port.listening(door, "127.0.0.1", 0) as at:
        ends = [await connected(at) for _ in range(4)]
        for _, writer in ends:
            writer.write(PREFACE)
        refused = [asyncio.ensure_future(hung_up_on(reader)) for reader, _ in ends]
        done, waiting = await asyncio.wait(refused, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for task in waiting:
            task.cancel()
        for _, writer in ends:
            writer.close()
