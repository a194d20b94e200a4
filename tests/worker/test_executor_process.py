"""`aob serve worker` as real processes before a real home: what a kill at each moment of an effect costs, where
requests may go, what does not start."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

pytest.importorskip("grpc")

import aob
from aob.client import AsyncClient
from aob.compose import App
from aob.compose.live_settings import read_sections
from aob.core.errors import Unavailable
from aob.work.remote import Requests
from tests.runs.home import finished, flow, fn, ticket_of
from tests.servers.ports import free_port
from tests.work.peers import Peer, peer
from tests.worker.command import Command, worker
from tests.workers.home import comes, key_of, where
from tests.workers.test_killed import killed, started

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need a Unix")

BEFORE: Final = ("intend", "granted", "asked")
"""Moments after which nobody knows whether it has happened."""
AFTER: Final = ("settle", "recorded", "done")
RUNS: Final = 6
SCRIPT: Final = """
rules: [{answer: fine, usage: {tokens_in: 3, tokens_out: 4}}]
"""
SPY: Final = """
import os
import aob

@aob.node(effect="none", secrets=["MINE"])
async def spy(value=None, *, ctx):
    try:
        other = len(ctx.secret("SHOP"))
    except Exception as error:
        other = str(error)
    names = sorted(name for name in os.environ if name.startswith("AOB_"))
    return {"mine": len(ctx.secret("MINE")), "other": other, "variables": names}
"""


@pytest.fixture
async def shop() -> AsyncIterator[Peer]:
    async with peer() as it:
        it.answer("/pay", b'"paid"', content_type="application/json")
        yield it


@pytest.fixture
async def app(tmp_path: Path, shop: Peer) -> AsyncIterator[App]:
    egress = {"private": [f"127.0.0.1:{shop.port}"]}
    async with aob.open(tmp_path / "home", grpc_port=0, kinds_without_worker="wait", egress=egress) as opened:
        yield opened


def pays(shop: Peer, **more: Any) -> dict[str, Any]:
    return {"kind": "http", "config": {"url": shop.url + "/pay", "method": "POST"}, "effect": "once", **more}


async def words(app: App, tmp_path: Path, *more: str) -> tuple[str, ...]:
    return "worker", "--url", f"grpc://{where(app)}", "--home", str(tmp_path / "own"), "--name", "e", *more


async def heard(command: Command, event: str) -> dict[str, Any]:
    return await asyncio.to_thread(command.until, event)


class Killer:
    """Kills the process of the executor at a moment, once."""

    def __init__(self, moment: str) -> None:
        self.moment, self.pid = moment, 0

    def at(self, moment: str) -> bool:
        if moment != self.moment or not self.pid:
            return False
        pid, self.pid = self.pid, 0
        os.kill(pid, signal.SIGKILL)
        return True


def watched(monkeypatch: pytest.MonkeyPatch, killer: Killer) -> None:
    """Kills while the home takes what the executor asks for and says."""
    intend, settle, done = Requests._intend, Requests._settle, Requests._done

    async def intends(self: Requests, lease: Any, item: Any) -> Any:
        killer.at("intend")
        answer = await intend(self, lease, item)
        killer.at("granted")
        return answer

    async def settles(self: Requests, lease: Any, item: Any) -> Any:
        killer.at("settle")
        answer = await settle(self, lease, item)
        killer.at("recorded")
        return answer

    def ends(self: Requests, worker: Any, item: Any) -> None:
        if not killer.at("done"):  # else it did not come
            done(self, worker, item)

    monkeypatch.setattr(Requests, "_intend", intends)
    monkeypatch.setattr(Requests, "_settle", settles)
    monkeypatch.setattr(Requests, "_done", ends)


@pytest.mark.parametrize("moment", [*BEFORE, *AFTER])
async def test_an_effect_is_made_once_whenever_the_process_is_killed(
    tmp_path: Path, shop: Peer, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    killer = Killer(moment)
    watched(monkeypatch, killer)

    async def answers(writer: asyncio.StreamWriter) -> None:
        killer.at("asked")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 6\r\n\r\n"paid"')
        await writer.drain()

    shop.answers["/pay"] = answers
    egress = {"private": [f"127.0.0.1:{shop.port}"]}
    async with aob.open(tmp_path / "home", grpc_port=0, kinds_without_worker="wait", egress=egress) as app:
        await app.push(flow("g", {"a": pays(shop, on_uncertain="ask")}))
        key = await key_of(app, "work", "execute")
        with worker(tmp_path, *await words(app, tmp_path), key=key, verb="serve") as command:
            killer.pid = (await heard(command, "connected"))["pid"]
            run = await app.start("g")
            await heard(command, "died")
            if moment in BEFORE:
                await ticket_of(app, run.id, "uncertain")
            else:
                assert (await finished(app, run.id))["output"] == "paid"
        assert len(shop.requests) == (moment not in ("intend", "granted"))


@pytest.mark.parametrize("kind", ["http", "object", "agent"])
async def test_what_is_at_work_when_the_process_is_killed_is_done_by_the_next(
    tmp_path: Path, shop: Peer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is killed when the first result of a kind arrives, which then has not come."""
    pytest.importorskip("obstore")
    killer, done = Killer(kind), Requests._done

    def ends(self: Requests, worker: Any, item: Any) -> None:
        lease = worker.leases.get((item.run, item.visit))
        if lease is None or not killer.at(lease.kind):
            done(self, worker, item)

    monkeypatch.setattr(Requests, "_done", ends)
    (tmp_path / "own" / "scripts").mkdir(parents=True)
    (tmp_path / "own" / "objects").mkdir()
    (tmp_path / "own" / "scripts" / "desk.yaml").write_text(SCRIPT)
    egress = {"private": [f"127.0.0.1:{shop.port}"]}
    nodes = {
        "pay": pays(shop, effect="keyed"),
        "keep": {"kind": "object", "config": {"op": "put", "key": "orders/{n}.json"}, "input": {"n": "inputs.n"}},
        "look": {"kind": "object", "config": {"op": "get", "key": "orders/{n}.json"}, "input": {"n": "inputs.n"}},
        "think": {"kind": "agent", "config": {"task": "look", "model": "script:desk"}},
    }
    async with aob.open(tmp_path / "home", grpc_port=0, kinds_without_worker="wait", egress=egress) as app:
        await app.push(flow("g", nodes, "keep>look"))
        key = await key_of(app, "work", "execute")
        with worker(tmp_path, *await words(app, tmp_path), key=key, verb="serve") as command:
            killer.pid = (await heard(command, "connected"))["pid"]
            runs = [await app.start("g", {"n": n}) for n in range(RUNS)]
            await heard(command, "died")
            for n, run in enumerate(runs):
                told = await finished(app, run.id)
                assert told["status"] == "COMPLETED", told["error"]
                assert told["nodes"]["look"]["output"] == {"n": n}
                assert told["nodes"]["think"]["output"] == '"fine"'
                assert told["nodes"]["think"]["usage"]["tokens_in"] == 3, "of one answer"
                timeline = await app.views.timeline(app.who, run.id)
                assert [each["type"] for each in timeline].count("node_completed") == len(nodes)
    keys = [each.headers["idempotency-key"] for each in shop.requests]
    assert len(set(keys)) == RUNS


