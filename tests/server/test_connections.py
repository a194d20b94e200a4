"""What stands on one connection: requests are answered in their order, what is no request has a bound, and what a
caller leaves unsaid holds no place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from aob.server import App, serve, serving
from tests.server.calls import straight
from tests.server.fake import SECRET

KEY = b"x-api-key: " + SECRET.encode()
BODY = b'{"workflow":"order"}'
LIVE = b"GET /health/live HTTP/1.1\r\nhost: aob\r\n\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nhost: aob\r\nconnection: close\r\n\r\n"


def post(*headers: bytes, body: bytes = BODY, chunked: bool = False, path: bytes = b"/v1/runs") -> bytes:
    """A start."""
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    head = b"\r\n".join((b"POST %b HTTP/1.1" % path, b"host: aob", *headers, framing, b"", b""))
    return head + sent


@pytest.fixture
async def url(app: App) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


async def answers(url: str, *pieces: bytes) -> list[bytes]:
    """The statuses that come back until the server closes; each further piece is sent once something has come."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    said = b""
    async with asyncio.timeout(20):
        with suppress(ConnectionError):
            for number, piece in enumerate(pieces):
                if number:
                    said += await reader.read(1 << 16)
                writer.write(piece)
                await writer.drain()
            while block := await reader.read(1 << 16):
                said += block
    writer.close()
    return [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("junk", [b"junk\r\n\r\n", b"GET / HTTP/9.x\r\n\r\n", b"x" * 200_000])
async def test_what_came_whole_is_answered_before_what_is_refused(url: str, junk: bytes) -> None:
    assert await answers(url, post(KEY) + junk) == [b"201", b"400"]
    assert await answers(url, post(KEY) + LIVE + junk) == [b"201", b"200", b"400"]


async def test_a_body_that_breaks_off_is_refused_in_its_turn(url: str) -> None:
    broken = post(KEY, chunked=True)[:-5] + b"zz\r\n"
    assert await answers(url, post(KEY) + LIVE + broken) == [b"201", b"200", b"400"]
    assert await answers(url, broken) == [b"400"]


async def test_half_a_head_behind_a_large_body_is_waited_for(url: str) -> None:
    large = post(KEY, body=BODY + b" " * 100_000)
    assert await answers(url, large + LAST[:20], LAST[20:]) == [b"201", b"200"]


async def test_a_connection_holds_so_many_requests_that_wait(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "PIPELINED_MAX", 4)
    assert await answers(url, LIVE * 5 + LAST) == [b"200"] * 5
    assert await answers(url, LIVE * 4 + LAST) == [b"200"] * 5


async def test_fields_behind_a_body_are_no_headers(url: str) -> None:
    trailed = post(chunked=True)[:-2] + KEY + b"\r\n\r\n"
    assert await answers(url, trailed + LAST) == [b"401", b"200"]


@pytest.mark.parametrize("endless", [b"%b: y\r\n" % (b"x" * 1_000), b"x" * 1_000])
@pytest.mark.parametrize("key", [b"accept: */*", KEY])
async def test_fields_behind_a_body_have_a_bound(
    url: str, endless: bytes, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "HEAD_S", 1e6)
    begun = post(key, chunked=True)[:-2]
    assert {*await answers(url, begun + endless * 1_000)} <= {b"400", b"401"}  # at an end at all; bytes unread reset it


@pytest.mark.parametrize("sent", [LIVE, post(body=b"x" * 99)[:-50]])
async def test_a_caller_that_says_nothing_whole_is_cut_off(
    url: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "HEAD_S", 0.01)
    assert len(await answers(url, sent, b"\r\n")) == 1  # an end; there was none


async def test_the_rest_of_a_body_that_was_refused_is_read_and_the_connection_used_again(url: str) -> None:
    refused = post(body=b"x" * 300_000)
    assert await answers(url, refused[:1_000], refused[1_000:] + LAST) == [b"401", b"200"]


@pytest.mark.parametrize("asked", [b"h2c", b"websocket"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_request_that_asks_for_another_protocol_is_one_like_others(
    url: str, asked: bytes, chunked: bool
) -> None:
    upgrade = (b"connection: Upgrade, HTTP2-Settings", b"upgrade: " + asked, b"http2-settings: AAMAAABkAAQAAP__")
    start = post(KEY, *upgrade, chunked=chunked)
    none = LIVE[:-2] + b"\r\n".join(upgrade) + b"\r\n\r\n"
    assert await answers(url, start + start + none + start + LAST) == [b"201", b"201", b"200", b"201", b"200"]
    cut = start.index(b"\r\n\r\n") + 4
    assert await answers(url, none + start[:cut], start[cut:] + LAST) == [b"200", b"201", b"200"]
    assert await answers(url, none + start[: cut + 5], start[cut + 5 :] + LAST) == [b"200", b"201", b"200"]
    assert await answers(url, post(KEY, *upgrade, body=b"") + LAST) == [b"400", b"200"]


async def test_who_asks_before_sending_and_is_refused_is_hung_up_on(url: str) -> None:
    asked = post(b"expect: 100-continue")
    assert await answers(url, asked[: asked.index(b"{")] + LAST) == [b"401"]


async def test_a_header_that_says_two_things_is_refused(app: App) -> None:
    for name in (b"x-api-key", b"host", b"idempotency-key", b"content-type", b"ce-id"):
        sent = await straight(app, "POST", headers=[(name, b"a"), (name, b"b")], body=[BODY])
        assert sent[0]["status"] == 400
        assert b"header_twice" in sent[1]["body"]
    twice = [(b"content-type", b"application/json")] * 2 + [(b"prefer", b"wait=soon"), (b"prefer", b"x")]
    assert (await straight(app, "POST", headers=twice, body=[BODY]))[0]["status"] == 201
    coded = [(b"content-encoding", b"gzip"), (b"content-encoding", b"br")]
    assert (await straight(app, "POST", headers=coded, body=[BODY]))[0]["status"] == 415
