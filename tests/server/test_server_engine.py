"""The real engine behind the real routes: every answer fits the schema that the OpenAPI document promises for it."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest

import aob
from aob.client import AsyncClient
from aob.client.frames import Frames
from aob.core.errors import Conflict, Gone, Invalid, NotFound
from aob.core.policy import LOCAL, Link, sign_link
from aob.server import create_app, openapi_document, serving

DOCUMENT = openapi_document()
SECRET = b"s" * 32
GREET: dict[str, Any] = {
    "workflow": "greet",
    "inputs": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "nodes": {
        "a": {"kind": "timer", "config": {"for": "1ms"}},
        "ok": {
            "kind": "approval",
            "config": {"text": "Greet {name}?", "form": {"n": "number"}},
            "input": {"name": "inputs.name"},
        },
        "b": {"kind": "timer", "config": {"for": "1ms"}},
    },
    "edges": {"e1": {"from": "a", "to": "ok"}, "e2": {"from": "ok", "to": "b", "on": "approved"}},
}
MORE = [
    {"op": "add", "path": "/nodes/c", "value": {"kind": "timer", "config": {"for": "1ms"}}},
    {"op": "add", "path": "/edges/e3", "value": {"from": "b", "to": "c"}},
]


class Held(httpx.AsyncBaseTransport):
    """Passes requests on, and holds every answer against what its route promises."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        media = answer.headers.get("content-type", "")
        if media == "text/event-stream":
            return answer
        await answer.aread()
        path, operation = _operation(request)
        self.seen.add((request.method, path))
        promised = operation["responses"][str(answer.status_code)]
        if "$ref" in promised:
            promised = DOCUMENT["components"]["responses"][promised["$ref"].rsplit("/", 1)[1]]
        if media.endswith("json") and "ndjson" not in media:
            schema = promised["content"][media]["schema"]
            jsonschema_rs.validate(
                {**schema, "components": DOCUMENT["components"]}, msgspec.json.decode(answer.content)
            )
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


