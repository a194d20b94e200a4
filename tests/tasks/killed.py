"""An application of tasks and a planner, and a process that works on a plan until it is killed: `python killed.py
HOME`."""

import asyncio
import sys
from typing import Any

import aob

ROUNDS, TASKS = 4, 8


@aob.task("step", backoff="1ms")
async def step(given: dict[str, Any]) -> str:
    """One piece of work."""
    await asyncio.sleep(0)
    print("step", given["key"], flush=True)
    return str(given["key"])


@aob.planner("steps")
async def steps(context: Any) -> list[str]:
    """So many rounds of so many tasks."""
    return [f"step#{context.round}-{n}" for n in range(TASKS)] if context.round <= ROUNDS else []


async def main(home: str) -> None:
    async with aob.open(home, app=[step, steps]) as app:
        await app.submit({"plan_id": "p", "plan_type": "steps"})
        await app.finished(plan_id="p")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
