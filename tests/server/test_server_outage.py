"""While something inside is away, only admins of the home are told where it is, whatever way they asked."""

from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx
import pytest

from aob.core.errors import Unavailable
from aob.core.policy import LOCAL
from aob.core.problem import problem_of
from aob.server import App
from tests.server.fake import SECRET, FakeEngine
from tests.server.fake_metrics import FakeMetrics
from tests.server.test_grpc_verbs import Caller, grpc_server
from tests.server.test_server_links import link

WHERE = "127.0.0.1:5432 of AOB_STORE: user aob"
AWAY = Unavailable(WHERE, code="store_away", hint=WHERE, address=WHERE)
LOST = {"error": problem_of(AWAY)}


async def away(*given: object, **named: object) -> NoReturn:
    raise AWAY


async def breaks(*given: object, **named: object) -> AsyncIterator[tuple[str, str, dict[str, object]]]:
    yield "p", "run_started", {}
    raise AWAY


async def breaks_at_once(*given: object, **named: object) -> AsyncIterator[tuple[str, str, dict[str, object]]]:
    async for item in breaks():
        if item is None:
            yield item


async def fails_within(*given: object, **named: object) -> list[dict[str, Any]]:
    return [LOST]


async def answers_within(*given: object, **named: object) -> dict[str, Any]:
    return {"position": "", "answers": [LOST]}


ASKED = {
    "a verb": ("GET", "/v1/runs/run_1", None, "run", away),
    "a start": ("POST", "/v1/runs", {"workflow": "w"}, "start", away),
    "items": ("POST", "/v1/runs:batch", [{"workflow": "w"}], "start_many", fails_within),
    "all items": ("POST", "/v1/runs:batch", [{"workflow": "w"}], "start_many", away),
    "a stream at once": ("GET", "/v1/runs/run_1/events", None, "follow", breaks_at_once),
    "a stream": ("GET", "/v1/runs/run_1/events", None, "follow", breaks),
}


@pytest.mark.parametrize("way", ASKED)
@pytest.mark.parametrize(("tenant", "roles", "whole"), [
    ("default", ["view", "run"], False), ("other", ["admin"], False), ("default", ["admin"], True),
])  # fmt: skip
async def test_where_it_is_is_for_admins_of_the_home(
    http: httpx.AsyncClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, way: str, tenant: str,
    roles: list[str], whole: bool,
) -> None:  # fmt: skip
    method, path, body, verb, does = ASKED[way]
    key = (await engine.create_key(LOCAL, "one", roles, tenant))["secret"]
    monkeypatch.setattr(engine, verb, does)
    answer = await http.request(method, path, json=body, headers={"x-api-key": key})
    assert "store_away" in answer.text
    assert (WHERE in answer.text) is whole


async def test_reads_of_a_batch_say_no_more(
    http: httpx.AsyncClient, engine: FakeEngine, metrics: FakeMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = (await engine.create_key(LOCAL, "one", ["view"]))["secret"]
    monkeypatch.setattr(metrics, "batch", answers_within)
    for key, whole in ((viewer, False), (SECRET, True)):
        answer = await http.post("/v1/batch", json={"reads": [{"metric": "m"}]}, headers={"x-api-key": key})
        assert "store_away" in answer.text
        assert (WHERE in answer.text) is whole


async def test_without_a_key_nothing_is_told_either(
    http: httpx.AsyncClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "health", away)
    monkeypatch.setattr(engine, "ticket", away)
    del http.headers["x-api-key"]
    for path in ("/v1/health", "/health/ready", link("ticket_1")):
        answer = await http.get(path)
        assert answer.status_code == 503
        assert WHERE not in answer.text


async def test_nor_by_grpc(app: App, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    grpc, aio = pytest.importorskip("grpc"), pytest.importorskip("grpc.aio")
    viewer = (await engine.create_key(LOCAL, "one", ["view"]))["secret"]
    monkeypatch.setattr(engine, "run", away)
    monkeypatch.setattr(engine, "follow", breaks)
    async with grpc_server(app) as address, aio.insecure_channel(address) as channel:
        for key, whole in ((viewer, False), (SECRET, True)):
            with pytest.raises(aio.AioRpcError) as caught:
                await Caller(channel, key)("ShowRun", run_id="run_1")
            told = f"{caught.value.details()} {caught.value.trailing_metadata()}"
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert (WHERE in told) is whole
            items = [item async for item in Caller(channel, key)("FollowRun", run_id="run_1")]
            assert (WHERE in items[-1].data) is whole
