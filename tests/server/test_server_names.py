"""By which names a server is reached, what every answer carries, and how others are told to reach it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from aob.compose.serving import hosts_of, keys_of, warn_of_plain_text
from aob.compose.settings import Settings, is_loopback, read_settings
from aob.core.errors import Invalid
from aob.core.policy import LOCAL, Caller
from aob.fanout import Limits
from aob.server import create_app, read_api_keys, serving
from aob.server.http import call as call_module
from tests.server.calls import problem, straight
from tests.server.conftest import LINK_SECRET
from tests.server.fake import SECRET, FakeEngine

KEY = {"x-api-key": SECRET}


@pytest.fixture
async def bound(engine: FakeEngine) -> AsyncIterator[str]:
    app = create_app(engine, hosts=hosts_of(Settings()), link_secrets=(LINK_SECRET,))
    async with serving(app) as url:
        yield url


@pytest.mark.parametrize(
    ("host", "served"),
    [("127.0.0.1", True), ("127.0.0.1:8080", True), ("localhost:1", True), ("LOCALHOST", True), ("[::1]:8080", True),
     ("evil.example", False), ("127.0.0.1.evil.example", False), ("localhost.evil.example:8080", False),
     ("2130706433", False), ("[::2]", False), ("127.0.0.1@evil.example", False)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/runs", "/v1/health", "/docs", "/v1/links/x"])
async def test_on_loopback_only_its_own_names_are_served(host: str, served: bool, path: str, bound: str) -> None:
    async with httpx.AsyncClient(base_url=bound, headers=KEY) as http:
        answer = await http.get(path, headers={"host": host})
        if served:
            assert answer.status_code in (200, 403 if "links" in path else 200)
            assert b"bad_host" not in answer.content
        else:
            problem(answer, 403, "bad_host")


def test_the_names_follow_the_settings() -> None:
    assert "aob.example" in (hosts_of(Settings(public_url="https://aob.example:8443/")) or ())
    assert hosts_of(Settings(host="0.0.0.0")) is None
    assert [is_loopback(host) for host in ("127.0.0.2", "::1", "localhost", "0.0.0.0", "10.0.0.1", "aob")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "warned"),
    [(Settings(), False), (Settings(host="0.0.0.0"), True), (Settings(host="10.0.0.1", public_url="http://a.b"), True),
     (Settings(host="0.0.0.0", public_url="https://aob.example"), False)],
)  # fmt: skip
def test_a_server_that_others_reach_without_tls_says_so(settings: Settings, warned: bool) -> None:
    with capture_logs() as said:
        warn_of_plain_text(settings)
    assert bool(said) is warned


async def test_every_answer_forbids_guessing_and_framing(bound: str, engine: FakeEngine) -> None:
    run_id = (await engine.start(LOCAL, "order", {}))["run_id"]
    engine.finish(run_id)
    async with httpx.AsyncClient(base_url=bound, headers=KEY) as http:
        for path in ("/v1/runs", "/nowhere", "/docs", "/v1/health", "/v1/links/x", "/", f"/v1/runs/{run_id}/events"):
            answer = await http.get(path)
            assert answer.headers.get_list("x-content-type-options") == ["nosniff"], path
            assert answer.headers.get_list("x-frame-options") == ["DENY"], path
    host, _, port = bound.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"nonsense\r\n\r\n")
    assert b"nosniff" in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_links_begin_with_the_public_url(engine: FakeEngine) -> None:
    app = create_app(engine, public_url="https://aob.example/", link_secrets=(LINK_SECRET,))
    ticket = engine.ask((await engine.start(LOCAL, "order", {}))["run_id"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil", headers=KEY) as http:
        made = (await http.post(f"/v1/tickets/{ticket}/links")).json()
    assert made["url"].startswith("https://aob.example/v1/links/")


@pytest.mark.parametrize("url", ["aob.example", "ftp://a", "https://a/path", "https://u:p@a", "https://a?q=1"])
def test_a_public_url_is_a_scheme_and_a_host(url: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        read_settings(tmp_path, {"AOB_PUBLIC_URL": url})


def test_older_names_of_the_environment_are_read(tmp_path: Path) -> None:
    keys_given = "a-plain-secret-16, n:a-secret-of-16-c:admin"
    old = {"AGENTFLOW_RATE_LIMIT_RPM": "7", "AGENTFLOW_API_KEYS": keys_given}
    assert read_settings(tmp_path, old).rate_limit_rpm == 7
    assert read_settings(tmp_path, {**old, "AOB_RATE_LIMIT_RPM": "9"}).rate_limit_rpm == 9
    keys = read_api_keys(keys_of(old))
    plain, named = keys.authenticate("a-plain-secret-16"), keys.authenticate("a-secret-of-16-c")
    assert plain
    assert plain.roles == {"view", "run"}
    assert named
    assert named.roles == {"admin"}
    assert keys_of({**old, "AOB_API_KEYS": "x"}) == "x"


async def test_a_body_that_drips_is_cut(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "BODY_GRACE_S", 0.0)
    app = create_app(engine)
    sent = await straight(app, "POST", body=[b"{"] * 40, ends=False)
    assert sent[0]["status"] == 408
    assert b"came in" in sent[1]["body"] or b"no byte" in sent[1]["body"]


async def test_nothing_is_read_for_a_link_that_is_none_and_little_for_one_that_is(engine: FakeEngine) -> None:
    app = create_app(engine, link_secrets=(LINK_SECRET,))
    asked: list[int] = []

    async def receive() -> Any:
        asked.append(1)
        return {"type": "http.request", "body": b"x" * 70_000, "more_body": True}

    async def post(token: str) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        path, headers = f"/v1/links/{token}", [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        await app(scope, receive, send)
        return int(sent[0]["status"])

    assert await post("none.none") == 403
    assert not asked
    ticket = engine.ask((await engine.start(LOCAL, "order", {}))["run_id"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://aob", headers=KEY) as http:
        url = (await http.post(f"/v1/tickets/{ticket}/links")).json()["url"]
        large = b'{"choice": "approve", "reason": "' + b"x" * 70_000 + b'"}'
        assert (await http.post(url, content=large)).status_code == 413
        assert (await http.post(url, json={"choice": "approve"})).status_code == 200


async def test_streams_of_a_key_are_bounded_and_end_when_it_is_revoked(engine: FakeEngine) -> None:
    app = create_app(engine, limits=Limits(readers_key_max=2, heartbeat_s=0.5))
    for name in ("ada", "bob"):
        made = await engine.create_key(LOCAL, name, {"view"})
        engine.keys[made["secret"]] = (made["id"], Caller("default", name, frozenset({"view"}), made["id"]))
        engine.keys[name] = engine.keys[made["secret"]]
    async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        streams = [http.stream("GET", "/v1/events", headers={"x-api-key": "ada"}) for _ in range(3)]
        first, second = await streams[0].__aenter__(), await streams[1].__aenter__()
        third = await streams[2].__aenter__()
        assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
        async with http.stream("GET", "/v1/events", headers={"x-api-key": "bob"}) as others:
            assert others.status_code == 200
            ada = engine.keys["ada"][0]
            engine.keys = {secret: held for secret, held in engine.keys.items() if held[0] != ada}
            await http.delete("/v1/keys/other", headers=KEY)
            assert len(app.readers) == 3
            async for _ in first.aiter_bytes():
                pass
            async for _ in second.aiter_bytes():
                pass
            assert len(app.readers) == 1
        for stream in streams:
            await stream.__aexit__(None, None, None)
