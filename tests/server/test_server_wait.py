"""Start and wait: the end of a run as the answer of the request that started it, or that asked for it."""

import asyncio
from typing import Any

import httpx
import pytest

from aob.core.errors import Busy, Invalid
from aob.core.policy import Caller
from aob.server import App
from aob.server.http.answer import Message
from aob.server.http.waits import WAIT_MAX_MS, Waits, wait_ms
from tests.server.fake import FakeEngine


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def waiting(app: App, number: int) -> None:
    """Until so many requests wait."""
    await held(app.waits, number)


async def held(waits: Waits, number: int) -> None:
    """Let the loop go on until so many places are held."""
    async with asyncio.timeout(60):
        while len(waits) < number:  # noqa: ASYNC110  # the turns of the loop are what is waited for
            await asyncio.sleep(0)


async def test_a_start_that_waits_answers_the_end(http: httpx.AsyncClient, app: App, engine: FakeEngine) -> None:
    asked = asyncio.create_task(http.post("/v1/runs?wait=30s", json={"workflow": "order"}))
    await waiting(app, 1)
    (run_id,) = engine.states
    engine.finish(run_id)
    answer = await asked
    assert (answer.status_code, answer.json()["status"], answer.json()["created"]) == (200, "COMPLETED", True)
    assert answer.headers["location"] == f"/v1/runs/{run_id}"
    assert len(app.waits) == 0


async def test_when_the_time_has_passed_the_answer_is_where_it_stands(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/runs?wait=5ms", json={"workflow": "order"})
    assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING")
    again = await http.get(f"/v1/runs/{answer.json()['run_id']}?wait=0.005")
    assert (again.status_code, again.json()["run_id"]) == (202, answer.json()["run_id"])


async def test_the_header_prefer_asks_for_the_same(http: httpx.AsyncClient, app: App, engine: FakeEngine) -> None:
    asked = asyncio.create_task(
        http.post("/v1/runs", json={"workflow": "order"}, headers={"prefer": "respond-async, wait=30"})
    )
    await waiting(app, 1)
    engine.finish(next(iter(engine.states)))
    assert (await asked).status_code == 200


async def test_a_run_that_has_ended_is_answered_at_once(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    run_id = (await http.post("/v1/runs", json={"workflow": "order"})).json()["run_id"]
    engine.finish(run_id, "FAILED")
    answer = await http.get(f"/v1/runs/{run_id}", params={"wait": "60s"})
    assert (answer.status_code, answer.json()["status"]) == (200, "FAILED")


@pytest.mark.parametrize("wait", ["61s", "soon", "-1", "2h", ""])
async def test_a_wait_that_cannot_be_is_refused_and_starts_nothing(
    wait: str, http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    answer = await http.post("/v1/runs", params={"wait": wait}, json={"workflow": "order"})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"] == "?wait"
    assert not engine.states


async def test_who_may_only_start_may_not_wait_and_starts_nothing(app: App, engine: FakeEngine) -> None:
    engine.keys["starter"] = ("key_1", Caller("default", "starter", frozenset({"run"})))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://aob", headers={"x-api-key": "starter"}) as http:
        answer = await http.post("/v1/runs?wait=1s", json={"workflow": "order"})
    assert (answer.status_code, engine.states) == (403, {})


async def test_a_stop_answers_all_that_wait(http: httpx.AsyncClient, app: App) -> None:
    asked = [asyncio.create_task(http.post("/v1/runs?wait=60s", json={"workflow": "order"})) for _ in range(20)]
    await waiting(app, 20)
    app.stop()
    answers = await asyncio.gather(*asked)
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(202, "RUNNING")}


async def test_a_caller_who_hangs_up_gives_the_place_back() -> None:
    waits = Waits()
    hung_up = asyncio.Event()

    async def receive() -> Message:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    asked = asyncio.create_task(waits.until("a", asyncio.Event().wait(), receive))
    await held(waits, 1)
    hung_up.set()
    assert await asked is None
    assert len(waits) == 0


async def test_no_more_wait_than_there_are_places() -> None:
    waits = Waits(3)
    asked = [asyncio.create_task(waits.until("a", asyncio.Event().wait(), never)) for _ in range(3)]
    await held(waits, 3)
    with pytest.raises(Busy):
        await waits.until("a", asyncio.Event().wait(), never)
    waits.stop()
    assert await asyncio.gather(*asked) == [None, None, None]


async def test_a_tenant_that_holds_all_places_makes_room_for_another() -> None:
    waits = Waits(4)
    asked = [asyncio.create_task(waits.until("a", asyncio.Event().wait(), never)) for _ in range(4)]
    await held(waits, 4)
    other = [asyncio.create_task(waits.until("b", asyncio.Event().wait(), never)) for _ in range(2)]
    assert await asked[0] is None
    assert await asked[1] is None
    with pytest.raises(Busy):
        await waits.until("b", asyncio.Event().wait(), never)
    waits.stop()
    await asyncio.gather(*asked, *other)


async def test_the_error_of_the_work_is_the_error_of_the_wait() -> None:
    async def broken() -> Any:
        raise LookupError("gone")

    waits = Waits()
    with pytest.raises(LookupError):
        await waits.until("a", broken(), never)
    assert len(waits) == 0


def test_how_long_a_request_waits() -> None:
    assert wait_ms("30s", None) == 30_000
    assert wait_ms("1.5", "wait=3") == 1_500
    assert wait_ms(None, "wait=3") == 3_000
    assert wait_ms(None, 'return=minimal; x=1, Wait="7"; foo') == 7_000
    assert wait_ms(None, "wait=100000") == WAIT_MAX_MS
    assert [wait_ms(None, text) for text in (None, "", "wait", "wait=", "wait=-1", "wait=x", "waits=3", "wait=١")] == [
        0
    ] * 8
    for text in ("x", "61", "1e3", "nan", "١"):
        with pytest.raises(Invalid):
            wait_ms(text, None)
