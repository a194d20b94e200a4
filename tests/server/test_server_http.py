"""What holds for every route: keys and roles first, problems for all that is wrong, limits with names."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from aob.core.errors import AobError, Busy, Unavailable
from aob.core.node import ROLES
from aob.core.policy import LOCAL
from aob.core.rights import ANY
from aob.server import App, create_app
from aob.server.http import call as call_module
from aob.server.http.app import REQUESTS_MAX, REQUESTS_TENANT_MAX
from aob.server.http.route import AnyRoute
from aob.server.routes import make_table
from tests.server.calls import problem, straight
from tests.server.fake import SECRET, FakeEngine

ROUTES = make_table("0", (b"",), lambda: 0).routes
KEYED = [route for route in ROUTES if route.role is not None]


def path_of(route: AnyRoute) -> str:
    path = route.path
    for name in route.params:
        path = path.replace("{" + name + "}", "0" * 64 if name == "hash" else f"{name}_1")
    return path


@pytest.mark.parametrize("route", KEYED, ids=lambda route: route.name)
async def test_no_route_answers_without_a_key(route: AnyRoute, http: httpx.AsyncClient) -> None:
    del http.headers["x-api-key"]
    answer = await http.request(route.method, path_of(route))
    problem(answer, 401, "unauthorized")
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("route", [route for route in KEYED if route.role != ANY], ids=lambda route: route.name)
async def test_every_role_but_its_own_is_refused(route: AnyRoute, http: httpx.AsyncClient, engine: FakeEngine) -> None:
    others = set(ROLES) - {"admin", route.role or ""}
    secret = (await engine.create_key(LOCAL, "weak", others))["secret"]
    answer = await http.request(route.method, path_of(route), headers={"x-api-key": secret})
    body = problem(answer, 403, "refused")
    assert f"`{route.role}`" in body["detail"]


@pytest.mark.parametrize(
    "header",
    [{"x-api-key": SECRET}, {"authorization": f"Bearer {SECRET}"}, {"authorization": f"bearer  {SECRET}"}],
)
async def test_a_key_comes_in_either_header(header: dict[str, str], app: App) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://aob") as http:
        assert (await http.get("/v1/runs", headers=header)).status_code == 200


@pytest.mark.parametrize("header", [{"authorization": "Basic abc"}, {"x-api-key": ""}, {"x-api-key": "é" * 20}])
async def test_anything_else_is_no_key(header: dict[str, str], app: App) -> None:
    headers = {name: value.encode("latin-1") for name, value in header.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://aob") as http:
        problem(await http.get("/v1/runs", headers=headers), 401, "unauthorized")  # type: ignore[arg-type]  # bytes are fine


async def test_a_path_without_a_version_moves_to_the_current_one(http: httpx.AsyncClient) -> None:
    answer = await http.post("/runs/run_1/cancel?x=1%2F", json={})
    assert answer.status_code == 308
    assert answer.headers["location"] == "/v1/runs/run_1/cancel?x=1%2F"
    assert (await http.get("/")).headers["location"] == "/docs"


async def test_a_redirected_start_still_starts(http: httpx.AsyncClient) -> None:
    answer = await http.post("/runs", json={"inputs": {}}, follow_redirects=True)
    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/v1/runs/", "/v1", "//", "/v1/runs/a/b/c/d"])
async def test_a_path_that_is_nowhere_is_404(path: str, http: httpx.AsyncClient) -> None:
    problem(await http.get("http://aob" + path), 404, "no_route")


async def test_an_unknown_path_asks_for_a_key_first(http: httpx.AsyncClient) -> None:
    del http.headers["x-api-key"]
    problem(await http.get("/v1/nothing"), 401, "unauthorized")
    problem(await http.patch("/v1/runs"), 401, "unauthorized")


async def test_a_wrong_method_names_the_right_ones(http: httpx.AsyncClient) -> None:
    answer = await http.patch("/v1/runs")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_head_is_answered_where_get_is(http: httpx.AsyncClient) -> None:
    assert (await http.head("/v1/runs")).status_code == 200


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"/v1/runs/%ff", "bad_path"), (b"/v1/runs/a%00b", "bad_path"), (b"/v1/runs/" + b"a" * 300, "bad_path")],
)
async def test_ids_are_text_that_people_can_read(raw: bytes, code: str, app: App) -> None:
    sent = await straight(app, raw_path=raw, path="/v1/runs/x")
    assert sent[0]["status"] == 400
    assert msgspec.json.decode(sent[1]["body"])["code"] == code


async def test_an_encoded_slash_is_part_of_an_id(http: httpx.AsyncClient) -> None:
    body = problem(await http.get("/v1/runs/a%2Fcancel"), 404, "run_not_found")
    assert "a/cancel" in body["detail"]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=0", "?limit"), ("limit=501", "?limit"), ("limit=x", "?limit"), ("status=DONE", "?status"),
        ("limit=1&limit=2", "?limit"), ("stat=RUNNING", "?"), ("label=nameless", "?label"),
    ],
)  # fmt: skip
async def test_a_wrong_query_says_which_part(query: str, place: str, http: httpx.AsyncClient) -> None:
    body = problem(await http.get(f"/v1/runs?{query}"), 422, "invalid")
    assert body["problems"][0]["path"] == place


async def test_an_unknown_parameter_is_met_with_a_guess(http: httpx.AsyncClient) -> None:
    body = problem(await http.get("/v1/runs?worklow=x"), 422, "invalid")
    assert body["problems"][0]["hint"] == "did you mean workflow?"


@pytest.mark.parametrize("query", [b"status=%ff", b"&".join([b"a=1"] * 60), b"\xff"])
async def test_a_query_that_is_no_text_is_refused(query: bytes, app: App) -> None:
    sent = await straight(app, path="/v1/runs", query=query)
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b'{"inputs":{"a":NaN}}', 400, "malformed"),
        (b'{"inputs":{"a":"\xff"}}', 400, "malformed"),
        (b'{"inputs":{"a":"\\ud800"}}', 400, "malformed"),
        (b'{"inputs":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", 400, "too_deep"),
        (b'{"inputs":{"a":1e999}}', 422, "invalid"),
        (b'{"inputs":[]}', 422, "invalid"),
        (b'{"mode":"slow"}', 422, "invalid"),
        (b'{"key":""}', 422, "invalid"),
        (b'{"imputs":{}}', 422, "invalid"),
        (b"null", 422, "invalid"),
    ],
)
async def test_a_wrong_body_is_refused_with_the_place(
    body: bytes, status: int, code: str, http: httpx.AsyncClient
) -> None:
    answer = await http.post("/v1/runs", content=body, headers={"content-type": "application/json"})
    problem(answer, status, code)


async def test_a_wrong_body_points_at_the_member(http: httpx.AsyncClient) -> None:
    body = problem(await http.post("/v1/runs", json={"labels": {"a": 1}}), 422, "invalid")
    assert body["problems"][0]["path"].startswith("/labels")
    body = problem(await http.post("/v1/runs", json={"imputs": {}}), 422, "invalid")
    assert body["problems"][0]["hint"] == "did you mean inputs?"


async def test_a_nul_inside_a_value_is_a_value_like_any_other(http: httpx.AsyncClient) -> None:
    assert (await http.post("/v1/runs", json={"inputs": {"a": "x\0y"}})).status_code == 201


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/xml; charset=x"])
async def test_a_body_of_another_type_is_415(media: str, http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/runs", content=b"{}", headers={"content-type": media})
    body = problem(answer, 415, "unsupported_media_type")
    assert "application/json" in body["hint"]


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "Application/JSON", None])
async def test_json_is_read_however_it_is_called(media: str | None, http: httpx.AsyncClient) -> None:
    headers = {"content-type": media} if media else {}
    assert (await http.post("/v1/runs", content=b"{}", headers=headers)).status_code == 201


async def test_a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes(app: App) -> None:
    big = call_module.BODY_BYTES_MAX + 1
    said = await straight(app, "POST", "/v1/runs", headers=[(b"content-length", b"%d" % big)])
    assert said[0]["status"] == 413
    assert (b"connection", b"close") in said[0]["headers"]
    piece = b"x" * (1024 * 1024)
    sent = await straight(app, "POST", "/v1/runs", body=[piece] * 11)
    assert sent[0]["status"] == 413


async def test_a_body_that_does_not_come_is_408(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "BODY_WAIT_S", 0.001)
    sent = await straight(app, "POST", "/v1/runs", body=[b"{"], ends=False)
    assert sent[0]["status"] == 408


async def test_a_body_that_drips_for_ever_is_408(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "BODY_WHOLE_S", -1.0)
    sent = await straight(app, "POST", "/v1/runs", body=[b"{", b" ", b"}"])
    assert sent[0]["status"] == 408


async def test_nobody_is_answered_who_has_hung_up(app: App) -> None:
    assert await straight(app, "POST", "/v1/runs", body=[b"{"], ends=False, hangs_up=True) == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(Unavailable("disk full"), 503, "unavailable"), (KeyError("secret detail"), 500, "internal")],
)
async def test_our_own_faults_are_problems_too(
    error: Exception, status: int, code: str, engine: FakeEngine, http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(engine, "why", broken)
    body = problem(await http.get("/v1/runs/run_1/why"), status, code)
    assert "secret" not in str(body)


async def test_a_full_queue_says_when_to_come_again(
    engine: FakeEngine, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise Busy("the inbox is full", retry_after_s=1.2)

    monkeypatch.setattr(engine, "start", full)
    answer = await http.post("/v1/runs", json={})
    assert problem(answer, 429, "busy")["retry_after_s"] == 1.2
    assert answer.headers["retry-after"] == "2"


async def test_a_part_that_is_away_for_a_moment_says_when_to_come_again(
    engine: FakeEngine, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise Unavailable("shard 1 is being started again", code="shard_down", retry_after_s=0.4)

    monkeypatch.setattr(engine, "run", away)
    answer = await http.get("/v1/runs/run_1")
    assert problem(answer, 503, "shard_down")["retry_after_s"] == 0.4
    assert answer.headers["retry-after"] == "1"


async def test_requests_over_the_limit_are_told_to_wait(
    app: App, engine: FakeEngine, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_under_way", REQUESTS_MAX)
    problem(await http.get("/v1/runs"), 429, "busy")


async def test_requests_of_one_tenant_leave_places_to_others(app: App, http: httpx.AsyncClient) -> None:
    app._of_tenant["default"] = REQUESTS_TENANT_MAX - 1
    assert (await http.get("/v1/runs")).status_code == 200
    assert app._of_tenant["default"] == REQUESTS_TENANT_MAX - 1, "it has gone again"
    app._of_tenant["default"] = REQUESTS_TENANT_MAX
    problem(await http.get("/v1/runs"), 429, "busy")
    app._of_tenant = {"another": REQUESTS_TENANT_MAX}
    assert (await http.get("/v1/runs")).status_code == 200


async def test_a_field_that_json_cannot_hold_does_not_hide_the_problem(
    engine: FakeEngine, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def odd(*_: Any, **__: Any) -> None:
        raise AobError("odd", thing=object())

    monkeypatch.setattr(engine, "why", odd)
    assert problem(await http.get("/v1/runs/run_1/why"), 500, "error")["detail"] == "odd"


async def test_two_keys_of_one_command_must_be_the_same(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/runs", json={"key": "a"}, headers={"idempotency-key": "b"})
    problem(answer, 400, "two_keys")
    first = await http.post("/v1/runs", json={"key": "a"}, headers={"idempotency-key": "a"})
    again = await http.post("/v1/runs", json={}, headers={"idempotency-key": "a"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["run_id"] == again.json()["run_id"]


async def test_websockets_are_turned_away() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    await create_app(FakeEngine())({"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("key", ["x" * 201, "", "a\tb"])
async def test_an_idempotency_key_is_short_and_readable(key: str, http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/runs", json={}, headers={"idempotency-key": key})
    problem(answer, 400, "bad_key")