def _operation(request: httpx.Request) -> tuple[str, Any]:
    for path, methods in DOCUMENT["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        if re.fullmatch(pattern, request.url.raw_path.decode().partition("?")[0]) and request.method.lower() in methods:
            return path, methods[request.method.lower()]
    raise AssertionError(f"{request.method} {request.url} is not in the document")


@pytest.fixture
async def verbs(tmp_path: Path) -> AsyncIterator[Any]:
    async with aob.open(tmp_path / "home") as home:
        yield home.views


@pytest.fixture
async def url(verbs: Any) -> AsyncIterator[str]:
    async with serving(create_app(verbs, link_secrets=(SECRET,))) as address:
        yield address


@pytest.fixture
async def client(verbs: Any, url: str) -> AsyncIterator[AsyncClient]:
    key = (await verbs.create_key(LOCAL, "test", ("admin",)))["secret"]
    async with AsyncClient(url, key, transport=Held()) as found:
        yield found


@pytest.fixture
async def run_id(client: AsyncClient) -> str:
    """A run that waits for a person."""
    await client.push(GREET)
    run_id = (await client.start("greet", {"name": "Ada"}))["run_id"]
    async for event in client.follow(run_id):
        if event.name == "ticket_opened":
            break
    return run_id


async def test_workflows_answer_as_promised(client: AsyncClient) -> None:
    assert (await client.push(GREET))["created"] is True
    assert (await client.push(GREET))["created"] is False
    assert [row["workflow"] for row in await client.workflows()] == ["greet"]
    assert (await client.workflow("greet"))["document"]["nodes"].keys() == GREET["nodes"].keys()
    await client.push(
        {**GREET, "nodes": {**GREET["nodes"], "z": {"kind": "timer", "config": {"for": "1s"}}}}, tag="next"
    )
    assert "z" in str((await client.diff("greet", "main", "next"))["lines"])
    assert (await client.validate(GREET))["valid"] is True
    assert (await client.validate(b"workflow: x\nnodes: {a: {kind: nope}}"))["problems"]
    with pytest.raises(Invalid):
        await client.push(b"workflow: x\nnodes: {a: {kind: nope}}")
    with pytest.raises(NotFound):
        await client.workflow("none")


async def test_a_run_answers_as_promised_from_its_start_to_its_end(client: AsyncClient, run_id: str) -> None:
    assert (await client.run(run_id))["status"] == "WAITING"
    assert (await client.graph(run_id))["nodes"]["ok"]["state"] == "open"
    assert "waiting for ticket" in (await client.why(run_id))["sentence"]
    assert (await client.runs(status="WAITING"))["runs"][0]["run_id"] == run_id
    verdict = await client.propose(run_id, {"operations": MORE, "reason": "one more"})
    assert verdict["state"] == "applied"
    assert [row["patch_id"] for row in await client.patches(run_id)] == [verdict["patch_id"]]
    assert (await client.patch(verdict["patch_id"]))["after"]["nodes"]["c"]
    (ticket,) = await client.tickets(run_id=run_id)
    assert (await client.ticket(ticket["ticket_id"]))["shown"] == {"name": "Ada"}
    await client.message(run_id, "hello", payload={"a": 1}, id="message_1")
    assert (await client.answer(ticket["ticket_id"], "approve", values={"n": 1}))["choice"] == "approve"
    run = await client.wait(run_id)
    assert (run["status"], run["version"]) == ("COMPLETED", "v1.1")
    assert "c" in run["nodes"]
    events = [event async for event in client.timeline(run_id)]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "run_finished"
    with pytest.raises(Conflict):
        await client.propose(run_id, {"operations": MORE})
    assert (await client.replay(run_id, from_node="b"))["calls"] == 0
    forked = await client.fork(run_id, from_node="b")
    assert (await client.wait(forked["run_id"]))["status"] == "COMPLETED"
    assert [line async for line in client.logs(run_id)] == []


async def test_patches_are_rolled_back_and_runs_cancelled_as_promised(client: AsyncClient, run_id: str) -> None:
    verdict = await client.propose(run_id, {"operations": MORE})
    assert (await client.rollback(verdict["patch_id"]))["state"] == "applied"
    with pytest.raises(Invalid):
        await client.propose(run_id, {"operations": [{"op": "remove", "path": "/nodes/none"}]})
    await client.cancel(run_id, reason="enough")
    assert (await client.wait(run_id))["status"] == "CANCELLED"


async def test_starts_are_once_a_key_and_a_verdict_each(client: AsyncClient) -> None:
    await client.push(GREET)
    first = await client.start("greet", {"name": "Ada"}, key="k")
    again = await client.start("greet", {"name": "Ada"}, key="k")
    assert (first["run_id"], first["created"], again["created"]) == (again["run_id"], True, False)
    with pytest.raises(Conflict):
        await client.start("greet", {"name": "Bob"}, key="k")
    with pytest.raises(Invalid) as caught:
        await client.start("greet", {})
    assert caught.value.problems[0].path.startswith("/inputs")
    items: list[dict[str, Any]] = [
        {"workflow": "greet", "inputs": {"name": "x"}},
        {"workflow": "greet"},
        {"workflow": "none"},
        {"odd": 1},
    ]
    verdicts = [verdict async for verdict in client.start_many(items)]
    assert ["error" in verdict for verdict in verdicts] == [False, True, True, True]
    schema = DOCUMENT["components"]["schemas"]["StartVerdict"]
    for verdict in verdicts:
        jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, verdict)