async def test_handlers_at_an_executor_see_no_secret_that_they_do_not_name(tmp_path: Path, shop: Peer) -> None:
    """The kinds have them all the same. Nor do handlers see the variables with which a cluster's secrets are read."""
    (tmp_path / "spy.py").write_text(SPY)
    egress = {"private": [f"127.0.0.1:{shop.port}"]}
    secrets = {"AOB_SECRET_SHOP": "of-the-shop", "AOB_SECRET_MINE": "of-mine"}
    more = {"AOB_MASTER_KEY_OLD": "k", "AOB_SMTP_PASSWORD": "k", "AOB_STORE_PASSWORD": "k"}
    asks = pays(shop)
    asks["config"]["headers"] = {"Authorization": "Bearer {secret:SHOP}"}
    async with aob.open(tmp_path / "home", grpc_port=0, kinds_without_worker="wait", egress=egress) as app:
        key = await key_of(app, "work", "execute")
        given = await words(app, tmp_path, "--app", str(tmp_path / "spy.py"))
        with worker(tmp_path, *given, key=key, verb="serve", **secrets, **more) as command:
            await heard(command, "connected")
            await app.push(flow("g", {"a": fn("spy"), "b": asks}, "a>b"))
            told = await finished(app, (await app.start("g")).id)
    assert told["status"] == "COMPLETED", told["error"]
    saw = told["nodes"]["a"]["output"]
    assert saw["mine"] == len("of-mine")
    assert saw["other"] == "the handler does not name the secret SHOP"
    assert saw["variables"] == ["AOB_SECRET_MINE"]
    assert shop.requests[0].headers["authorization"] == "Bearer of-the-shop"


