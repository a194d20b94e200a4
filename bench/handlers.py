"""Handlers that do nothing: what is measured is the platform, not the work."""

import os
import time
from typing import Any

import aob

STAMPS: list[tuple[str, float]] = []


@aob.node(effect="none")
async def noop(value: Any) -> Any:
    """Gives back what it gets."""
    return value


@aob.node(effect="none")
async def stamp(value: Any) -> Any:
    """Gives back what it gets, and notes when."""
    STAMPS.append(("in", time.perf_counter()))
    return value


@aob.node(effect="none")
async def noted(value: Any) -> Any:
    """Gives back what it gets, and notes when in a file: for handlers of another process."""
    with open(os.environ["BENCH_STAMPS"], "a", encoding="ascii") as out:  # noqa: ASYNC230  # it is 20 bytes
        out.write(f"{time.perf_counter()}\n")
    return value
