"""Feeds over a real server: resumable, ended when the run is, refused with a status, cut off when nobody reads."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import httpx
import pytest

from aob.core.policy import LOCAL
from aob.fanout import Limits
from aob.server import App, create_app, serving
from aob.server import serve as serve_module
from tests.server.calls import problem
from tests.server.fake import SECRET, FakeEngine, token

KEY = {"x-api-key": SECRET}


@pytest.fixture
async def url(app: App) -> AsyncIterator[str]:
    async with serving(app) as address:
        yield address


@pytest.fixture
async def live(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, headers=KEY, timeout=60) as caller:
        yield caller


@pytest.fixture
async def run_id(engine: FakeEngine) -> str:
    run: str = (await engine.start(LOCAL, "order", {}))["run_id"]
    engine.record(run, "node_completed", visit="fetch")
    return run


def names(text: str) -> list[str]:
    return [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]


async def test_a_run_is_followed_from_its_beginning_until_it_has_ended(
    live: httpx.AsyncClient, engine: FakeEngine, run_id: str
) -> None:
    async with live.stream("GET", f"/v1/runs/{run_id}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        text = ""
        async for piece in answer.aiter_text():
            text += piece
            if "node_completed" in piece:
                engine.finish(run_id)
    assert text.startswith("retry: 1000\n")
    assert names(text) == ["run_started", "node_completed", "run_finished", "end"]


@pytest.mark.parametrize("how", ["header", "query", "header over query"])
async def test_a_reader_goes_on_after_its_last_position(
    how: str, live: httpx.AsyncClient, engine: FakeEngine, run_id: str
) -> None:
    engine.finish(run_id)
    headers = {"last-event-id": token(2)} if "header" in how else {}
    query = {"query": {"position": token(2)}, "header over query": {"position": token(0)}}.get(how, {})
    answer = await live.get(f"/v1/runs/{run_id}/events", headers=headers, params=query)
    assert names(answer.text) == ["run_finished", "end"]


async def test_only_the_wanted_types_are_told(live: httpx.AsyncClient, engine: FakeEngine, run_id: str) -> None:
    engine.finish(run_id)
    path = f"/v1/runs/{run_id}/events"
    answer = await live.get(path, params=[("type", "run_started"), ("type", "run_finished")])
    assert names(answer.text) == ["run_started", "run_finished", "end"]


async def test_what_a_feed_refuses_at_once_has_its_own_status(live: httpx.AsyncClient, run_id: str) -> None:
    problem(await live.get("/v1/runs/run_none/events"), 404, "run_not_found")
    for junk in ("junk!", "k!BgA", "\u00e9"):
        problem(await live.get("/v1/events", params={"position": junk}), 400, "bad_position")
    problem(await live.get("/v1/events", params={"position": token(99)}), 409, "position_expired")


async def test_what_breaks_later_is_the_last_event(live: httpx.AsyncClient, engine: FakeEngine, run_id: str) -> None:
    async with live.stream("GET", f"/v1/runs/{run_id}/events") as answer:
        text = ""
        async for piece in answer.aiter_text():
            text += piece
            if "node_completed" in piece:
                engine.events.append((token(9), run_id, "bad\nname", {}))
                engine.moved.set()
    assert names(text)[-1] == "problem"
    assert '"code":"internal"' in text


async def test_silence_is_broken_by_heartbeats(engine: FakeEngine, run_id: str) -> None:
    app = create_app(engine, limits=Limits(heartbeat_s=0.01))
    async with (
        serving(app) as url,
        httpx.AsyncClient(base_url=url, headers=KEY) as live,
        live.stream("GET", f"/v1/runs/{run_id}/events") as answer,
    ):
        text = ""
        async for piece in answer.aiter_text():
            text += piece
            if text.count(": heartbeat") == 2:
                break
    # A library that makes an event of each empty line, as httpx-sse, makes none of a heartbeat.
    assert all("data: " in block for block in text.split("\n\n")[:-1])


async def test_a_reader_that_leaves_is_forgotten(
    live: httpx.AsyncClient, engine: FakeEngine, app: App, run_id: str
) -> None:
    async with live.stream("GET", "/v1/events") as answer:
        async for _ in answer.aiter_bytes():
            break
        assert (engine.followers, len(app.readers)) == (1, 1)
    await engine.unfollowed.wait()
    assert engine.followers == 0


async def test_readers_over_the_limit_are_told_to_come_again(engine: FakeEngine, run_id: str) -> None:
    app = create_app(engine, limits=Limits(readers_max=1))
    async with (
        serving(app) as url,
        httpx.AsyncClient(base_url=url, headers=KEY) as live,
        live.stream("GET", "/v1/events") as first,
    ):
        assert first.status_code == 200
        answer = await live.get("/v1/events")
        problem(answer, 429, "readers_full")
        assert answer.headers["retry-after"] == "5"


async def test_a_server_that_stops_ends_its_streams_and_does_not_call_it_the_end(
    engine: FakeEngine, run_id: str
) -> None:
    app = create_app(engine)
    async with httpx.AsyncClient(headers=KEY) as live:
        async with serving(app) as url:
            request = live.build_request("GET", f"{url}/v1/events")
            answer = await live.send(request, stream=True)
        text = await answer.aread()
        await answer.aclose()
    assert names(text.decode()) == ["run_started", "node_completed"]


async def test_a_reader_that_takes_nothing_is_cut_off(engine: FakeEngine, run_id: str) -> None:
    app = create_app(engine, limits=Limits(stall_s=0.05, buffer_bytes_max=4_096))
    async with serving(app) as url:
        host, port = url.removeprefix("http://").split(":")
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer.connect((host, int(port)))
        peer.sendall(f"GET /v1/events HTTP/1.1\r\nhost: x\r\nx-api-key: {SECRET}\r\n\r\n".encode())
        await engine.followed.wait()
        for _ in range(5_000):
            engine.record(run_id, "Noise", text="x" * 4_000)
        await engine.unfollowed.wait()
        peer.close()


async def test_logs_are_lines_or_events(live: httpx.AsyncClient, engine: FakeEngine, run_id: str) -> None:
    engine.lines[run_id] = ['{"visit":"a","n":1}', '{"visit":"b","n":2}', '{"visit":"a","n":3}\n']
    path = f"/v1/runs/{run_id}/logs"
    plain = await live.get(path)
    assert plain.headers["content-type"] == "application/x-ndjson"
    assert plain.text.splitlines() == [line.strip() for line in engine.lines[run_id]]
    one = await live.get(path, params={"node": "a"})
    assert one.text.count("\n") == 2
    engine.finish(run_id)
    events = await live.get(path, headers={"accept": "text/event-stream"})
    assert names(events.text) == ["log", "log", "log", "end"]
    rest = await live.get(path, headers={"accept": "text/event-stream", "last-event-id": "2"})
    assert names(rest.text) == ["log", "end"]
    assert 'data: {"visit":"a","n":3}' in rest.text


async def test_followed_log_lines_arrive_as_they_are_written(
    live: httpx.AsyncClient, engine: FakeEngine, run_id: str
) -> None:
    engine.lines[run_id] = ['{"n":1}']
    async with live.stream("GET", f"/v1/runs/{run_id}/logs", params={"follow": "true"}) as answer:
        seen = []
        async for line in answer.aiter_lines():
            seen.append(line)
            if len(seen) == 1:
                engine.lines[run_id].append('{"n":2}')
                engine.finish(run_id)
    assert seen == ['{"n":1}', '{"n":2}']


async def raw(url: str, data: bytes) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_bytes_that_are_not_http_get_a_problem(url: str) -> None:
    answer = await raw(url, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


async def test_a_head_without_an_end_is_refused(url: str) -> None:
    answer = await raw(url, b"GET / HTTP/1.1\r\n" + b"x: " + b"a" * 300_000)
    assert b"400" in answer or answer == b""


async def test_a_head_that_does_not_come_is_cut_off(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_module, "HEAD_S", 0.01)
    async with serving(app) as url:
        assert await raw(url, b"") == b""
        assert await raw(url, b"GET / HTTP/1.1\r\nx:") == b""


async def test_connections_are_kept_and_used_again(live: httpx.AsyncClient) -> None:
    for _ in range(3):
        assert (await live.post("/v1/runs", json={})).status_code == 201
    big = await live.post("/v1/runs", content=b'{"inputs":{"a":"' + b"x" * 5_000_000 + b'"}}')
    assert big.status_code == 201


async def test_a_body_over_the_limit_is_told_so_on_the_wire(live: httpx.AsyncClient) -> None:
    problem(await live.post("/v1/runs", content=b"x" * (11 * 1024 * 1024)), 413, "body_too_large")
    assert (await live.get("/v1/runs")).status_code == 200


async def test_connections_leave_files_to_the_home(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (6, 6))
    async with serving(app) as url, AsyncExitStack() as opened:
        port = int(url.rpartition(":")[2])
        pairs = []
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            opened.callback(writer.close)
            pairs.append((reader, writer))
        answers = []
        for reader, writer in pairs:
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            with suppress(ConnectionError):
                answers.append(await reader.read(12))
        assert [each for each in answers if each] == [b"HTTP/1.1 200"] * 3


def test_files_without_a_limit_are_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in (
        (resource.RLIM_INFINITY, serve_module.CONNECTIONS_MAX),
        (1_024, 512),
        (1_000_000, serve_module.CONNECTIONS_MAX),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda which, files=files: (files, files))
        assert serve_module.connections_max() == most
