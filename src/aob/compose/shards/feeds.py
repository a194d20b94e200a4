"""Feeds over several shards: one run's from its shard, all runs' merged; both resume when an owner restarts.

Ordered within each run. The shard that has a moved run sends all of it, with the positions where each event was
written.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from aob.compose.layout import Layout
from aob.compose.shards.channel import DOWN, LOST
from aob.compose.shards.local import Shard
from aob.compose.shards.wire import end_tasks
from aob.core.errors import Unavailable
from aob.core.event import Position
from aob.core.policy import Caller
from aob.journal.partition import place_of

Item = tuple[str, str, dict[str, Any]]
MERGED_MAX: Final = 64
"""Events of all shards buffered for a reader."""


async def follow_run(
    layout: Layout, find: Callable[[str], Awaitable[Shard]], who: Caller, run_id: str, position: str | None,
    types: frozenset[str] | None,
) -> AsyncIterator[Item]:  # fmt: skip
    """Events of one run, with positions of the home."""
    shard, moved = await find(run_id), len(layout.shards_of(run_id)) > 1
    tokens = Position.split(position, layout.files) if position is not None else None
    passed = [Position.row_of(token) for token in tokens] if tokens is not None else None
    if tokens is not None and moved:
        await shard.call("position_fits", None, tokens[shard.number])
    at = tokens[shard.number] if tokens is not None and not moved else None
    async for token, name, data in _steadily(shard, who, run_id, at, types, patient=False):
        if moved and passed is not None:
            row, index = Position.row_of(token)
            written, row = place_of(row, shard.number)
            if (row, index) <= passed[written]:
                continue
        wide = layout.widened(token, shard.number, run_id)
        yield wide, name, {**data, "position": wide}


async def follow_all(
    shards: Sequence[Shard], who: Caller, position: str | None, types: frozenset[str] | None, place: bool = False
) -> AsyncIterator[Item]:
    """Events of all runs after a position, or from now on; with `place` the first item is that position."""
    if position is not None:
        tokens = Position.split(position, len(shards))
    else:
        tokens = await asyncio.gather(*(shard.call("position", who) for shard in shards))
    rows = [Position.row_of(token) for token in tokens]
    if place and position is None:
        yield Position.joined(rows), "", {}
    ready: asyncio.Queue[tuple[int, Item] | Exception] = asyncio.Queue(MERGED_MAX)

    async def pump(shard: Shard) -> None:
        try:
            async for item in _steadily(shard, who, None, tokens[shard.number], types, patient=True):
                await ready.put((shard.number, item))
        except Exception as error:
            await ready.put(error)

    pumps = [asyncio.create_task(pump(shard)) for shard in shards]
    try:
        while True:
            found = await ready.get()
            if isinstance(found, Exception):
                raise found
            number, (token, name, data) = found
            rows[number] = Position.row_of(token)
            wide = Position.joined(rows, token)
            yield wide, name, {**data, "position": wide}
    finally:
        await end_tasks(*pumps)


async def _steadily(
    shard: Shard, who: Caller, run_id: str | None, at: str | None, types: frozenset[str] | None, *, patient: bool
) -> AsyncIterator[Item]:
    """A shard's own feed; when its owner ends it resumes, after the last event, from the next owner. `patient` also
    waits for an owner that is down at the start."""
    while True:
        try:
            feed = shard.stream("follow", who, run_id=run_id, position=at, types=types)
            async for token, name, data in feed:
                at = token
                yield token, name, data
            return
        except Unavailable as error:
            if error.code != LOST and not (patient and error.code == DOWN):
                raise
            patient = True
        await shard.ready()
