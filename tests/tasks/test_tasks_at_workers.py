"""Tasks and plans of a home at a worker, which is attached over real gRPC in the process of the test."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc")

import aob
from aob.worker.handlers import offered
from tests.worker.through import attached


async def test_a_worker_performs_tasks_and_plans_and_hears_of_a_cancel(tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @aob.task("where")
    async def where(given: Any, ctx: Any) -> dict[str, str]:
        return {"at": type(ctx).__name__}

    @aob.task("endless")
    async def endless(given: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    @aob.planner("thrice")
    async def thrice(context: Any) -> list[str]:
        return [f"where#{n}" for n in range(3)] if context.round == 1 else []

    parts = [where, endless, thrice]
    async with aob.open(tmp_path, app=parts, grpc_port=0) as app:
        async with attached(app, offered(*parts)):
            await app.submit({"plan_id": "p", "plan_type": "thrice"})
            plan = await app.finished(plan_id="p")
            assert [each["result"]["data"] for each in plan["result"]["task_results"]] == [{"at": "AgentStream"}] * 3
            await app.submit({"task_id": "t", "task_type": "endless"})
            await begun.wait()
            assert (await app.views.cancel_task(app.who, "t"))["status"] == "cancelled"
            await ended.wait()
        await app.submit({"task_id": "later", "task_type": "where"})
        assert (await app.finished(task_id="later"))["result"]["data"] == {"at": "AgentContext"}
