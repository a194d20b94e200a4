"""Nodes of built-in kinds at a worker: who gets them, what the home keeps doing itself, what becomes of them when the
worker is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

import aob
from aob.compose import App
from aob.compose.live_settings import read_sections
from aob.core.value import decode
from aob.ports.workers import Job
from aob.rpc import worker_pb2 as pb
from tests.runs.home import flow, fn
from tests.work.peers import Peer, peer
from tests.workers.client import Client, Ctx, Raw, handler, hello
from tests.workers.home import HANDLERS, comes, key_of, where

KINDS: Final = ("http", "notify", "object", "agent", "object/home", "agent/script")


@pytest.fixture
async def shop() -> AsyncIterator[Peer]:
    async with peer() as it:
        it.answer("/here", b'"here"', content_type="application/json")
        yield it


@asynccontextmanager
async def home(folder: Path, shop: Peer | None = None, **settings: Any) -> AsyncIterator[App]:
    """A home that serves workers; nodes may ask the shop."""
    private = [f"127.0.0.1:{shop.port}"] if shop is not None else []
    async with aob.open(folder, grpc_port=0, egress={"private": private}, **settings) as app:
        yield app


async def there(job: Job, ctx: Ctx) -> Any:
    return "there"


async def executor(app: App, perform: Any = there, offers: tuple[str, ...] = KINDS, **more: Any) -> Client:
    """A worker of built-in kinds, not attached yet."""
    key = await key_of(app, "work", "execute")
    return Client(where(app), key, perform, handlers=HANDLERS, offers=offers, **more)


def asks(shop: Peer | None = None, **more: Any) -> dict[str, Any]:
    return {"kind": "http", "config": {"url": (shop.url if shop else "http://127.0.0.1:1") + "/here"}, **more}


def hub_of(app: App) -> Any:
    assert app.shared.gateway is not None
    return app.shared.gateway.hub


async def test_they_go_to_a_worker_while_one_is_attached_and_are_performed_here_else(
    tmp_path: Path, shop: Peer
) -> None:
    async with home(tmp_path / "h", shop) as app:
        await app.push(flow("g", {"a": asks(shop)}))
        assert (await (await app.start("g")).done())["output"] == "here"
        async with await executor(app) as client:
            assert (await (await app.start("g")).done())["output"] == "there"
            assert len(client.begun) == 1
        await comes(lambda: not hub_of(app).workers)
        assert (await (await app.start("g")).done())["output"] == "here"
    assert len(shop.requests) == 2


async def test_what_waits_for_the_last_worker_is_performed_here_when_it_goes(tmp_path: Path, shop: Peer) -> None:
    begun = asyncio.Event()

    async def never(job: Job, ctx: Ctx) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with home(tmp_path / "h", shop) as app:
        hub_of(app).jobs_max = 3
        await app.push(flow("g", {"a": asks(shop)}))
        async with await executor(app, never, slots=1) as client:
            runs = [await app.start("g") for _ in range(10)]
            await begun.wait()
            assert not shop.requests
            client.put(pb.WorkerItem(draining=pb.Draining()))
            for run in runs:  # one of them is at the worker still
                if (run.id, "a", 1) not in client.jobs:
                    assert (await run.done())["output"] == "here"
        assert len(shop.requests) == 9


async def test_what_waits_in_the_home_goes_to_a_worker_that_comes(tmp_path: Path, shop: Peer) -> None:
    """Requests and agents, but not what the worker lacks something for, nor what has begun."""
    go = asyncio.Event()

    async def answers(writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 6\r\n\r\n"here"')
        await writer.drain()

    @aob.node(effect="none")
    async def other(value: Any = None) -> Any:
        return value

    shop.answers["/here"] = answers
    (tmp_path / "h" / "scripts").mkdir(parents=True)
    (tmp_path / "h" / "scripts" / "a.yaml").write_text("rules: [{answer: here}]\n")
    agent: dict[str, Any] = {"kind": "agent", "config": {"task": "x", "model": "script:a"}}
    apt: dict[str, Any] = {**agent, "config": {**agent["config"], "tools": ["other"]}}
    async with home(tmp_path / "h", shop, concurrency=1, app=SimpleNamespace(other=other)) as app:
        await app.push(flow("g", {"a": asks(shop)}))
        await app.push(flow("agent", {"a": agent}))
        await app.push(flow("apt", {"a": apt}))
        begun = await app.start("g")
        await shop.asked(1)
        here = await app.start("apt")
        away = [await app.start(name) for name in ("g", "agent", "g", "agent")]
        async with await executor(app) as client:
            assert [(await run.done())["output"] for run in away] == ["there"] * 4
            assert len(client.begun) == 4
            go.set()
            assert [(await run.done())["output"] for run in (begun, here)] == ["here", '"here"']
            assert len(client.begun) == 4
    assert len(shop.requests) == 1


async def test_they_wait_for_a_worker_where_the_settings_say_so(tmp_path: Path, shop: Peer) -> None:
    async with home(tmp_path / "h", shop, kinds_without_worker="wait") as app:
        await app.push(flow("g", {"a": asks(shop)}))
        run = await app.start("g")
        (why,) = (await app.views.why(app.who, run.id))["details"]
        assert (why["state"], why["reason"]) == ("unheard", "no_worker")
        assert "aob serve worker" in why["says"]
        async with await executor(app):
            assert (await run.done())["output"] == "there"
    assert not shop.requests


async def test_a_queue_timeout_counts_while_they_wait(tmp_path: Path) -> None:
    async with home(tmp_path / "h", kinds_without_worker="wait") as app:
        await app.push(flow("g", {"a": asks(timeout={"queue": "50ms"})}))
        error = (await (await app.start("g")).done())["error"]
        assert error["code"] == "timeout_queue"
        assert "no worker performs http" in error["message"]


async def test_a_key_needs_the_role_and_a_worker_of_handlers_gets_none(tmp_path: Path, shop: Peer) -> None:
    async with home(tmp_path / "h", shop) as app:
        raw = Raw(where(app), await key_of(app, "work"))
        await raw.send(hello(offers=KINDS))
        ended = await raw.ended()
        assert (ended.code, "execute" in ended.details) == ("PERMISSION_DENIED", True)
        await raw.die()
        await app.push(flow("g", {"a": asks(shop)}))
        async with Client(where(app), await key_of(app), there, handlers=HANDLERS) as client:
            assert (await (await app.start("g")).done())["output"] == "here"
            assert not client.begun


async def test_a_handler_may_not_have_the_name_of_a_kind(tmp_path: Path) -> None:
    async with home(tmp_path / "h") as app:
        raw = Raw(where(app), await key_of(app))
        await raw.send(hello(handlers=[handler("@http")]))
        assert "stands for a built-in kind" in (await raw.ended()).details
        await raw.die()


@pytest.mark.parametrize(
    ("node", "lacking"),
    [
        ({"kind": "object", "config": {"op": "put", "key": "k", "store": "s3", "value": 1}}, "object/s3"),
        ({"kind": "notify", "config": {"to": "slack:desk", "text": "x"}}, "notify/desk"),
        ({"kind": "notify", "config": {"to": "mailto:{input}", "text": "x"}}, "notify/mailto"),
        ({"kind": "agent", "config": {"task": "x", "model": "recorded:a"}}, "agent/recorded"),
        ({"kind": "agent", "config": {"task": "x"}}, "agent/live"),
        ({"kind": "agent", "config": {"task": "x", "model": "script:a", "tools": ["other"]}}, "other"),
    ],
)
async def test_a_worker_gets_only_what_it_has_all_for(tmp_path: Path, node: dict[str, Any], lacking: str) -> None:
    @aob.node(effect="none")
    async def other(value: Any) -> Any:
        return value

    async with home(tmp_path / "h", kinds_without_worker="wait", app=SimpleNamespace(other=other)) as app:
        await app.push(flow("g", {"a": {**node, "on_failure": "fail"}}))
        async with await executor(app) as client:
            run = await app.start("g", "x@example.com")
            assert (await app.views.why(app.who, run.id))["details"][0]["reason"] == "no_worker"
            assert not client.begun
        await comes(lambda: not hub_of(app).workers)
        handlers = [*HANDLERS, handler("other", "none")]
        key = await key_of(app, "work", "execute")
        async with Client(where(app), key, there, handlers=handlers, offers=(*KINDS, lacking), name="full"):
            assert (await run.done())["output"] == "there"


async def test_it_hears_what_counts_before_its_first_job_and_at_each_change(tmp_path: Path) -> None:
    async with home(tmp_path / "h", kinds_without_worker="wait", models={"default": "script:a"}) as app:
        await app.push(flow("g", {"a": asks()}))
        await app.start("g")
        raw = Raw(where(app), await key_of(app, "work", "execute"))
        await raw.send(hello(offers=KINDS))
        (told,) = await raw.items("settings")
        assert (told.version, decode(told.data)) == (0, {"egress": {"private": [], "hosts": None}, "model": "script:a"})
        await raw.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        (job,) = await raw.items("job")
        assert (job.kind, job.handler, decode(job.task)["kind"]) == ("http", "", "http")
        app.shared.live.told(4, read_sections({"egress": {"private": []}}))
        (told,) = await raw.items("settings")
        assert told.version == 4
        await raw.die()


async def test_the_memo_and_the_intent_stay_with_the_home_and_the_worker(tmp_path: Path) -> None:
    """What needs no intent of the whole call gets none: the kind asks for its own."""
    asked: list[Any] = []

    async def performs(job: Job, ctx: Ctx) -> Any:
        if job.task.spec.effect == "once":
            asked.append((await ctx.intend("http", {"url": "x"}))[0])
        else:
            asked.append("memo")
        return len(asked)

    async with home(tmp_path / "h", kinds_without_worker="wait") as app:
        await app.push(flow("g", {"a": asks(effect="once")}))
        await app.push(flow("m", {"a": asks(effect="none", deterministic=True, cache="read_through")}))
        async with await executor(app, performs) as client:
            run = await app.start("g")
            await run.done()
            timeline = await app.views.timeline(app.who, run.id)
            assert [each["kind"] for each in timeline if each["type"] == "intent"] == ["http"]
            assert [(await (await app.start("m")).done())["output"] for _ in range(3)] == [2, 2, 2]
            assert len(client.begun) == 2
    assert asked == ["granted", "memo"]


async def test_an_effect_whose_worker_is_gone_is_verified_by_a_handler_of_the_home(tmp_path: Path) -> None:
    seen: list[Any] = []

    @aob.node(effect="none")
    async def look(intents: Any) -> Any:
        seen.append(intents)
        return {"happened": True, "output": "seen"}

    async def intends(job: Job, ctx: Ctx) -> Any:
        await ctx.intend("http", {"url": "x"})
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    async with home(tmp_path / "h", kinds_without_worker="wait", app=SimpleNamespace(look=look)) as app:
        await app.push(flow("g", {"a": asks(effect="once", on_uncertain="verify", verify="look")}))
        async with await executor(app, intends):
            run = await app.start("g")
            await begun.wait()
        async with await executor(app, incarnation="2"):  # the process before is gone
            assert (await run.done())["output"] == "seen"
    assert seen == [[{"kind": "http", "what": {"url": "x"}}]]


async def test_what_an_agent_has_spent_is_in_its_run(tmp_path: Path) -> None:
    async with home(tmp_path / "h", kinds_without_worker="wait") as app:
        await app.push(flow("g", {"a": {"kind": "agent", "config": {"task": "x", "model": "script:a"}}}))
        raw = Raw(where(app), await key_of(app, "work", "execute"))
        await raw.send(hello(offers=KINDS), pb.WorkerItem(want=pb.Want(jobs=1)))
        run = await app.start("g")
        (job,) = await raw.items("job")
        await raw.send(pb.WorkerItem(done=pb.Done(
            run=job.run, visit=job.visit, attempt=job.attempt, output=b'"x"', usage=b'{"tokens_in":7,"tokens_out":2}'
        )))  # fmt: skip
        told = await run.done()
        assert told["nodes"]["a"]["usage"]["tokens_in"] == 7
        await raw.die()


async def test_functions_go_where_they_went_before(tmp_path: Path) -> None:
    async with home(tmp_path / "h", kinds_without_worker="wait") as app, await executor(app):
        await app.push(flow("g", {"a": fn("work")}))
        assert (await (await app.start("g")).done())["output"] == "there"
