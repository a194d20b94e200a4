"""The direct way of a request comes to the bytes that the messages of ASGI come to, whatever is sent and however."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

import aob
from aob.core.policy import LOCAL
from aob.server import create_app, serve, serving
from aob.server.http.answer import Header
from aob.server.serve import _Cycle

ORDER = "event: shop.order\nversion: 1\nfields:\n  amount: {type: number}\n"
START = b'{"workflow":"order","inputs":{"n":1}}'
EVENT = b'{"type":"shop.order","id":"%d","source":"t","data":{"amount":%d}}'

PATH = st.sampled_from(
    [
        "/v1/runs",
        "/v1/runs",
        "/v1/runs",
        "/v1/runs?wait=0",
        "/v1/runs?wait=soon",
        "/v1/runs?x=1",
        "/v1/runs/batch",
        "/v1/events",
        "/v1/events",
        "/runs",
        "/v1/nowhere",
        "/v1/runs/%ff",
        "/v1/workflows",
        "/v1/health",
        "/",
    ]
)
METHOD = st.sampled_from(["POST"] * 8 + ["GET", "HEAD", "PUT", "DELETE"])
BODY = st.one_of(
    st.just(START),
    st.just(b'[{"workflow":"order"},{"workflow":"none"},3]'),
    st.just(b""),
    st.just(b"{"),
    st.just(b"\xff"),
    st.just(b'{"workflow":"order","workflow":"order"}'),
    st.just(b'{"workflow":1}'),
    st.just(b'{"workflow":"none"}'),
    st.just(b"\xef\xbb\xbf" + START),
    st.just(START + b"\n" + START),
    st.just(b'{"workflow":"order","key":"other"}'),
    st.builds(lambda id, n: EVENT % (id, n), st.integers(0, 3), st.integers(0, 2)),
    st.just(b'{"type":"no","id":"1","source":"t"}'),
    st.just(b" " * 70_000 + START),
    st.binary(max_size=20),
)
HEADER = st.sampled_from(
    [
        b"content-type: application/json",
        b"content-type: application/json; charset=utf-8",
        b"content-type: text/plain",
        b"content-type: application/x-ndjson",
        b"content-type: application/cloudevents+json",
        b"idempotency-key: one",
        b"idempotency-key: two",
        b"idempotency-key: ",
        b"prefer: wait=0",
        b"traceparent: 00-%b-%b-01" % (b"a" * 32, b"b" * 16),
        b"x-correlation-id: c",
        b"expect: 100-continue",
        b"content-encoding: gzip",
        b"content-encoding: br",
        b"ce-type: shop.order",
        b"ce-id: 7",
        b"host: elsewhere",
        b"connection: close",
        b"accept: */*",
        b"X-Api-Key: ",
    ]
)
KEY = st.sampled_from(["admin", "admin", "admin", "view", "wrong", "none", "bearer"])
SHAPE = st.sampled_from(["whole", "whole", "whole", "split", "chunked", "pipelined", "old"])


class Asked(NamedTuple):
    """A request. A long body is shown by its end: hypothesis refuses to show a failing example that is too large."""

    method: str
    path: str
    body: bytes
    headers: list[bytes]
    key: str
    shape: str

    def __repr__(self) -> str:
        return f"Asked{(self.method, self.path, len(self.body), self.body[-80:], self.headers, self.key, self.shape)}"

    def packets(self, keys: dict[str, str]) -> list[bytes]:
        """What is sent, in pieces."""
        named = {line.partition(b":")[0].lower(): line for line in self.headers}
        if b"host" not in named:
            named[b"host"] = b"host: aob"
        if self.key == "bearer":
            named[b"authorization"] = b"authorization: Bearer " + keys["admin"].encode()
        elif self.key != "none":
            named[b"x-api-key"] = b"x-api-key: " + keys.get(self.key, "aob_wrong").encode()
        body = self.body
        if self.shape == "chunked":
            named[b"transfer-encoding"] = b"transfer-encoding: chunked"
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        else:
            named[b"content-length"] = b"content-length: %d" % len(body)
        version = b"1.0" if self.shape == "old" else b"1.1"
        target = f"{self.method} {self.path}".encode()
        head = b"%b HTTP/%b\r\n%b\r\n\r\n" % (target, version, b"\r\n".join(named.values()))
        if self.shape == "split":
            return [head + body[:1], body[1:]]
        return [(head + body) * 2] if self.shape == "pipelined" else [head + body]


ASKED = st.builds(Asked, METHOD, PATH, BODY, st.lists(HEADER, max_size=4), KEY, SHAPE).filter(
    lambda asked: (asked.method, asked.path) != ("GET", "/v1/events")  # a feed has no end
)


class Slow:
    """The way by messages alone."""

    def __init__(self, cycle: RequestResponseCycle) -> None: ...
    def body(self) -> bytes | None: ...
    def answer(self, status: int, media: bytes, body: bytes, headers: tuple[Header, ...]) -> bool:
        return False


class Pair:
    """Two homes that are alike, each with a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = AsyncExitStack()
        self.at: list[tuple[str, int, dict[str, str]]] = []

    async def open(self) -> None:
        for name in ("direct", "slow"):
            home = await self.stack.enter_async_context(aob.open(self.folder / name))
            await home.push({"workflow": "order", "nodes": {"a": {"kind": "wait", "config": {"message": "go"}}}})
            await home.push_contracts({"order.yaml": ORDER})
            keys = {role: (await home.views.create_key(LOCAL, role, (role,)))["secret"] for role in ("admin", "view")}
            app = create_app(home.views, home.metrics, reads_per_minute=1_000_000)
            parts = urlsplit(await self.stack.enter_async_context(serving(app)))
            self.at.append((parts.hostname or "", parts.port or 0, keys))

    async def answers(self, number: int, asked: list[Asked], way: type[Any]) -> list[bytes]:
        """What one of the servers says to requests of one connection after another."""
        host, port, keys = self.at[number]
        vars(serve)["_Cycle"] = way
        told = []
        for each in asked:
            packets = each.packets(keys)
            if each.shape != "old" and b"connection: close" not in each.headers:
                packets.append(b"GET /v1/nowhere HTTP/1.1\r\nhost: aob\r\nconnection: close\r\n\r\n")
            said = _plain(await _said(host, port, packets))
            told.append(re.sub(rb'(":|length: )\d+', b"~", said) if each.path == "/v1/health" else said)
        return told


