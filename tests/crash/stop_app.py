"""Handlers of the stop campaign, and a clock of this process that a file sets: `HOME/step` holds milliseconds."""

import asyncio
import os
import time
from pathlib import Path

import aob
from aob.compose import app as compose_room

STEP = Path(os.environ.get("AOB_TEST_STEP", "/nonexistent"))


class SetClock:
    """`time` as the shell sees it, moved by what stands in a file."""

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    @staticmethod
    def time_ns() -> int:
        try:
            step_ms = int(STEP.read_text())
        except (OSError, ValueError):
            step_ms = 0
        return time.time_ns() + step_ms * 1_000_000


if STEP.name != "nonexistent":
    vars(compose_room)["time"] = SetClock()


@aob.node
async def slow(n: int) -> int:
    await asyncio.sleep(0.03)
    return n


@aob.node
def thread(n: int) -> int:
    time.sleep(0.02)
    return n
