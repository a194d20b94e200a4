"""Each noun's routes: what goes in reaches the engine's verb, and what comes out fits the schema that is promised."""

from typing import Any

import httpx
import jsonschema_rs
import pytest

from aob.core.policy import LOCAL
from aob.server import openapi_document
from tests.server.calls import problem
from tests.server.fake import FakeEngine

DOCUMENT = openapi_document()
ORDER = {"workflow": "order", "nodes": {"fetch": {"kind": "http", "config": {"url": "http://shop"}}}, "edges": {}}
HASH = "ab" * 32


def fits(answer: httpx.Response, path: str) -> Any:
    """The body of an answer that its route promises, held against the promised schema."""
    operation = DOCUMENT["paths"][path][answer.request.method.lower()]
    promised = operation["responses"][str(answer.status_code)]
    media = answer.headers["content-type"]
    schema = promised["content"][media]["schema"]
    jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, answer.json())
    return answer.json()


@pytest.fixture
async def run_id(http: httpx.AsyncClient) -> str:
    return str((await http.post("/v1/runs", json={"inputs": {"a": 1}})).json()["run_id"])


async def test_runs_are_listed_by_page_and_filter(http: httpx.AsyncClient) -> None:
    for n in range(5):
        await http.post("/v1/runs", json={"key": str(n), "labels": {"odd": str(n % 2)}})
    first = fits(await http.get("/v1/runs?limit=3"), "/v1/runs")
    rest = fits(await http.get(f"/v1/runs?limit=3&cursor={first['next']}"), "/v1/runs")
    assert (len(first["runs"]), len(rest["runs"]), rest["next"]) == (3, 2, None)
    odd = fits(await http.get("/v1/runs?label=odd=1&status=RUNNING"), "/v1/runs")
    assert len(odd["runs"]) == 2


@pytest.mark.parametrize("verb", ["", "/graph", "/why", "/timeline", "/patches"])
async def test_what_is_read_of_a_run_fits_its_schema(verb: str, run_id: str, http: httpx.AsyncClient) -> None:
    fits(await http.get(f"/v1/runs/{run_id}{verb}"), "/v1/runs/{run_id}" + verb)


