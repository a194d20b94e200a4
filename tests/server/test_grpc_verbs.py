"""The verbs over gRPC, on a home at work: the same answers, rights and errors as over HTTP."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import aob
from aob.core.verbs import TABLE
from aob.server import create_app
from aob.server.grpc_verbs import method_of, verb_handlers
from aob.server.grpc_verbs.service import CODES, PROBLEM_MAX, small
from aob.server.grpc_verbs.transcode import fill, json_of, value_of
from tests.server.test_server_live_home import SHOP, order
from tools.make_proto import FILE, made, operations

grpc = pytest.importorskip("grpc")
aio = pytest.importorskip("grpc.aio")
pb = pytest.importorskip("aob.rpc.aob_pb2")
METHODS = {method.name: method for method in pb.DESCRIPTOR.services_by_name["Aob"].methods}
FLOW = {"workflow": "waits", "nodes": {"answer": {"kind": "wait", "config": {"message": "go"}}}, "edges": {}}


class Caller:
    """Calls a method by its name, with the fields of its request."""

    def __init__(self, channel: Any, key: str) -> None:
        self.channel, self.key = channel, key

    def __call__(self, name: str, /, *metadata: tuple[str, str], **fields: Any) -> Any:
        method = METHODS[name]
        takes, gives = (getattr(pb, kind.name) for kind in (method.input_type, method.output_type))
        message = takes()
        fill(message, fields)
        for field, value in fields.items():
            if isinstance(value, bytes):
                setattr(message, field, value)
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        call = make(f"/aob.v1.Aob/{name}", takes.SerializeToString, gives.FromString)
        return call(message, metadata=(("x-api-key", self.key), *metadata), timeout=20)


class Both:
    """One home behind both protocols."""

    def __init__(self, app: aob.compose.App, http: httpx.AsyncClient, call: Caller) -> None:
        self.app, self.http, self.call = app, http, call


@asynccontextmanager
async def grpc_server(app: Any) -> AsyncIterator[str]:
    server = aio.server()
    server.add_generic_rpc_handlers((verb_handlers(app),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with aob.open(tmp_path / "home") as home:
        served = create_app(home.views, home.metrics)
        key = (await home.views.create_key(home.who, "admin", ["admin"]))["secret"]
        transport = httpx.ASGITransport(served)
        async with (
            grpc_server(served) as address, aio.insecure_channel(address) as channel,
            httpx.AsyncClient(transport=transport, base_url="http://aob", headers={"x-api-key": key}) as http,
        ):  # fmt: skip
            yield Both(home, http, Caller(channel, key))


def test_the_file_is_what_the_table_makes_and_has_each_operation() -> None:
    assert FILE.read_text() == made(FILE.read_text()), "run python -m tools.make_proto"
    assert set(METHODS) == {method_of(route.name) for route in operations()}
    assert {route.verb for route in operations()} >= {verb.name for verb in TABLE if verb.http}


def test_numbers_of_fields_are_kept_and_those_of_removed_ones_are_never_given_again() -> None:
    before = FILE.read_text()
    old = before.replace(
        "  optional string workflow = 2;\n  optional string tag = 3;",
        "  optional string gone = 2;\n  optional string tag = 9;",
        1,
    )
    assert old != before
    after = made(old)
    start = after[after.index("message StartRunRequest") :]
    start = start[: start.index("}")]
    assert "reserved 2;" in start
    assert "tag = 9;" in start
    assert "workflow = 10;" in start


async def test_a_run_from_its_push_to_its_end(both: Both) -> None:
    call = both.call
    pushed = await call("PushWorkflow", name="waits", body=msgspec.json.encode(FLOW))
    assert (pushed.workflow, pushed.created) == ("waits", True)
    made_call = call("StartRun", workflow="waits", inputs={"large": 2**60, "text": "ö"}, key="one", labels={"a": "b"})
    started = await made_call
    assert (started.created, dict(await made_call.trailing_metadata())["aob-status"]) == (True, "201")
    again = await call("StartRun", workflow="waits", inputs={"large": 2**60, "text": "ö"}, key="one", labels={"a": "b"})
    assert (again.created, again.run_id) == (False, started.run_id)
    run = started.run_id
    shown = await call("ShowRun", run_id=run)
    assert msgspec.json.decode(shown.inputs.text) == {"large": 2**60, "text": "ö"}
    assert dict(shown.labels) == {"a": "b"}
    assert shown.nodes["answer"].kind == "wait"
    assert [row.run_id for row in (await call("ListRuns", workflow="waits", limit=5)).runs] == [run]
    stream = call("FollowRun", run_id=run)
    first = await stream.read()
    assert first.id
    sent = await call("SendMessage", ("idempotency-key", "m1"), run_id=run, name="go", payload={"n": 1})
    assert sent.SerializeToString()
    rest = []
    while (item := await stream.read()) is not aio.EOF:
        rest.append(item)
    assert rest[-1].event == "end"
    from_first = [item.id async for item in call("FollowRun", ("last-event-id", first.id), run_id=run)]
    assert [item.id for item in rest] == from_first
    ended = await call("ShowRun", run_id=run, wait="20s")
    assert ended.status == "COMPLETED"


async def test_whatever_http_answers_grpc_answers(both: Both) -> None:
    await both.call("PushWorkflow", name="waits", body=msgspec.json.encode(FLOW))
    run = (await both.call("StartRun", workflow="waits")).run_id
    await both.call("PushContracts", files={"shop.yaml": SHOP})
    lines = msgspec.json.Encoder().encode_lines([order("o1"), order("o2", -1.0), order("o3", 95.5, "south")])
    taken = await both.call("IngestEvents", body=lines, media="application/x-ndjson")
    assert json_of(taken)["accepted"] == 2
    reads: dict[str, dict[str, Any]] = {
        "ListWorkflows": {}, "ShowWorkflow": {"name": "waits"},
        "ShowTimeline": {"run_id": run}, "ExplainRun": {"run_id": run},
        "ListTickets": {}, "ListPatches": {"run_id": run}, "ShowRunGraph": {"run_id": run}, "ListKeys": {},
        "ListMetrics": {}, "ReadMetric": {"metric": "revenue", "window": "all"}, "ListDeadletters": {},
        "GroupDeadletters": {}, "ShowDeadletter": {"number": "1"}, "ListContracts": {}, "ListEntityTypes": {},
        "ListEntities": {"type": "order"}, "ReadEntity": {"type": "order", "id": "o1"}, "ShowCatalog": {},
        "SearchCatalog": {"q": "revenue"}, "ShowLineage": {"metric": "revenue"}, "ListAlerts": {},
        "ShowAlert": {"alert": "revenue_high"}, "ListSlos": {}, "ListWebhooks": {},
        "ShowContract": {"kind": "metric", "contract": "revenue"},
    }  # fmt: skip
    routes = {method_of(route.name): route for route in operations()}
    for name, fields in reads.items():
        route = routes[name]
        path = route.path.format(**{param: fields[param] for param in route.params})
        query = {key: value for key, value in fields.items() if key not in route.params}
        asked = await both.http.get(path, params=query)
        assert asked.status_code == 200, (name, asked.text)
        told, want = value_of(await both.call(name, **fields)), asked.json()
        assert _steady(told) == _steady(want), name


def _steady(value: Any) -> Any:
    """Without what differs between two reads, and without what says nothing in a message: null, and empty lists."""
    if isinstance(value, dict):
        moving = {"freshness_ms", "position", "as_of", "cached", "valid_until", "age_ms", "since_ms", "last_used_ms"}
        steady = {key: _steady(each) for key, each in value.items() if key not in moving}
        return {key: each for key, each in steady.items() if each not in (None, [], {})}
    return [_steady(each) for each in value] if isinstance(value, list) else value


async def test_what_is_wrong_is_the_problem_of_http(both: Both) -> None:
    async def wrong(call: Any) -> tuple[Any, str, dict[str, Any]]:
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        metadata = dict(caught.value.trailing_metadata())
        return caught.value.code(), metadata["aob-status"], msgspec.json.decode(metadata["aob-problem-bin"])

    code = grpc.StatusCode
    nobody = Caller(both.call.channel, "nobody")
    viewer = Caller(both.call.channel, (await both.app.views.create_key(both.app.who, "viewer", ["view"]))["secret"])
    assert (await wrong(nobody("ListRuns")))[:2] == (code.UNAUTHENTICATED, "401")
    assert (await wrong(viewer("StartRun", workflow="waits")))[:2] == (code.PERMISSION_DENIED, "403")
    status, http, problem = await wrong(both.call("ShowRun", run_id="run_0"))
    assert (status, http, problem["status"]) == (code.NOT_FOUND, "404", 404)
    assert (await wrong(both.call("ShowRun")))[:2] == (code.INVALID_ARGUMENT, "422")
    assert (await wrong(both.call("ShowRun", run_id="../keys")))[0] == code.NOT_FOUND
    assert (await wrong(both.call("ShowTimeline", run_id="run_0", limit=0)))[0] == code.INVALID_ARGUMENT
    status, http, problem = await wrong(both.call("PushWorkflow", name="bad", body=b"{nodes: 1}"))
    assert (status, bool(problem["problems"])) == (code.INVALID_ARGUMENT, True)
    with pytest.raises(aio.AioRpcError) as caught:
        _ = [item async for item in both.call("FollowRun", run_id="run_0")]
    assert caught.value.code() == code.NOT_FOUND
    raw = both.call.channel.unary_unary("/aob.v1.Aob/ShowRun")
    assert (await wrong(raw(b"\xff\xff\xff", metadata=(("x-api-key", both.call.key),))))[0] == code.INVALID_ARGUMENT
    half = pb.StartRunRequest(workflow="waits")
    half.inputs["x"].text = "{not json"
    start = both.call.channel.unary_unary("/aob.v1.Aob/StartRun")
    answer = start(half.SerializeToString(), metadata=(("x-api-key", both.call.key),))
    status, _, problem = await wrong(answer)
    assert (status, problem["problems"][0]["path"]) == (code.INVALID_ARGUMENT, "/inputs/x")
    assert "{not json" in problem["problems"][0]["message"]


async def test_a_caller_that_goes_ends_its_stream(both: Both) -> None:
    served = both.http._transport.app  # type: ignore[attr-defined]
    stream = both.call("FollowAll")
    reading = asyncio.create_task(stream.read())
    async with asyncio.timeout(20):
        while not len(served.readers):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
        stream.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        while len(served.readers):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_server_serves_the_verbs_at_the_port_of_workers(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aob.cli", "up", "--json", "--home", str(tmp_path), "--port", "0",
        env={"PATH": "/usr/bin:/bin", "AOB_GRPC_PORT": "0"}, stdout=PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await process.stdout.readline()
        address = msgspec.json.decode((tmp_path / "server.json").read_bytes())["workers"]
        async with aio.insecure_channel(address) as channel:
            call = Caller(channel, (tmp_path / "key").read_text().strip())
            assert list((await call("ListRuns")).runs) == []
            with pytest.raises(aio.AioRpcError) as caught:
                await Caller(channel, "nobody")("ListRuns")
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    finally:
        process.terminate()
        await process.communicate()


async def test_a_failure_with_many_problems_or_long_words_still_has_its_status(both: Both) -> None:
    """Metadata over 8 KiB is refused by clients, which then know nothing of what went wrong."""
    nodes = {f"n{number}": {"kind": "nope", "config": {"x": "y" * 50}} for number in range(300)}
    document = msgspec.json.encode({"workflow": "w", "nodes": nodes})
    for call, many in (
        (both.call("PushWorkflow", name="w", body=document, media="application/json"), True),
        (both.call("ShowRun", run_id="r" * 100_000), False),
        (both.call("ShowRun", run_id="\U0001f4a9" * 20_000), False),
    ):
        with pytest.raises(aio.AioRpcError) as told:
            await call
        problem = msgspec.json.decode(dict(told.value.trailing_metadata())["aob-problem-bin"])
        assert told.value.code() is CODES[problem["status"]]
        if many:
            assert len(problem["problems"]) + problem["left_out"] >= 300
            assert problem["problems"][0]["code"]


@pytest.mark.parametrize("count", [0, 1, 20, 500])
@pytest.mark.parametrize("word", ["a", "\U0001f4a9" * 100, '"\\' * 200, "x" * 50_000])
def test_a_problem_of_any_size_fits_into_metadata(word: str, count: int) -> None:
    rows = [{"path": f"/{number}", "message": word, "code": "c"} for number in range(count)]
    given = {"type": "t", "status": 422, "code": "c", "detail": word, "hint": word, "instance": word, "problems": rows}
    told = msgspec.json.decode(data := small(msgspec.json.encode(given)))
    assert len(data) <= PROBLEM_MAX
    assert (told["status"], told["code"]) == (422, "c")
    assert len(told["problems"]) + told.get("left_out", 0) == count
