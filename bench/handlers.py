"""Handlers that do nothing: what is measured is the platform, not the work."""

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
