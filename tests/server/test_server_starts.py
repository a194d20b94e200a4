"""Starts: one, an array, lines; the batch never fails for one of its items."""

import asyncio
from itertools import pairwise
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.core.errors import Unavailable
from aob.core.policy import Caller
from aob.server import App
from aob.server.routes import starts
from tests.server.calls import straight
from tests.server.fake import FakeEngine

NDJSON = {"content-type": "application/x-ndjson"}


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows: list[dict[str, Any]] = msgspec.json.Decoder().decode_lines(answer.content)
    return rows


async def test_a_start_answers_where_the_run_is(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    answer = await http.post(
        "/v1/runs", json={"workflow": "order", "inputs": {"a": 1}, "labels": {"x": "y"}, "tag": "next"}
    )
    assert answer.status_code == 201
    body = answer.json()
    assert body == {"run_id": body["run_id"], "status": "RUNNING", "created": True}
    assert answer.headers["location"] == f"/v1/runs/{body['run_id']}"
    assert engine.states[body["run_id"]] | {"inputs": {"a": 1}, "tag": "next"} == engine.states[body["run_id"]]


async def test_the_same_key_starts_one_run(http: httpx.AsyncClient) -> None:
    first = await http.post("/v1/runs", json={"key": "k", "inputs": {"a": 1}})
    again = await http.post("/v1/runs", json={"key": "k", "inputs": {"a": 1}})
    other = await http.post("/v1/runs", json={"key": "k", "inputs": {"a": 2}})
    assert [a.status_code for a in (first, again, other)] == [201, 200, 409]
    assert again.json()["created"] is False
    assert other.json()["difference"] == "/inputs"


async def test_lines_give_a_verdict_each_in_order(http: httpx.AsyncClient) -> None:
    content = b'{"workflow":"order","key":"1"}\n\n {"key":"2"} \r\n{"key":"1","workflow":"order"}'
    found = lines(await http.post("/v1/runs", content=content, headers=NDJSON))
    assert [row["created"] for row in found] == [True, True, False]
    assert found[0]["run_id"] == found[2]["run_id"] != found[1]["run_id"]


async def test_a_bad_line_has_its_own_problem_and_fails_no_other(http: httpx.AsyncClient) -> None:
    content = (
        b'{"key":"1"}\n{"key":\n{"kei":"2"}\n"x"\n\xff\n' + b'{"inputs":{"a":' + b"[" * 50_000 + b'\n{"key":"3"}\n'
    )
    found = lines(await http.post("/v1/runs", content=content, headers=NDJSON))
    assert [row.get("error", {}).get("code") for row in found] == [
        None, "malformed", "invalid", "invalid", "malformed", "too_deep", None,
    ]  # fmt: skip
    assert found[2]["error"]["problems"][0]["hint"] == "did you mean key?"


async def test_no_lines_give_no_verdicts(http: httpx.AsyncClient) -> None:
    assert lines(await http.post("/v1/runs", content=b"\n\n", headers=NDJSON)) == []
    assert lines(await http.post("/v1/runs", content=b"", headers=NDJSON)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    items=st.lists(st.sampled_from([b'{"key":"a"}', b'{"key":"b","inputs":{}}', b"{", b"", b'{"x":1}']), max_size=12),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
async def test_where_the_pieces_of_a_body_end_changes_nothing(items: list[bytes], cuts: list[int], app: App) -> None:
    content = b"\n".join(items)
    edges = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    pieces = [content[a:b] for a, b in pairwise(edges)] or [b""]
    head = [(b"content-type", b"application/x-ndjson")]
    sent = await straight(app, "POST", headers=head, body=pieces)
    found = msgspec.json.Decoder().decode_lines(sent[1]["body"])
    assert ["run_id" in row for row in found] == [b"key" in item for item in items if item]


async def test_thousands_of_lines_keep_their_order(http: httpx.AsyncClient) -> None:
    content = b"".join(b'{"key":"%d"}\n' % n for n in range(5_000))
    found = lines(await http.post("/v1/runs", content=content, headers=NDJSON))
    again = lines(await http.post("/v1/runs", content=content, headers=NDJSON))
    assert len({row["run_id"] for row in found}) == 5_000
    assert [row["run_id"] for row in again] == [row["run_id"] for row in found]


async def test_lines_of_one_request_never_fill_the_queue_of_all(
    app: App, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "UNDER_WAY_MAX", 20)
    monkeypatch.setattr(starts, "ITEMS_AT_ONCE", 10)
    under_way, most = 0, 0

    async def start_many(who: Caller, items: list[Any]) -> list[Any]:
        nonlocal under_way, most
        under_way += len(items)
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= len(items)
        return [{"run_id": item["key"], "created": True} for item in items]

    monkeypatch.setattr(engine, "start_many", start_many)
    pieces = [b"".join(b'{"key":"%d"}\n' % (piece * 7 + n) for n in range(7)) for piece in range(30)]
    sent = await straight(app, "POST", headers=[(b"content-type", b"application/x-ndjson")], body=pieces)
    found = msgspec.json.Decoder().decode_lines(sent[1]["body"])
    assert [row["run_id"] for row in found] == [str(n) for n in range(210)]
    assert 10 < most <= 20


async def test_lines_that_wait_when_the_caller_hangs_up_start_nothing(
    app: App, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "UNDER_WAY_MAX", 20)
    monkeypatch.setattr(starts, "ITEMS_AT_ONCE", 10)
    begun, goes_on, gone, close = 0, asyncio.Event(), asyncio.Event(), starts._Room.close

    def closes(room: Any) -> None:
        close(room)
        gone.set()

    async def start_many(who: Caller, items: list[Any]) -> list[Any]:
        nonlocal begun
        begun += len(items)
        await goes_on.wait()
        return [{"run_id": item["key"], "created": True} for item in items]

    monkeypatch.setattr(engine, "start_many", start_many)
    monkeypatch.setattr(starts._Room, "close", closes)
    pieces = [b"".join(b'{"key":"%d"}\n' % (piece * 10 + n) for n in range(10)) for piece in range(30)]
    request = asyncio.create_task(
        straight(
            app, "POST", headers=[(b"content-type", b"application/x-ndjson")], body=pieces, ends=False, hangs_up=True
        )
    )
    await gone.wait()
    goes_on.set()
    await request
    assert begun <= 20


async def test_an_engine_that_fails_gives_verdicts_and_not_a_lost_batch(
    http: httpx.AsyncClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise Unavailable("disk full", code="disk_full")

    monkeypatch.setattr(engine, "start_many", broken)
    found = lines(await http.post("/v1/runs", content=b"{}\n{\n{}", headers=NDJSON))
    assert [row["error"]["code"] for row in found] == ["disk_full", "malformed", "disk_full"]


async def test_an_array_gives_an_array_of_verdicts(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/runs:batch", json=[{"key": "1"}, {"kei": "2"}, 7, {"key": "1"}])
    assert answer.status_code == 200
    assert [("error" in row, row.get("created")) for row in answer.json()] == [
        (False, True), (True, None), (True, None), (False, False),
    ]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), [(b"{}", 422), (b"[", 400), (b"", 400)])
async def test_what_is_no_array_is_refused(body: bytes, status: int, http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/runs:batch", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