async def test_keys_health_and_blobs_answer_as_promised(client: AsyncClient, url: str) -> None:
    made = await client.create_key("ci", ["view"], tenant="elsewhere")
    async with AsyncClient(url, made["secret"], transport=Held()) as other:
        assert (await other.runs())["runs"] == []
    assert (await client.health())["status"] == "ok"
    key = await client.create_key("ci", ["view"])
    await client.revoke_key(key["id"])
    assert {row["id"]: row["active"] for row in await client.list_keys()}[key["id"]] is False
    with pytest.raises(NotFound):
        await client.blob("0" * 64)


async def test_a_run_of_another_tenant_is_nobodys_business(client: AsyncClient, url: str, run_id: str) -> None:
    made = await client.create_key("other", ["admin"], tenant="elsewhere")
    async with AsyncClient(url, made["secret"]) as other:
        for act in (other.run, other.why, other.cancel, other.patches):
            with pytest.raises(NotFound):
                await act(run_id)
        assert await other.tickets() == []
        with pytest.raises(NotFound):
            async for _ in other.follow(run_id):
                pass


async def test_a_ticket_is_decided_by_a_signed_link(client: AsyncClient, url: str, run_id: str) -> None:
    (ticket,) = await client.tickets(run_id=run_id)
    token = sign_link(SECRET, Link("default", ticket["ticket_id"], ("approve", "reject"), 1 << 50, "ada@example.org"))
    async with httpx.AsyncClient(base_url=url) as guest:
        page = await guest.get(f"/v1/links/{token}")
        assert "Greet Ada?" in page.text
        decided = await guest.post(f"/v1/links/{token}", data={"choice": "approve", "value.n": "4"})
        assert decided.status_code == 200, decided.text
    assert (await client.wait(run_id))["status"] == "COMPLETED"
    told = await client.ticket(ticket["ticket_id"])
    assert (told["by"], told["values"]) == ("link:ada@example.org", {"n": 4})


async def test_the_feed_of_all_runs_goes_on_by_position(client: AsyncClient, run_id: str) -> None:
    position = (await client.runs())["as_of"]
    seen: list[str] = []

    async def read() -> None:
        async for event in client.follow(position=position):
            seen.append(event.name)
            if event.name == "run_finished":
                return

    reader = asyncio.create_task(read())
    await client.cancel(run_id)
    await reader
    assert "cancel_requested" in seen
    assert "run_started" not in seen


async def test_the_feed_of_all_runs_says_first_where_it_begins(client: AsyncClient) -> None:
    await client.push(GREET)
    frames = Frames()
    async with asyncio.timeout(20), client._http.stream("GET", "/v1/events") as answer:
        async for piece in answer.aiter_bytes():
            frames.feed(piece)
            if frames.position:
                break
    run_id = (await client.start("greet", {"name": "Ada"}))["run_id"]
    async with asyncio.timeout(20):
        first = await anext(client.follow(position=frames.position))
    assert (first.name, first.data["run"]) == ("run_started", run_id), "nothing of what came meanwhile is missed"


async def test_a_reader_that_comes_back_after_the_end_is_told_so(client: AsyncClient, run_id: str) -> None:
    await client.cancel(run_id)
    *_, last = [event async for event in client.follow(run_id)]
    async with asyncio.timeout(60):
        assert [event async for event in client.follow(run_id, position=last.position)] == []


async def test_runs_are_pruned_as_promised_and_are_gone_with_a_sentence(client: AsyncClient, run_id: str) -> None:
    await client.cancel(run_id)
    ended = (await client.wait(run_id))["ended_at"]
    assert ended is not None
    dry = [step async for step in client.prune(ended + 1, dry_run=True)]
    assert [(step["runs"], step["dry_run"]) for step in dry] == [(1, True)]
    done = [step async for step in client.prune(ended + 1, reason="old", workflow="greet")]
    assert [step["runs"] for step in done] == [1]
    for act in (client.run, client.why, client.graph, client.cancel):
        with pytest.raises(Gone, match="was pruned on") as caught:
            await act(run_id)
        assert (caught.value.code, caught.value.status) == ("run_pruned", 410)
    assert (await client.runs())["runs"] == []
