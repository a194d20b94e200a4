"""A worker that is told a port of something else says what is there, and ends; what may still come is waited for."""

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("grpc")

from aob.cli.gateway import find_target
from aob.compose.network import init
from aob.compose.worker import working
from aob.core.errors import AobError, Invalid, Unavailable
from aob.work.handlers import HandlerTable
from aob.worker import Holding, Link, Plan, Target, hello_of, link
from aob.worker.listens import listens
from tests.network.peers import Shards, served
from tests.servers.certificates import certificates
from tests.worker.served import Served

HTTP = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def saying(answer: bytes | None) -> AsyncIterator[str]:
    """A server that gives every connection this answer and ends it; None: ends it at once."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            await reader.read(1)
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def found(address: str, tls: bool = False, authority: str = "") -> tuple[str, bool]:
    """What listens there, and whether that is sure."""
    other = await asyncio.to_thread(listens, address, tls, authority)
    return (other.what, other.sure) if other is not None else ("", False)


@pytest.mark.parametrize(
    ("answer", "tls", "what", "sure"),
    [
        (HTTP, False, "speaks HTTP/1", True), (HTTP, True, "speaks no TLS", True),
        (b"\x15\x03\x03\x00\x02\x02\x46", False, "speaks TLS", True), (b"220 mail\r\n", False, "speaks no gRPC", True),
        (None, False, "ends each connection", False), (None, True, "ends each connection", False),
        (b"S", False, "PostgreSQL", True),
    ],
)  # fmt: skip
async def test_what_listens_is_told_from_its_first_bytes(answer: bytes, tls: bool, what: str, sure: bool) -> None:
    async with saying(answer) as address:
        said = await found(address, tls)
        assert (what in said[0], said[1]) == (True, sure) or (answer == b"S" and "no gRPC" in said[0])


async def test_a_server_of_grpc_and_none_at_all_are_nothing_else() -> None:
    with Served() as server:
        assert await found(server.address) == ("", False)
    async with saying(None) as address:
        pass
    assert await found(address) == ("", False)


@pytest.mark.parametrize("secure", [False, True])
async def test_the_wire_of_the_members_is_no_server_of_workers(secure: bool) -> None:
    async with served(Shards(0), secure=secure) as server:
        what, _ = await found(server.address, tls=secure)
        assert "no gRPC" in what or "ends each connection" in what
        if secure:
            authority = str(certificates("coordinator").folder / "ca.pem")
            assert (await found(server.address, True, authority))[1]
            assert "speaks TLS" in (await found(server.address))[0] or "ends" in (await found(server.address))[0]


async def test_postgres_is_named(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    assert await found(f"127.0.0.1:{parts.port}") == (f"PostgreSQL listens on 127.0.0.1:{parts.port}", True)


def linked(address: str, **more: Any) -> tuple[Link, asyncio.Queue[str], "asyncio.Future[AobError]"]:
    """The link of a worker to an address, what it says it waits for, and why it ends."""
    plan, loop = Plan((), address, "w", "1", **more), asyncio.get_running_loop()
    waits, ends = asyncio.Queue[str](), loop.create_future()

    def says(why: str) -> None:
        loop.call_soon_threadsafe(waits.put_nowait, why)

    def end(error: AobError) -> None:
        loop.call_soon_threadsafe(lambda: None if ends.done() else ends.set_result(error))

    return Link(plan, Holding(hello_of(plan, HandlerTable(), ""), loop), says, end), waits, ends


@pytest.mark.parametrize("answer", [HTTP, b"\x00\x01", None])
async def test_a_worker_that_finds_something_else_ends_with_a_hint(
    answer: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "WAITED_S", 0.0)
    async with saying(answer) as address:
        made, _, ends = linked(address)
        made.open()
        async with asyncio.timeout(30):
            error = await ends
        assert (type(error), error.code, address in error.detail) == (Invalid, "no_workers_here", True)
        assert error.hint
        await asyncio.to_thread(made.close)


async def test_one_that_was_welcome_there_waits_for_whatever_answers_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "WAITED_S", 0.0)
    monkeypatch.setattr(link, "SAID_AGAIN_S", 0.0)
    monkeypatch.setattr(link, "PAUSE_MAX_S", 0.01)
    async with saying(HTTP) as address:
        made, waits, ends = linked(address, found=True)
        made.open()
        async with asyncio.timeout(30):
            for _ in range(3):
                await waits.get()
        assert not ends.done()
        await asyncio.to_thread(made.close)


@pytest.mark.parametrize(("answer", "kind"), [(b"\x00\x01\r\n\r\n", Invalid), (None, Unavailable)])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_speaks_no_http_is_no_home(
    answer: bytes | None, kind: type[AobError], scheme: str, tmp_path: Path
) -> None:
    async with saying(answer) as address:
        with pytest.raises(AobError) as refused:
            await find_target(f"{scheme}://{address}", tmp_path, {})
        assert (type(refused.value), refused.value.code) == (kind, "no_workers_here")
        assert address in refused.value.detail


async def test_a_certificate_of_another_authority_is_said_with_the_option(tmp_path: Path) -> None:
    own = certificates("api")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=own.server())
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(Invalid, match="no authority") as refused:
            await find_target(url, tmp_path, {})
        assert "--ca" in refused.value.hint
        with pytest.raises(AobError) as other:
            await find_target(url, tmp_path, {}, str(own.folder / "ca.pem"))
        assert "authority" not in other.value.detail


@pytest.mark.parametrize(("known", "says"), [(False, "no authority"), (True, "is not for localhost")])
async def test_a_certificate_that_is_refused_by_the_gateway_itself_ends_the_worker(
    known: bool, says: str, tmp_path: Path
) -> None:
    init(tmp_path, [["api"]], ["127.0.0.1"], datetime.now(UTC))
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(tmp_path / "api.pem")
    secure.set_alpn_protocols(["h2"])
    async with await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=secure) as server:
        address = f"localhost:{server.sockets[0].getsockname()[1]}"
        made, _, ends = linked(address, tls=True, ca=str(tmp_path / "ca.pem") if known else "")
        made.open()
        async with asyncio.timeout(30):
            error = await ends
        assert (type(error), error.code, says in error.detail) == (Invalid, "no_workers_here", True)
        assert ("--host localhost" if known else "--ca FILE") in error.hint
        await asyncio.to_thread(made.close)


async def test_what_is_waited_for_is_said_again_and_what_only_ends_connections_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(working, "AGAIN_S", 0.001)
    monkeypatch.setattr(working, "WAITED_S", 0.0)
    away = Unavailable("nobody is there", code="no_server")
    silent = Unavailable("it ends each connection", code="no_workers_here")
    comes: list[AobError | Target] = [silent, away, away, silent, away, Target("h:1", False, "", "")]
    said: list[str] = []

    def finder(answers: list[Any]) -> Callable[[], Awaitable[Target]]:
        async def find() -> Target:
            answer = answers.pop(0)
            if isinstance(answer, AobError):
                raise answer
            return answer

        return find

    def tell(event: str, facts: Any) -> None:
        said.append(facts["why"])

    assert await working._found(finder(comes), tell, asyncio.Event()) == Target("h:1", False, "", "")
    assert said == [each.detail for each in (silent, away, away, silent, away)]
    monkeypatch.setattr(working, "WAITED_S", -math.inf)
    with pytest.raises(Invalid, match="ends each connection"):
        await working._found(finder([silent]), tell, asyncio.Event())