@pytest.mark.parametrize("verb", ["", "/graph", "/why", "/timeline", "/patches", "/logs", "/events"])
async def test_a_run_of_another_tenant_is_not_there(
    verb: str, run_id: str, http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    secret = (await engine.create_key(LOCAL, "other", ["view"], "elsewhere"))["secret"]
    answer = await http.get(f"/v1/runs/{run_id}{verb}", headers={"x-api-key": secret})
    problem(answer, 404, "run_not_found")


async def test_a_timeline_is_read_in_stretches(run_id: str, http: httpx.AsyncClient, engine: FakeEngine) -> None:
    for _ in range(4):
        engine.record(run_id, "node_completed", visit="fetch")
    path = f"/v1/runs/{run_id}/timeline"
    first = (await http.get(path, params={"limit": 2})).json()
    assert [event["seq"] for event in first["events"]] == [0, 1]
    rest = (await http.get(path, params={"after": first["next"]})).json()
    assert [event["seq"] for event in rest["events"]] == [2, 3, 4]
    assert rest["next"] is None


async def test_a_cancel_needs_no_body_and_carries_its_command(
    run_id: str, http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    answer = await http.post(f"/v1/runs/{run_id}/cancel", headers={"idempotency-key": "c1"})
    assert fits(answer, "/v1/runs/{run_id}/cancel")["status"] == "CANCELLED"
    assert engine.commands == [("cancel", "c1")]


async def test_a_message_reaches_the_run(run_id: str, http: httpx.AsyncClient, engine: FakeEngine) -> None:
    body = {"name": "paid", "key": "o-1", "payload": {"sum": 3}, "id": "m1"}
    fits(await http.post(f"/v1/runs/{run_id}/messages", json=body), "/v1/runs/{run_id}/messages")
    assert engine.commands == [("message", ("paid", "o-1", {"sum": 3}, "m1"))]


async def test_a_fork_hands_on_what_it_changes(run_id: str, http: httpx.AsyncClient, engine: FakeEngine) -> None:
    operations = [{"op": "disable", "id": "x"}]
    body = {"from": "fetch", "patches": [operations], "assume": {"a": 1}}
    assert (await http.post(f"/v1/runs/{run_id}/fork", json=body)).status_code == 201
    assert ("fork", (run_id, "fetch", [operations], {"a": 1})) in engine.commands


async def test_replay_and_fork_name_their_node(run_id: str, http: httpx.AsyncClient) -> None:
    report = await http.post(f"/v1/runs/{run_id}/replay", json={"from": "fetch", "assume": {"x": 1}})
    assert fits(report, "/v1/runs/{run_id}/replay")["assumed"] == {"x": 1}
    forked = await http.post(f"/v1/runs/{run_id}/fork", json={"from": "fetch"})
    assert forked.status_code == 201
    assert forked.headers["location"].endswith(fits(forked, "/v1/runs/{run_id}/fork")["run_id"])
    problem(await http.post(f"/v1/runs/{run_id}/replay", json={"from": "fetch", "mode": "live"}), 422, "invalid")


@pytest.mark.parametrize("path", ["patch", "patches"])
async def test_a_patch_is_proposed_on_either_path(path: str, run_id: str, http: httpx.AsyncClient) -> None:
    body = {"operations": [{"op": "add", "path": "/nodes/x", "value": {}}], "reason": "ask"}
    verdict = fits(await http.post(f"/v1/runs/{run_id}/{path}", json=body), "/v1/runs/{run_id}/" + path)
    patch_id = verdict["patch_id"]
    assert verdict["state"] == "proposed"
    shown = fits(await http.get(f"/v1/patches/{patch_id}"), "/v1/patches/{patch_id}")
    assert shown["operations"] == body["operations"]
    for verb, state in (("approve", "applied"), ("reject", "rejected"), ("rollback", "rolled_back")):
        answer = await http.post(f"/v1/patches/{patch_id}/{verb}")
        assert fits(answer, "/v1/patches/{patch_id}/" + verb)["state"] == state


async def test_a_bare_json_patch_is_a_patch(run_id: str, http: httpx.AsyncClient, engine: FakeEngine) -> None:
    head = {"content-type": "application/json-patch+json", "idempotency-key": "p1"}
    answer = await http.post(f"/v1/runs/{run_id}/patch", content=b'[{"op":"remove","path":"/nodes/x"}]', headers=head)
    assert answer.status_code == 200
    (row,) = engine.proposals.values()
    assert row["id"] == "p1"


@pytest.mark.parametrize("body", [{}, {"operations": []}, {"operations": [1]}, {"operations": "x"}, [1], 3])
async def test_what_is_no_patch_is_refused(body: object, run_id: str, http: httpx.AsyncClient) -> None:
    problem(await http.post(f"/v1/runs/{run_id}/patch", json=body), 422, "invalid")


async def test_a_workflow_is_pushed_shown_listed_and_compared(http: httpx.AsyncClient) -> None:
    put = await http.put("/v1/workflows/order?tag=main", json=ORDER)
    assert (put.status_code, fits(put, "/v1/workflows/{name}")["created"]) == (201, True)
    assert (await http.put("/v1/workflows/order", json=ORDER)).status_code == 200
    text = b"workflow: order\nnodes:\n  fetch: {kind: http}\n  more: {kind: timer}\n"
    other = await http.put("/v1/workflows/order?tag=next", content=text, headers={"content-type": "application/yaml"})
    assert other.status_code == 201
    fits(await http.get("/v1/workflows"), "/v1/workflows")
    assert fits(await http.get("/v1/workflows/order"), "/v1/workflows/{name}")["document"] == ORDER
    diff = fits(await http.get("/v1/workflows/order/diff?a=main&b=next"), "/v1/workflows/{name}/diff")
    assert diff["diff"]["added"] == ["more"]
    problem(await http.get("/v1/workflows/order/diff"), 422, "invalid")
    problem(await http.get("/v1/workflows/none"), 404, "workflow_not_found")


async def test_a_wrong_document_is_refused_on_push_and_explained_on_validate(http: httpx.AsyncClient) -> None:
    body = problem(await http.put("/v1/workflows/order", json={"nodes": {}}), 422, "invalid")
    assert body["problems"][0] | {"path": "/nodes", "line": 1, "hint": "add one"} == body["problems"][0]
    verdict = await http.post("/v1/workflows:validate", json={"nodes": {}})
    assert fits(verdict, "/v1/workflows:validate")["valid"] is False
    assert (await http.post("/v1/workflows:validate", json=ORDER)).json() == {"valid": True, "problems": []}


async def test_a_ticket_is_listed_shown_and_decided(run_id: str, http: httpx.AsyncClient, engine: FakeEngine) -> None:
    ticket_id = engine.ask(run_id)
    assert len(fits(await http.get("/v1/tickets?role=finance"), "/v1/tickets")["tickets"]) == 1
    assert (await http.get("/v1/tickets?role=sales")).json() == {"tickets": []}
    fits(await http.get(f"/v1/tickets/{ticket_id}"), "/v1/tickets/{ticket_id}")
    decided = await http.post(
        f"/v1/tickets/{ticket_id}/answer", json={"choice": "approve", "reason": "fine", "values": {"n": 1}}
    )
    fits(decided, "/v1/tickets/{ticket_id}/answer")
    assert engine.open_tickets[ticket_id]["answer"]["values"] == {"n": 1}
    again = await http.post(f"/v1/tickets/{ticket_id}/answer", json={"choice": "reject"})
    problem(again, 409, "ticket_closed")
    assert (await http.get("/v1/tickets")).json() == {"tickets": []}
    assert len((await http.get("/v1/tickets?open=false")).json()["tickets"]) == 1


async def test_a_blob_is_bytes_that_a_browser_will_not_run(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    engine.blobs[HASH] = b"<script>"
    for name in (HASH, f"sha256:{HASH}"):
        answer = await http.get(f"/v1/blobs/{name}")
        assert answer.content == b"<script>"
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
    problem(await http.get("/v1/blobs/" + "0" * 64), 404, "blob_not_found")
    problem(await http.get("/v1/blobs/..%2F..%2Fkey"), 400, "bad_hash")


async def test_a_key_is_made_listed_and_revoked(http: httpx.AsyncClient) -> None:
    made = await http.post("/v1/keys", json={"name": "ci", "roles": ["view", "run"]})
    assert made.status_code == 201
    key = fits(made, "/v1/keys")
    listed = await http.get("/v1/keys")
    assert key["secret"] not in listed.text
    assert key["id"] in {row["id"] for row in fits(listed, "/v1/keys")["keys"]}
    mine = {"x-api-key": key["secret"]}
    assert (await http.get("/v1/runs", headers=mine)).status_code == 200
    gone = await http.delete(f"/v1/keys/{key['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    problem(await http.get("/v1/runs", headers=mine), 401, "unauthorized")


@pytest.mark.parametrize(
    "body", [{"name": "x", "roles": []}, {"name": "", "roles": ["view"]}, {"name": "x", "roles": ["no role"]}]
)
async def test_a_key_without_a_name_or_a_known_role_is_refused(body: object, http: httpx.AsyncClient) -> None:
    problem(await http.post("/v1/keys", json=body), 422, "invalid")


WHOLE = {
    "status": "degraded", "version": "15.3", "workers": "10.0.0.7:7700", "position": "kg", "shard": 3,
    "store": {"status": "store_away", "kind": "postgresql", "version": "15.18", "detail": "db.example is away"},
    "settings": {"version": 4, "status": "ok"}, "pool": {"waiting": 2},
    "shards": [{"status": "store_away", "streams": 3}],
}  # fmt: skip
WORDS = {
    "status": "degraded", "store": {"status": "store_away"}, "settings": {"status": "ok"}, "metrics": {"status": "ok"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("roles", "tenant", "more"),
    [
        (None, "default", set()), (["admin"], "default", {*WHOLE}), (["admin"], "acme", {"position", "workers"}),
        (["work"], "default", {"position", "workers"}), (["view", "run"], "default", {"position"}),
    ],
)  # fmt: skip
async def test_health_in_full_is_for_admins_of_the_home(
    roles: list[str] | None, tenant: str, more: set[str], http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.parts = WHOLE
    key = await engine.create_key(LOCAL, "x", roles, tenant) if roles else {"secret": "none of ours"}
    del http.headers["x-api-key"]
    told = (await http.get("/v1/health", headers={"authorization": f"Bearer {key['secret']}"})).json()
    metrics = told.pop("metrics")
    words = WORDS if more != {*WHOLE} else {}
    assert told == {
        name: part for name, part in (words | {name: WHOLE[name] for name in more}).items() if name != "metrics"
    }
    assert metrics["status"] == "ok"
    if not roles:
        assert (await http.get("/v1/health")).json() == WORDS
        assert (await http.get("/health/ready")).json()["detail"] == "the server is degraded"


async def test_health_is_open_and_readiness_follows_it(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    del http.headers["x-api-key"]
    fits(await http.get("/v1/health"), "/v1/health")
    fits(await http.get("/health/live"), "/health/live")
    fits(await http.get("/health/ready"), "/health/ready")
    engine.status = "starting"
    problem(await http.get("/health/ready"), 503, "not_ready")
    assert (await http.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("shards", "status"), [(["ok", "ok"], 200), (["shard_unowned", "ok"], 200), (["store_away", "store_away"], 503)]
)
async def test_who_serves_some_shards_is_ready(
    shards: list[str], status: int, http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.status, engine.shards = "degraded", [{"shard": n, "status": each} for n, each in enumerate(shards)]
    answer = await http.get("/health/ready")
    assert answer.status_code == status
