"""Reads of one thread from the store: a checkpoint with its values and writes, lists, everything. What a concurrent
change removes between two reads is read again."""

from collections.abc import Callable, Sequence
from typing import Final

from aob.core.errors import Unavailable
from aob.ports.store import Store
from aob.threads.command import Copied, Find, Found, Listed, Listing
from aob.threads.command.commands import FoundWrite
from aob.threads.index import ThreadIndex
from aob.threads.manifest import joined, piece_of
from aob.threads.rows import (
    CHANNEL,
    PIECE,
    POINT,
    WRITE,
    Point,
    beyond,
    channel_key,
    manifest_in,
    named,
    opened,
    point_in,
    point_key,
    write_in,
    write_named,
    writes_key,
)

AGAIN: Final = 8
ROWS: Final = 1_000
COPY_BYTES: Final = 1 << 30
"""The largest thread that is copied."""


class Incomplete(Exception):  # noqa: N818  # not an error: it is read again
    """A row is missing that another names."""


async def every(store: Store, stream: str, start: bytes = b"", limit: int = 1 << 62) -> list[tuple[bytes, bytes]]:
    """Rows whose keys begin so."""
    found: list[tuple[bytes, bytes]] = []
    first, until = start, beyond(start)
    while page := await store.entries(stream, first, until, limit=min(ROWS, limit - len(found))):
        found += page
        first = page[-1][0] + b"\0"
        if len(page) < ROWS:
            break
    return found


async def read_into(index: ThreadIndex, store: Store) -> None:
    """Fill an index with the checkpoints, values and writes of its thread."""
    stream = index.stream
    points = [(key, point_in(key, row)) for key, row in await every(store, stream, POINT)]
    values = [(key, manifest_in(key, row)) for key, row in await every(store, stream, CHANNEL)]
    index.read(points, values, [(key, write_in(key, row)) for key, row in await every(store, stream, WRITE)])


async def find(store: Store, stream: str, asked: Find) -> Found | None:
    """A checkpoint. Raises Unavailable `thread_corrupt` when a part of it is not there."""
    for _ in range(AGAIN):
        try:
            return await _find(store, stream, asked)
        except Incomplete as error:
            missing = error
    raise Unavailable(f"{stream}: {missing}", code="thread_corrupt",
                      hint="restore the file of its shard, or its database, from a backup")  # fmt: skip


async def _find(store: Store, stream: str, asked: Find) -> Found | None:
    start = point_key(asked.ns, asked.id)
    if asked.id:
        rows = [(start, row) for row in (await store.entries_at(stream, [start])).values()]
    else:
        rows = await store.entries(stream, start, beyond(start), limit=1, newest=True)
    if not rows:
        return None
    key, row = rows[0]
    point, (ns, id) = point_in(key, row), named(key)
    kinds, items = await _manifests(store, stream, ns, point)
    written = []
    for key, row in await every(store, stream, writes_key(ns, id)):
        task, told = write_named(key)[2], write_in(key, row)
        written += [(told.path, task, write) for write in told.writes]
    written.sort(key=lambda each: (each[0], each[1], each[2].place))
    data = await _pieces(store, stream, [*items.values(), *(write.items for _, _, write in written)])
    return Found(
        id, point.parent, point.body, point.metadata,
        {channel: (kinds[channel], data(each)) for channel, each in items.items()},
        [FoundWrite(task, write.channel, write.kind, data(write.items)) for _, task, write in written],
    )  # fmt: skip


async def _manifests(store: Store, stream: str, ns: str, point: Point) -> tuple[dict[str, int], dict[str, list[bytes]]]:
    """The kinds and items of the values of a checkpoint, by channel."""
    keys = {channel: channel_key(ns, channel, end) for channel, end in point.channels.items()}
    rows = await store.entries_at(stream, list(keys.values()))
    manifests = {channel: manifest_in(key, _row(rows, key)) for channel, key in keys.items()}
    chains = {channel: [manifest] for channel, manifest in manifests.items()}
    while based := {
        channel: channel_key(ns, channel, chain[-1].base) for channel, chain in chains.items() if chain[-1].base
    }:
        rows = await store.entries_at(stream, list(based.values()))
        for channel, key in based.items():
            chains[channel].append(manifest_in(key, _row(rows, key)))
    items: dict[str, list[bytes]] = {}
    for channel, chain in chains.items():
        known: list[bytes] = []
        for manifest in reversed(chain):
            known = joined(manifest, known)
        items[channel] = known
    return {channel: manifest.kind for channel, manifest in manifests.items()}, items


async def _pieces(
    store: Store, stream: str, lists: Sequence[Sequence[bytes]]
) -> Callable[[Sequence[bytes]], list[bytes]]:
    """What gives the bytes of items, which are read."""
    keys = {PIECE + piece for items in lists for item in items if (piece := piece_of(item))}
    rows = await store.entries_at(stream, list(keys))
    data = {key[1:]: opened(key, _row(rows, key)) for key in keys}
    return lambda items: [data[item[1:]] if item[0] else item[1:] for item in items]


def _row(rows: dict[bytes, bytes], key: bytes) -> bytes:
    if (row := rows.get(key)) is None:
        raise Incomplete(f"the row {key[:80]!r} is missing")
    return row


async def listing(store: Store, stream: str, asked: Listing) -> list[Listed]:
    """A page of checkpoints, the newest first."""
    found: list[Listed] = []
    if asked.ns is not None:
        start = point_key(asked.ns)
        until = point_key(asked.ns, asked.before) if asked.before else beyond(start)
        if asked.after is not None and (not asked.before or asked.after[0] < asked.before):
            until = point_key(asked.ns, asked.after[0])
        rows = await store.entries(stream, start, until, limit=asked.limit, newest=True)
        return [_listed(key, row) for key, row in rows]
    for key, row in await every(store, stream, POINT):
        each = _listed(key, row)
        if not asked.before or each.id < asked.before:
            found.append(each)
    found.sort(key=lambda each: (each.id, each.ns), reverse=True)
    return [each for each in found if asked.after is None or (each.id, each.ns) < asked.after][: asked.limit]


def _listed(key: bytes, row: bytes) -> Listed:
    ns, id = named(key)
    return Listed(ns, id, point_in(key, row).metadata)


async def copied(store: Store, stream: str) -> Copied:
    """All rows of a thread, those of checkpoints last, so that none is there before what it names."""
    for _ in range(AGAIN):
        points = await every(store, stream, POINT)
        rows = [(key, row) for key, row in await every(store, stream) if not key.startswith(POINT)]
        if points == await every(store, stream, POINT):
            return Copied([*rows, *points])
    raise Unavailable(f"{stream} changes all the time", code="thread_busy", hint="copy it when its graph rests")
