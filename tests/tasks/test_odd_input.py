"""Odd code of an application, odd records and odd answers: each is refused by itself, and nothing else stops."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import Invalid
from tests.tasks.test_tasks_at_work import home


@dataclass
class Known:
    name: str

    def __post_init__(self) -> None:
        {"ann": 1}[self.name]


@aob.task("greets", input=Known)
async def greets(given: Known) -> str:
    return f"hello {given.name}"


async def test_a_type_of_input_that_raises_anything_refuses_what_it_is_given(tmp_path: Path) -> None:
    @aob.planner("asks", tries=2)
    async def asks(context: Any) -> Any:
        if context.round > 1:
            return []
        named = "bob" if context.attempt == 1 else "ann"
        return {"next_task_ids": ["t"], "tasks": {"t": {"task_type": "greets", "parameters": {"name": named}}}}

    async with home(tmp_path, greets, asks) as app:
        with pytest.raises(Invalid, match="does not take these parameters") as wrong:
            await app.submit({"task_id": "x", "task_type": "greets", "parameters": {"name": "bob"}})
        assert wrong.value.problems[0].code == "bad_parameters"
        await app.submit({"task_id": "x", "task_type": "greets", "parameters": {"name": "ann"}})
        await app.submit({"plan_id": "p", "plan_type": "asks"})
        assert (await app.finished(task_id="x"))["result"]["data"] == "hello ann"
        assert (await app.finished(plan_id="p"))["result"]["task_results"][0]["result"]["data"] == "hello ann"


@pytest.mark.parametrize("answer", ["heard", {"result": "forged"}, {"result": 1, "took_ms": "long"}])
async def test_only_the_agent_of_its_type_answers_for_a_task(tmp_path: Path, answer: Any) -> None:
    heard = asyncio.Event()

    @aob.task("slow")
    async def slow(given: Any) -> str:
        await heard.wait()
        return "done"

    @aob.agent(consumes=["task.slow"], produces=["task.slow"], name="listens")
    async def listens(record: Any, ctx: Any) -> None:
        if record.type == "over":
            heard.set()
            return
        ctx.reply(answer)
        ctx.emit("task.slow", "over", {}, subject="other")

    async with home(tmp_path, slow, listens) as app:
        await app.submit({"task_id": "t", "task_type": "slow"})
        told = await app.finished(task_id="t")
        assert (told["status"], told["result"]["data"]) == ("completed", "done")