async def _said(host: str, port: int, packets: list[bytes]) -> bytes:
    """All that a server says until it closes, which it may do before it has read all packets: then this end is told of
    a reset, behind what was said."""
    loop, said = asyncio.get_running_loop(), b""
    with socket.socket() as sock:
        sock.setblocking(False)
        async with asyncio.timeout(20):
            await loop.sock_connect(sock, (host, port))
            with suppress(ConnectionError):
                for packet in packets:
                    await loop.sock_sendall(sock, packet)
                    await asyncio.sleep(0)
            with suppress(ConnectionError):
                while some := await loop.sock_recv(sock, 1 << 16):
                    said += some
    return said


def _plain(said: bytes) -> bytes:
    """Without what differs between two homes and two moments."""
    for what in (
        rb"date: [^\r]*",
        rb"\b1[0-9]{12}\b",
        rb"run_0[0-9a-z]+",
        rb"ratelimit-(reset|remaining): \d+",
        rb'"position":"[^"]*"',
        rb"less than a minute|\d+ s\b",
        rb"retry-after: \d+",
        rb'"retry_after_s":[0-9.]+',
        rb'(_at|as_of|next)":("[^"]*"|[0-9]+)',
    ):
        said = re.sub(what, b"~", said)  # fmt: skip
    return said


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Pair]]:
    with asyncio.Runner() as runner:
        made = Pair(tmp_path_factory.mktemp("homes"))
        runner.run(made.open())
        yield runner, made
        runner.run(made.stack.aclose())
        vars(serve)["_Cycle"] = _Cycle


@given(asked=st.lists(ASKED, min_size=1, max_size=3))
@example(asked=[Asked("POST", "/v1/runs", START, [b"expect: 100-continue"], "admin", "whole")])
@settings(max_examples=80, deadline=None)
def test_both_ways_say_the_same_byte_for_byte(pair: tuple[asyncio.Runner, Pair], asked: list[Asked]) -> None:
    runner, two = pair
    direct = runner.run(two.answers(0, asked, _Cycle))
    slow = runner.run(two.answers(1, asked, Slow))
    assert direct == slow


def test_a_start_is_answered_in_one_piece(pair: tuple[asyncio.Runner, Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    runner, two = pair
    ways: list[tuple[bool, bool]] = []

    class Seen(_Cycle):
        def body(self) -> bytes | None:
            found = super().body()
            ways.append((found is not None, False))
            return found

        def answer(self, status: int, media: bytes, body: bytes, headers: tuple[Header, ...]) -> bool:
            done = super().answer(status, media, body, headers)
            ways.append((False, done))
            return done

    monkeypatch.setattr("aob.server.serve._Cycle", Seen)

    async def start(number: int) -> bytes:
        host, port, keys = two.at[number]
        reader, writer = await asyncio.open_connection(host, port)
        (packet,) = Asked("POST", "/v1/runs", START, [], "admin", "whole").packets(keys)
        writer.write(packet)
        said = await reader.readuntil(b"}")
        writer.close()
        return said

    said: Any = runner.run(start(0))
    runner.run(start(1))  # so that both homes stay alike
    assert said.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b"\r\nlocation: /v1/runs/run_" in said
    assert ways == [(True, False), (False, True)] * 2


def test_an_answer_that_says_how_long_to_wait_is_the_same_both_ways(pair: tuple[asyncio.Runner, Pair]) -> None:
    runner, two = pair
    asked = [Asked("GET", "/v1/runs", b"", [], "view", "whole")] * 2

    async def told() -> list[list[bytes]]:
        answers = []
        async with aob.open(two.folder / "limited") as home:
            key = (await home.views.create_key(LOCAL, "view", ("view",)))["secret"]
            app = create_app(home.views, home.metrics, reads_per_minute=1, tenant_reads_per_minute=100)
            async with serving(app) as url:
                parts = urlsplit(url)
                two.at.append((parts.hostname or "", parts.port or 0, {"view": key}))
                for way in (_Cycle, Slow):
                    answers.append(await two.answers(-1, asked, way))
                two.at.pop()
        return answers

    (first, direct), (again, slow) = runner.run(told())
    assert first.startswith(b"HTTP/1.1 200 ")
    assert direct.startswith(b"HTTP/1.1 429 ")
    # Its text says in how many seconds, which have one digit or two.
    assert len({re.sub(rb"content-length: \d+", b"~", said) for said in (direct, again, slow)}) == 1


@pytest.mark.parametrize("value", [b"/x\r\nset-cookie: a=1", b"/x\n", b"/\x00"])
def test_a_value_that_no_header_may_have_does_not_leave_the_direct_way(value: bytes) -> None:
    flow, written = SimpleNamespace(write_paused=False, read_paused=False), list[bytes]()
    cycle: Any = SimpleNamespace(
        response_started=False, flow=flow, disconnected=False, keep_alive=True, scope={"method": "GET"},
        transport=SimpleNamespace(write=written.append),
    )  # fmt: skip
    assert not _Cycle(cycle).answer(308, b"", b"", ((b"location", value),))
    assert not written