async def test_a_lost_stream_costs_nothing(app: App, tmp_path: Path, shop: Peer) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def answers(writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n17")
        await writer.drain()

    shop.answers["/pay"] = answers
    await app.push(flow("g", {"a": pays(shop)}))
    key = await key_of(app, "work", "execute")
    with worker(tmp_path, *await words(app, tmp_path), key=key, verb="serve") as command:
        await heard(command, "connected")
        run = await app.start("g")
        await asked.wait()
        (attached,) = app.shared.gateway.hub.workers.values()  # type: ignore[union-attr]
        attached.line.end(Unavailable("cut", code="cut"))  # type: ignore[union-attr]
        assert (await heard(command, "connected"))["held"] == 1
        go.set()
        assert (await finished(app, run.id))["output"] == 17
    assert len(shop.requests) == 1


@pytest.mark.parametrize("allowed", [True, False])
async def test_rules_that_change_while_a_job_waits_count(tmp_path: Path, shop: Peer, allowed: bool) -> None:
    place = f"127.0.0.1:{shop.port}"
    sections = [read_sections({"egress": {"private": [place] if yes else []}}) for yes in (not allowed, allowed)]
    async with aob.open(tmp_path / "home", grpc_port=0, kinds_without_worker="wait") as app:
        live = app.shared.live
        live.told(1, sections[0])
        await app.push(flow("g", {"a": pays(shop)}))
        run = await app.start("g")
        key = await key_of(app, "work", "execute")
        with worker(tmp_path, *await words(app, tmp_path, "--slots", "1"), key=key, verb="serve") as command:
            live.told(2, sections[1])
            await heard(command, "connected")
            told = await finished(app, run.id)
            assert told["status"] == ("COMPLETED" if allowed else "FAILED"), told["error"]
            live.told(3, sections[0])  # while it is attached
            told = await finished(app, (await app.start("g")).id)
            assert told["status"] == ("FAILED" if allowed else "COMPLETED"), told["error"]
    assert len(shop.requests) == 1


async def test_a_folder_that_states_other_rules_does_not_start(app: App, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "aob.toml").write_text('[egress]\nprivate = ["10.0.0.0/8"]\n')
    key = await key_of(app, "work", "execute")
    with worker(tmp_path, *await words(app, tmp_path), key=key, verb="serve") as command:
        assert await asyncio.to_thread(command.ended)
        assert "egress.private" in command.errors


async def test_a_key_without_the_role_does_not_start(app: App, tmp_path: Path) -> None:
    with worker(tmp_path, *await words(app, tmp_path), key=await key_of(app), verb="serve") as command:
        assert await asyncio.to_thread(command.ended)
        assert "execute" in command.errors


async def test_it_says_what_it_performs_and_ends_in_order(app: App, tmp_path: Path) -> None:
    (tmp_path / "own" / "scripts").mkdir(parents=True)
    (tmp_path / "own" / "aob.toml").write_text('[notify.targets]\ndesk = "https://example.com"\n')
    key = await key_of(app, "work", "execute")
    with worker(tmp_path, *await words(app, tmp_path), key=key, verb="serve") as command:
        loaded = await heard(command, "loaded")
        assert {"http", "notify", "object", "agent", "notify/desk", "agent/script"} <= set(loaded["offers"])
        assert "object/home" not in loaded["offers"]
        await heard(command, "connected")
        assert await asyncio.to_thread(command.end) == 0
    await comes(lambda: not app.shared.gateway.hub.workers)  # type: ignore[union-attr]


async def test_values_over_a_frame_are_blobs(tmp_path: Path, shop: Peer) -> None:
    shop.answer("/big", b'"' + b"y" * 5_000_000 + b'"', content_type="application/json")
    home = tmp_path / "home"
    home.mkdir()
    (home / "aob.toml").write_text(
        f'kinds_without_worker = "wait"\n[egress]\nprivate = ["127.0.0.1:{shop.port}"]\n'
    )  # fmt: skip
    port = free_port()
    process = await started(home, port, 0)
    try:
        url = f"http://127.0.0.1:{port}"
        get = {"kind": "http", "config": {"url": shop.url + "/big", "max_bytes": 8_000_000}}
        put = {"kind": "http", "config": {"url": shop.url + "/pay", "method": "POST", "body": {"all": "{input}"}}}
        with worker(tmp_path, "worker", "--url", url, "--home", str(home), verb="serve") as command:
            await heard(command, "connected")
            async with AsyncClient(url, key=(home / "key").read_text().strip()) as client:
                await client.push(flow("g", {"a": get, "b": put}, "a>b"))
                run = await client.wait((await client.start("g"))["run_id"])
        assert (run["status"], run["output"]) == ("COMPLETED", "paid"), run["error"]
        assert len(shop.requests[-1].body) > 5_000_000
    finally:
        await killed(process)
