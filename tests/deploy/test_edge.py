"""The edge: TLS, streams that are not held back, all of a run at one API, a limit of starts by workflow and key."""

import asyncio
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.deploy.edge import CONFIG, HAPROXY, MISSING, WAIT_S, StandIn, edge, made_certificate, moment
from tests.servers.ports import free_port

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
WAITS = {"workflow": "waits", "nodes": {"answer": {"kind": "wait", "config": {"message": "go"}}}, "edges": {}}


@asynccontextmanager
async def upped(home: Path, url: str) -> AsyncIterator[tuple[str, str]]:
    """A home behind the edge: its own address and its key."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aob.cli", "up", "--json", "--home", str(home), "--port", "0", stdout=PIPE,
        env={"AOB_PUBLIC_URL": url, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told = msgspec.json.decode(await process.stdout.readline())
        yield told["url"].removeprefix("http://"), (home / "key").read_text().strip()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


@pytest.mark.parametrize("apis", [1, 2, 4])
def test_the_configuration_is_valid_for_any_number_of_apis(tmp_path: Path, apis: int) -> None:
    env = {f"AOB_API_{number}": f"127.0.0.1:{number}" for number in range(1, apis + 1)}
    env |= {"AOB_EDGE_BIND": "127.0.0.1:1", "AOB_EDGE_CERT": str(made_certificate(tmp_path)), "AOB_EDGE_STARTS": "5"}
    done = subprocess.run([HAPROXY, "-c", "-f", CONFIG], env=env, capture_output=True, text=True)
    assert (done.returncode, "warning" in (done.stdout + done.stderr).lower()) == (0, False), done.stderr


async def test_a_run_is_started_followed_and_ended_through_the_edge(tmp_path: Path) -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        api, key = await stack.enter_async_context(upped(tmp_path / "home", f"https://localhost:{port}"))
        client = await stack.enter_async_context(edge(tmp_path, api, port=port))
        client.headers["x-api-key"] = key
        (await client.put("/v1/workflows/waits", json=WAITS)).raise_for_status()
        started = (await client.post("/v1/runs", json={"workflow": "waits"})).raise_for_status()
        run = started.json()["run_id"]
        assert started.headers["strict-transport-security"]
        async with client.stream("GET", f"/v1/runs/{run}/events") as stream:
            seen: list[str] = []
            async for line in stream.aiter_lines():
                seen.append(line)
                if line.startswith("data:"):
                    break  # the run still waits: what it wrote has come while the stream is open
            sent = await client.post(f"/v1/runs/{run}/messages", json={"name": "go", "payload": 1})
            assert sent.status_code < 300, sent.text
        ended = (await client.get(f"/v1/runs/{run}?wait=20s")).json()
        assert ended["status"] == "COMPLETED"
        assert (await client.get("/v1/runs", headers={"x-api-key": "nobody"})).status_code == 401


async def test_requests_of_a_run_go_to_one_api_and_to_another_when_it_is_gone(tmp_path: Path) -> None:
    async with StandIn("one") as one, StandIn("two") as two, edge(tmp_path, one.address, two.address) as client:

        async def at(run: int) -> str:
            return (await client.get(f"/v1/runs/run_{run}/timeline?limit=5")).text

        first = [await at(run) for run in range(30)]
        assert set(first) == {"one", "two"}
        assert [await at(run) for run in range(30)] == first
        for verb in ("why", "graph", "events"):
            assert (await client.get(f"/v1/runs/run_7/{verb}")).text == first[7]
        assert (await client.post("/v1/runs/run_7/cancel", json={})).text == first[7]
        await one.stop()
        assert {await at(run) for run in range(30)} == {"two"}
        await two.stop()
        async with asyncio.timeout(WAIT_S):
            while (answer := await client.get("/v1/runs/run_1")).status_code != 503:
                await moment()
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("edge_no_api", "1")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_streams_go_to_a_fanout_while_one_is_ready_and_all_else_to_an_api(tmp_path: Path) -> None:
    streams = [
        "/v1/events",
        "/v1/runs/events?type=a",
        "/v1/stream/events",
        "/v1/runs/run_1/events",
        "/v1/runs/run_1/logs",
    ]
    others = ["/v1/runs", "/v1/runs/run_1", "/v1/runs/run_1/why", "/v1/metrics", "/v1/runs/events/x"]
    async with (
        StandIn("api") as api,
        StandIn("fanout") as fanout,
        edge(tmp_path, api.address, fanout=fanout.address) as client,
    ):
        async with asyncio.timeout(WAIT_S):
            while (await client.get(streams[0])).text != "fanout":
                await moment()
        assert {(await client.get(path)).text for path in streams} == {"fanout"}
        assert {(await client.get(path)).text for path in others} == {"api"}
        assert (await client.post("/v1/events", json={})).text == "api"
        await fanout.stop()
        async with asyncio.timeout(WAIT_S):
            while (await client.get(streams[0])).text != "api":
                await moment()
        assert {(await client.get(path)).text for path in streams} == {"api"}


async def test_what_an_api_may_have_performed_is_not_sent_again(tmp_path: Path) -> None:
    async with StandIn("one") as one, StandIn("two") as two, edge(tmp_path, one.address, two.address) as client:
        for api in (one, two):
            api.requests.clear()
            api.breaks = True
        for verb, path in (("POST", "/v1/runs/run_1/messages"), ("POST", "/v1/runs"), ("GET", "/v1/runs")):
            with suppress(httpx.RemoteProtocolError):  # it hangs up too, on a connection that was used before
                answer = await client.request(verb, path)
                assert (answer.status_code, answer.json()["code"]) == (502, "edge_api_broke")
        assert len(one.requests) + len(two.requests) == 3


async def test_the_edge_says_who_asked_and_by_what(tmp_path: Path) -> None:
    async with StandIn("one") as one, edge(tmp_path, one.address) as client:
        await client.get("/v1/metrics", headers={"x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "http"})
        head = one.requests[-1].lower()
        assert "x-forwarded-for: 127.0.0.1\r\n" in head
        assert "x-forwarded-proto: https\r\n" in head
        assert "6.6.6.6" not in head


async def test_starts_of_one_workflow_with_one_key_are_limited_and_nothing_else_is(tmp_path: Path) -> None:
    async with StandIn("one") as one, edge(tmp_path, one.address, starts=3) as client:

        async def start(workflow: str, key: str, **more: Any) -> httpx.Response:
            return await client.post(
                "/v1/runs", json={"inputs": {"n": 1}, "workflow": workflow}, headers={"x-api-key": key}, **more
            )

        answers = [await start("order", "a") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        problem = answers[-1].json()
        assert (problem["status"], problem["code"], answers[-1].headers["retry-after"]) == (
            429,
            "edge_rate_limited",
            "1",
        )
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert [(await start("order", "b")).status_code, (await start("ship", "a")).status_code] == [200, 200]
        for key, status in (("a", 429), ("d", 200)):  # the same key in another header is the same key
            bearer = {"authorization": f"Bearer {key}"}
            assert (await client.post("/v1/runs", json={"workflow": "order"}, headers=bearer)).status_code == status
        large = await start("large", "a", params={"x": "1" * 100})
        assert large.status_code == 200
        wide = {"inputs": "x" * 500_000, "workflow": "order"}
        assert (await client.post("/v1/runs", json=wide, headers={"x-api-key": "c"})).status_code == 200
        lines = b'{"workflow":"order"}\n' * 3
        for _ in range(5):  # lines are for the API's own limits
            answer = await client.post(
                "/v1/runs", content=lines, headers={"x-api-key": "a", "content-type": "application/x-ndjson"}
            )
            assert answer.status_code == 200
        for _ in range(5):
            assert (await client.get("/v1/runs", headers={"x-api-key": "a"})).status_code == 200


@pytest.mark.parametrize(("path", "headers", "body"), [
    ("/v1/runs", {}, b'{"workflow":"order"}'),
    ("/v1/run%73", {"content-type": "application/json"}, b'{"workflow":"order"}'),
    ("/v1/runs", {"content-type": "application/json"}, b'{"w\\u006frkflow":"order"}'),
    ("/v1/runs", {"content-type": "application/json"}, b'{"inputs":"%b","workflow":"order"}' % (b"x" * 200_000)),
    ("/v1/runs", {"content-type": "application/json", "content-encoding": "gzip"}, b"\x1f\x8b what nobody reads here"),
], ids=["no type", "path", "escapes", "late", "compressed"])  # fmt: skip
async def test_a_start_is_counted_however_it_is_written(
    tmp_path: Path, path: str, headers: dict[str, str], body: bytes
) -> None:
    async with StandIn("one") as one, edge(tmp_path, one.address, starts=2) as client:
        answers = [
            (await client.post(path, content=body, headers={**headers, "authorization": f"Bearer{' ' * spaces}a"}))
            for spaces in (1, 2, 3)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        other = await client.post(path, content=body, headers={**headers, "authorization": "Bearer b"})
        assert other.status_code == 200
