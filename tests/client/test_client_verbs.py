"""Both clients speak every verb of a real server, and raise what the server raised."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from aob.client import AsyncClient, Client, find_place
from aob.core.errors import AobError, Conflict, Invalid, NotFound, Refused, Unauthorized, Unavailable
from aob.core.policy import LOCAL
from aob.core.verbs import TABLE
from aob.server import App, announced, create_app, listen, serving
from aob.server.place import loopback_key
from tests.server.fake import SECRET, FakeEngine
from tests.server.test_server_wait import held
from tools.make_client import CLIENT, STUBS, made

ORDER = {"workflow": "order", "nodes": {"fetch": {"kind": "http"}}}
SERVER_SIDE_ONLY = {"authenticate", "holder", "deciding", "metrics_health", "registry_read", "registry_write"}
CLIENT_SIDE_ONLY = {"ticket_link", "of_home", "aclose", "close", "execute", "ingest_lines"}


def verbs_of(thing: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(thing, inspect.isroutine) if not name.startswith("_")}


def test_the_clients_have_every_verb_of_the_server() -> None:
    verbs = {verb.name for verb in TABLE} | {"health"}
    assert verbs_of(AsyncClient) - CLIENT_SIDE_ONLY == verbs - SERVER_SIDE_ONLY
    assert verbs_of(Client) - {"close"} == verbs_of(AsyncClient) - {"aclose"}


@pytest.mark.parametrize("stub", STUBS)
def test_the_types_of_the_calls_are_fresh(stub: str) -> None:
    assert (CLIENT / stub).read_text() == made(stub), "run: python -m tools.make_client"


async def test_the_verbs_of_workflows(url: str) -> None:
    async with AsyncClient(url, SECRET) as aob:
        assert (await aob.push(ORDER))["created"] is True
        assert (await aob.push(b'# mine\nworkflow: "other" # x\nnodes: {a: {kind: timer}}\n'))["workflow"] == "other"
        assert (await aob.push(b"nodes: {a: {kind: timer}}", name="named", tag="next"))["tag"] == "next"
        assert {row["workflow"] for row in await aob.workflows()} == {"order", "other", "named"}
        assert (await aob.workflow("order"))["document"] == ORDER
        await aob.push({**ORDER, "nodes": {"new": {"kind": "timer"}}}, tag="next")
        assert "added" in str(await aob.diff("order", "main", "next"))
        assert (await aob.validate({"nodes": {}}))["valid"] is False
        assert (await aob.patch_tag("order", {"operations": [{"op": "x"}]}, tag="next"))["version"] == "v1.1"


@pytest.mark.parametrize(
    ("document", "path"),
    [(b"nodes: {a: 1}", "/workflow"), ({"nodes": {"a": 1}}, "/workflow"), (b"{", ""), (b"[]", "/nodes")],
)
async def test_a_document_without_a_name_is_refused_with_its_place(document: Any, path: str, url: str) -> None:
    async with AsyncClient(url, SECRET) as aob:
        with pytest.raises(Invalid) as caught:
            await aob.push(document)
    assert caught.value.problems[0].path == path


async def test_the_verbs_of_runs(url: str, engine: FakeEngine) -> None:
    async with AsyncClient(url, SECRET) as aob:
        run_id = (await aob.start("order", {"a": 1}, labels={"x": "y"}))["run_id"]
        assert (await aob.run(run_id))["inputs"] == {"a": 1}
        assert [row["run_id"] for row in (await aob.runs(labels={"x": "y"}, status="RUNNING"))["runs"]] == [run_id]
        assert (await aob.graph(run_id))["graph"]["nodes"]
        assert (await aob.why(run_id))["sentence"] == "waiting for a test"
        assert [event["type"] async for event in aob.timeline(run_id)] == ["run_started"]
        await aob.message(run_id, "paid", payload=1)
        assert (await aob.replay(run_id, from_node="fetch", assume={"a": 1}))["assumed"] == {"a": 1}
        assert (await aob.fork(run_id, from_node="fetch"))["run_id"] != run_id
        assert (await aob.cancel(run_id, reason="enough", command="c"))["status"] == "CANCELLED"
        assert engine.commands[-1] == ("cancel", "c")


async def test_many_starts_have_a_verdict_each(url: str) -> None:
    async with AsyncClient(url, SECRET) as aob:
        items = [{"workflow": "order", "key": str(n)} if n != 7 else {"nonsense": 1} for n in range(4_500)]
        verdicts = [verdict async for verdict in aob.start_many(items)]
    assert len(verdicts) == 4_500
    assert [n for n, verdict in enumerate(verdicts) if "error" in verdict] == [7]


async def test_the_verbs_of_patches_tickets_blobs_and_keys(url: str, engine: FakeEngine) -> None:
    async with AsyncClient(url, SECRET) as aob:
        run_id = (await aob.start("order"))["run_id"]
        patch_id = (await aob.propose(run_id, {"operations": [{"op": "x"}], "reason": "ask"}))["patch_id"]
        assert [row["patch_id"] for row in await aob.patches(run_id)] == [patch_id]
        assert (await aob.patch(patch_id))["state"] == "proposed"
        assert (await aob.approve_patch(patch_id))["state"] == "applied"
        assert (await aob.reject_patch(patch_id))["state"] == "rejected"
        assert (await aob.rollback(patch_id, cascade=True))["state"] == "rolled_back"
        ticket_id = engine.ask(run_id)
        assert [row["ticket_id"] for row in await aob.tickets(role="finance")] == [ticket_id]
        assert (await aob.ticket_link(ticket_id, choices=["reject"]))["url"].startswith(f"{url}/v1/links/")
        assert (await aob.answer(ticket_id, "approve", values={"n": 1}))["choice"] == "approve"
        assert (await aob.ticket(ticket_id))["state"] == "approve"
        engine.blobs["a" * 64] = b"\0bytes"
        assert await aob.blob("a" * 64) == b"\0bytes"
        key = await aob.create_key("ci", ["view"])
        assert key["id"] in {row["id"] for row in await aob.list_keys()}
        await aob.revoke_key(key["id"])
        assert (await aob.health())["status"] == "ok"


@pytest.mark.parametrize(
    ("act", "error", "code"),
    [
        (lambda aob: aob.run("run_none"), NotFound, "run_not_found"),
        (lambda aob: aob.start("refused"), Refused, "refused"),
        (lambda aob: aob.start("order", key=""), Invalid, "invalid"),
        (lambda aob: aob.run("a/../b"), NotFound, "run_not_found"),
    ],
)
async def test_what_the_server_raised_is_raised(
    act: Callable[..., Any], error: type[AobError], code: str, url: str
) -> None:
    async with AsyncClient(url, SECRET) as aob:
        with pytest.raises(error) as caught:
            await act(aob)
    assert caught.value.code == code


async def test_fields_and_hints_of_an_error_arrive(url: str) -> None:
    async with AsyncClient(url, SECRET) as aob:
        await aob.start("order", {"a": 1}, key="k")
        with pytest.raises(Conflict) as caught:
            await aob.start("order", {"a": 2}, key="k")
    assert caught.value.fields == {"difference": "/inputs"}


async def test_a_wrong_key_is_unauthorized(url: str) -> None:
    async with AsyncClient(url, "wrong") as aob:
        with pytest.raises(Unauthorized):
            await aob.runs()


async def test_a_run_is_followed_and_waited_for(url: str, engine: FakeEngine) -> None:
    async with AsyncClient(url, SECRET) as aob:
        run_id = (await aob.start("order"))["run_id"]
        seen = []
        async for event in aob.follow(run_id):
            seen.append(event.name)
            if len(seen) == 1:
                engine.finish(run_id)
        assert seen == ["run_started", "run_finished"]
        assert (await aob.wait(run_id))["status"] == "COMPLETED"


async def test_execute_gives_the_run_at_its_end_or_says_that_it_goes_on(url: str, app: App, engine: FakeEngine) -> None:
    async with AsyncClient(url, SECRET) as aob:
        asked = asyncio.create_task(aob.execute("order", {"a": 1}))
        await held(app.waits, 1)
        (run_id,) = engine.states
        engine.finish(run_id)
        assert (await asked)["status"] == "COMPLETED"
        with pytest.raises(TimeoutError, match="run_"):
            await aob.execute("order", timeout_s=0.02)
        late = list(engine.states)[1]
        with pytest.raises(TimeoutError, match=late):
            await aob.wait(late, timeout_s=0.02)


async def test_a_start_without_an_answer_is_sent_again_as_the_same_start(engine: FakeEngine) -> None:
    sent: list[Any] = []

    class Losing(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            sent.append(msgspec.json.decode(request.content)["key"])
            if len(sent) == 1:
                raise httpx.ReadError("the connection broke after the request")
            return answer

    async with AsyncClient("http://aob", SECRET, transport=Losing(create_app(engine))) as aob:
        started = await aob.start("order")
    assert len(engine.states) == 1
    assert (len(sent), len(set(sent)), started["created"]) == (2, 1, False)


async def test_a_waiting_client_outlives_the_server(engine: FakeEngine) -> None:
    run_id = (await engine.start(LOCAL, "order", {}))["run_id"]
    sock = listen()
    port = sock.getsockname()[1]
    async with AsyncClient(f"http://127.0.0.1:{port}", SECRET) as aob:
        first = create_app(engine)
        async with serving(first, sock):
            asked = asyncio.create_task(aob.wait(run_id))
            await held(first.waits, 1)
        engine.finish(run_id)
        async with serving(create_app(engine), listen(port=port)):
            assert (await asked)["status"] == "COMPLETED"


async def test_a_follower_goes_on_where_it_was_after_the_server_came_back(engine: FakeEngine) -> None:
    run_id = (await engine.start(LOCAL, "order", {}))["run_id"]
    sock = listen()
    port = sock.getsockname()[1]
    seen: list[str] = []

    async def read(aob: AsyncClient) -> None:
        async for event in aob.follow(run_id):
            seen.append(event.name)
            reached.set()

    reached = asyncio.Event()
    async with AsyncClient(f"http://127.0.0.1:{port}", SECRET) as aob:
        async with serving(create_app(engine), sock):
            reader = asyncio.create_task(read(aob))
            await reached.wait()
        engine.record(run_id, "node_completed", visit="fetch")
        engine.finish(run_id)
        async with serving(create_app(engine), listen(port=port)):
            await reader
    assert seen == ["run_started", "node_completed", "run_finished"]


async def test_an_error_of_a_feed_is_raised(url: str) -> None:
    async with AsyncClient(url, SECRET) as aob:
        with pytest.raises(NotFound):
            async for _ in aob.follow("run_none"):
                pass
        with pytest.raises(NotFound):
            async for _ in aob.logs("run_none"):
                pass


async def test_logs_are_read_and_followed(url: str, engine: FakeEngine) -> None:
    async with AsyncClient(url, SECRET) as aob:
        run_id = (await aob.start("order"))["run_id"]
        engine.lines[run_id] = ['{"visit":"a","n":1}', '{"visit":"b","n":2}']
        assert [line["n"] async for line in aob.logs(run_id)] == [1, 2]
        assert [line["n"] async for line in aob.logs(run_id, node="b")] == [2]
        engine.finish(run_id)
        assert [line["n"] async for line in aob.logs(run_id, follow=True)] == [1, 2]


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    sock = listen()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    sock.close()
    async with AsyncClient(url) as aob:
        with pytest.raises(Unavailable) as caught:
            await aob.health()
    assert caught.value.code == "no_server"
    assert "aob up" in caught.value.hint


async def test_a_home_tells_where_its_server_is(url: str, engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        AsyncClient.of_home(tmp_path)
    assert caught.value.code == "no_server"
    secret = await loopback_key(tmp_path, engine)
    assert await loopback_key(tmp_path, engine) == secret
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with announced(tmp_path, url):
        assert (find_place(tmp_path).url, find_place(tmp_path).key) == (url, secret)
        async with AsyncClient.of_home(tmp_path) as aob:
            assert (await aob.runs())["runs"] == []
        (tmp_path / "key").unlink()
        with pytest.raises(Unauthorized):
            find_place(tmp_path)
    assert not (tmp_path / "server.json").exists()


async def test_a_key_file_that_opens_nothing_is_replaced(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("old")
    secret = await loopback_key(tmp_path, engine)
    assert engine.authenticate(secret) == LOCAL
    assert (tmp_path / "key").read_text().strip() == secret


async def test_the_blocking_client_does_the_same(url: str, engine: FakeEngine) -> None:
    def work() -> list[str]:
        with Client(url, SECRET) as aob:
            aob.push(ORDER)
            run_id = aob.start("order")["run_id"]
            assert len(list(aob.start_many({"key": str(n)} for n in range(3)))) == 3
            seen = []
            for event in aob.follow(run_id):
                seen.append(event.name)
                loop.call_soon_threadsafe(engine.finish, run_id) if len(seen) == 1 else None
            assert aob.wait(run_id)["status"] == "COMPLETED"
            assert [event["type"] for event in aob.timeline(run_id)] == seen
            with pytest.raises(NotFound):
                aob.run("run_none")
            return seen

    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(work) == ["run_started", "run_finished"]
