"""Feeds over several shards: one run's from its shard, all runs' merged; both resume when an owner restarts. Ordered
within each run. The shard that has a moved run sends all of it, with the positions where each event was written."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aob.compose.layout import Layout
from aob.compose.loop import end_tasks
from aob.compose.shards.local import Shard
from aob.compose.wire import DOWN, LOST
from aob.compose.wire.waiting import UNOWNED_S, finds_owner, until
from aob.core.errors import Unavailable
from aob.core.event import Position, partition_of
from aob.core.policy import Caller
from aob.journal.partition import place_of

Item = tuple[str, str, dict[str, Any]]
READY_S: Final = 1.0
MOVED_S: Final = 0.1
MERGED_MAX: Final = 64  # events of all shards buffered for a reader
BEFORE_S: Final = 10.0  # how long events of a run that moved wait for those before them of a shard that is not read


async def follow_run(
    layout: Callable[[], Layout], shards: Sequence[Shard], find: Callable[[str], Awaitable[Shard]], who: Caller,
    run_id: str, position: str | None, types: frozenset[str] | None,
) -> AsyncIterator[Item]:  # fmt: skip
    """Events of one run, with positions of the home; they go on where the run goes. A shard without an owner is waited
    for."""
    until_s = 0.0
    while True:
        try:
            number = (await find(run_id)).number
            async for item in _of_run(layout(), shards, number, who, run_id, position, types):
                position, until_s = item[0], 0.0
                yield item
        except Unavailable as error:
            until_s = until_s or until(UNOWNED_S)
            late = asyncio.get_running_loop().time() >= until_s
            if error.code != "partition_moved" and (late or not finds_owner(error)):
                raise
        else:
            return
        await asyncio.sleep(MOVED_S)


async def _of_run(
    layout: Layout, shards: Sequence[Shard], number: int, who: Caller, run_id: str, position: str | None,
    types: frozenset[str] | None,
) -> AsyncIterator[Item]:  # fmt: skip
    moved = len(layout.shards_of(run_id)) > 1
    tokens = Position.split(position, layout.files) if position is not None else None
    passed = [Position.row_of(token) for token in tokens] if tokens is not None else None
    if tokens is not None and moved:
        await shards[number].call("position_fits", None, tokens[number])
    at = tokens[number] if tokens is not None and not moved else None
    async for token, name, data in _steadily(shards, number, who, run_id, at, types, patient=False):
        if moved and passed is not None:
            row, index = Position.row_of(token)
            written, row = place_of(row, number)
            if (row, index) <= passed[written]:
                continue
        wide = layout.widened(token, number, run_id)
        yield wide, name, {**data, "position": wide}


async def follow_all(
    layout: Callable[[], Layout], shards: Sequence[Shard], grown: set[asyncio.Queue[Any]], who: Caller,
    position: str | None, types: frozenset[str] | None, place: bool = False,
) -> AsyncIterator[Item]:  # fmt: skip
    """Events of all runs after a position, or from now on; with `place` an item without a name says from where on they
    are told as they come: the first one, or once each shard has told what was there. Shards that come later are read
    from their beginning; `grown` gets the queue to wake. Those of a run that moved wait until the shard that it left is
    read up to there."""
    if position is not None:
        tokens = Position.split(position, len(shards))
    else:
        tokens = list(await asyncio.gather(*(shard.call("position", who) for shard in shards)))
    rows = [Position.row_of(token) for token in tokens]
    if place and position is None:
        yield Position.joined(rows), "", {}
    ready: asyncio.Queue[tuple[int, Item] | Exception | None] = asyncio.Queue(MERGED_MAX)

    behind = set(range(len(rows))) if place and position is not None else set()
    read = {number: row for number, (row, _) in enumerate(rows)}  # how far each is in `ready`

    async def pump(number: int, token: str | None) -> None:
        left_s = BEFORE_S
        try:
            async for item in _steadily(shards, number, who, None, token, types, patient=True):
                row, _ = Position.row_of(item[0])
                while left_s > 0 and item[1] and not _is_next(layout(), number, item[2]["run"], row, read):
                    await asyncio.sleep(MOVED_S)
                    left_s -= 0 if ready.full() else MOVED_S  # the reader may be the one that is slow
                left_s = BEFORE_S if left_s > 0 else 0.0
                await ready.put((number, item))
                read[number] = row
        except Exception as error:
            await ready.put(error)

    pumps = [asyncio.create_task(pump(number, token)) for number, token in enumerate(tokens)]
    grown.add(ready)
    try:
        while True:
            found = await ready.get()
            for number in range(len(rows), len(shards)):
                rows.append(Position.BEGIN)
                begin = Position.joined([Position.BEGIN], tokens[0])
                pumps.append(asyncio.create_task(pump(number, begin)))
            if isinstance(found, Exception):
                raise found
            if found is None:
                continue
            number, (token, name, data) = found
            rows[number] = Position.row_of(token)
            if name:
                wide = Position.joined(rows, token)
                yield wide, name, {**data, "position": wide}
            elif number in behind:
                behind.discard(number)
                if not behind:
                    yield Position.joined(rows, token), "", {}
    finally:
        grown.discard(ready)
        await end_tasks(*pumps)


def _is_next(layout: Layout, shard: int, run_id: str, row: int, read: Mapping[int, int]) -> bool:
    """Whether all that earlier owners of a run wrote before a row of this shard is read."""
    chain = layout.chains[partition_of(run_id, layout.partitions)]
    for at, held in enumerate(chain):
        first, last = held.extent.first_row, held.extent.last_row
        if held.shard == shard and first <= row and (not last or row <= last):
            return all(read.get(before.shard, 0) >= before.extent.last_row for before in chain[:at])
    return False  # it is just arriving: the layout says so soon


async def _steadily(
    shards: Sequence[Shard], number: int, who: Caller, run_id: str | None, at: str | None,
    types: frozenset[str] | None, *, patient: bool,
) -> AsyncIterator[Item]:  # fmt: skip
    """A shard's own feed; when its owner ends it resumes, after the last event, from the next owner. `patient` also
    waits for an owner that is down, or not there, at the start."""
    while True:
        try:
            place = run_id is None
            feed = shards[number].stream("follow", who, run_id=run_id, position=at, types=types, place=place)
            async for token, name, data in feed:
                at = token
                yield token, name, data
            return
        except Unavailable as error:
            if error.code != LOST and not (patient and (error.code == DOWN or finds_owner(error))):
                raise
            patient = True
        with suppress(TimeoutError):  # another process may own it from now on
            async with asyncio.timeout(READY_S):
                await shards[number].ready()
