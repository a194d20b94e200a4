"""Tasks and plans over HTTP: statuses, shapes, problems."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import aob
from aob.core.policy import LOCAL
from aob.server import create_app, serving


@aob.task("double", input=dict[str, int])
async def double(given: dict[str, int]) -> dict[str, int]:
    return {name: 2 * value for name, value in given.items()}


@aob.planner("twice")
async def twice(context: Any) -> Any:
    if context.round > 1:
        return {"next_task_ids": []}
    return {"next_task_ids": ["first"], "tasks": {"first": {"task_type": "double", "parameters": {"n": 4}}}}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with aob.open(tmp_path, app=[double, twice]) as app, serving(create_app(app.views, app.metrics)) as url:
        secret = (await app.views.create_key(LOCAL, "ann", ["run", "view"]))["secret"]
        async with httpx.AsyncClient(base_url=url, headers={"x-api-key": secret}) as http:
            yield http


async def test_a_task_is_asked_for_waited_for_listed_and_not_asked_for_twice(http: httpx.AsyncClient) -> None:
    request = {"task_id": "a/1", "task_type": "double", "parameters": {"n": 2}, "order": 17}
    first, again = await http.post("/v1/tasks", json=request), await http.post("/v1/tasks", json=request)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["order"] == 17
    told = (await http.get("/v1/tasks/a%2F1", params={"wait_ms": 20_000})).json()
    assert (told["status"], told["result"]["data"], told["order"]) == ("completed", {"n": 4}, 17)
    other = await http.post("/v1/tasks", json={**request, "parameters": {"n": 3}})
    assert (other.status_code, other.json()["code"]) == (409, "task_exists")
    wrong = await http.post("/v1/tasks", json={**request, "task_id": "b", "parameters": {"n": "x"}})
    assert (wrong.status_code, wrong.json()["problems"][0]["path"]) == (422, "/parameters")
    none = await http.get("/v1/tasks/nobody")
    assert (none.status_code, none.json()["code"]) == (404, "task_not_found")
    page = (await http.get("/v1/tasks", params={"status": "completed", "type": "double"})).json()
    assert [each["task_id"] for each in page["tasks"]] == ["a/1"]
    over = await http.post("/v1/tasks/a%2F1/cancel", json={"reason": "late"})
    assert (over.status_code, over.json()["code"]) == (409, "task_ended")


async def test_a_plan_is_asked_for_and_waited_for(http: httpx.AsyncClient) -> None:
    assert (await http.post("/v1/plans", json={"plan_id": "p", "plan_type": "twice"})).status_code == 201
    told = (await http.get("/v1/plans/p", params={"wait_ms": 20_000})).json()
    assert told["status"] == "completed"
    assert [each["result"]["data"] for each in told["result"]["task_results"]] == [{"n": 8}]
    tasks = (await http.get("/v1/tasks", params={"plan_id": "p"})).json()["tasks"]
    assert [each["plan_id"] for each in tasks] == ["p"]
    assert (await http.get("/v1/plans")).json()["plans"][0]["plan_id"] == "p"
