"""A process is killed while it works on a plan: what is left is done, and each task is told of once."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import aob
from tests.tasks import killed
from tests.tasks.test_tasks_at_work import records


@pytest.mark.parametrize("steps", [1, 13])
async def test_after_a_kill_a_plan_goes_on_and_each_task_has_one_result(tmp_path: Path, steps: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(killed.__file__)), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(steps):
        assert await process.stdout.readline()
    process.kill()
    await process.wait()
    async with aob.open(tmp_path, app=killed) as app:
        plan: dict[str, Any] = await app.finished(plan_id="p")
        assert (plan["status"], len(plan["rounds"])) == ("completed", killed.ROUNDS)
        told = plan["result"]["task_results"]
        expected = [f"{n}-{m}" for n in range(1, killed.ROUNDS + 1) for m in range(killed.TASKS)]
        assert [each["result"]["data"] for each in told] == expected
        results = await records(app, "task-results", killed.ROUNDS * killed.TASKS)
        assert set(Counter(each["task_id"] for each in results).values()) == {1}
        rounds = await records(app, "plan-results", killed.ROUNDS + 1)
        assert sum(not each["result"]["next_task_ids"] for each in rounds) == 1
