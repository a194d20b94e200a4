"""Decides which ended runs may be removed now, with what data, from their segments. Changes nothing."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec

from aob.core.errors import NotFound, Unavailable
from aob.core.run import Run
from aob.core.value import ITEMS, REF_PREFIX
from aob.journal import Stream
from aob.journal.partition import place_of
from aob.journal.removal import PREFIX
from aob.ports.blobs import GONE
from aob.ports.store import Head
from aob.runs.core import Core

SEGMENTS_AT_ONCE: Final = 16
BYTES_MAX: Final = 16 * 1024 * 1024  # bytes of segments after which a step takes no further run
_LISTS: Final = re.compile(b'"%b":%b([0-9a-f]{64})' % (ITEMS.encode().replace(b"$", b"[$]"), re.escape(REF_PREFIX)))
LOG: Final = "log"
VALUE: Final = "value"  # kinds of leftovers
NEEDED: Final = "needed"
BEHIND: Final = "behind"
UNSETTLED: Final = "unsettled"
UNREADABLE: Final = "unreadable"


class Going(msgspec.Struct):
    """A run that may be removed: its size, the journal rows that hold its events, the values they refer to by size;
    `elsewhere` are rows in shards that it moved from while it was live, each with the shard."""

    head: Head
    events: int
    size: int
    rows: set[int]
    values: dict[bytes, int]
    elsewhere: set[tuple[int, int]] = set()


class Looked(msgspec.Struct):
    """Some ended runs: those that may be removed, how many stay and why, and the last one scanned."""

    going: list[Going]
    kept: dict[str, int]
    last: Head | None

    def keep(self, why: Callable[[Going], str]) -> None:
        """Keeps the runs that have a reason to stay."""
        judged = [(each, why(each)) for each in self.going]
        self.going = [each for each, reason in judged if not reason]
        for reason in filter(None, (reason for _, reason in judged)):
            self.kept[reason] = self.kept.get(reason, 0) + 1


async def looked(core: Core, tenant: str, heads: list[Head]) -> Looked:
    """Scans ended runs in their order until there are enough for one step."""
    needed, passed = forked(core.journal.streams), await passed_row(core, tenant)
    found, size = Looked([], {}, None), 0
    if any(stream.chunks for head in heads if (stream := core.journal.streams.get(head.stream)) is not None):
        await _written(core)
    for head in heads:
        if size > BYTES_MAX:
            break
        found.last = head
        judged = await _judged(core, head, needed, passed)
        if isinstance(judged, Going):
            found.going.append(judged)
            size += judged.size
        else:
            found.kept[judged] = found.kept.get(judged, 0) + 1
    return found


def forked(streams: Mapping[str, Stream]) -> set[str]:
    """Runs that have a live fork."""
    return {
        stream.state.fork for stream in list(streams.values())
        if isinstance(stream.state, Run) and stream.state.fork and not stream.ended
    }  # fmt: skip


async def passed_row(core: Core, tenant: str) -> int:
    """The row up to which every follower of the journal has read a tenant's events."""
    rows = [await each(tenant) for each in core.followed]
    return min((row for row in rows if row is not None), default=core.journal.durable_row)


async def _written(core: Core) -> None:
    """Makes a commit that writes the segments of ended runs: in a quiet home they wait for the next commit."""
    with suppress(NotFound):
        await core.journal.ask(PREFIX + "none", None, fresh=True)


async def _judged(core: Core, head: Head, needed: set[str], passed: int) -> Going | str:
    name, journal = head.stream, core.journal
    stream = journal.streams.get(name)
    if name in needed:
        return NEEDED
    if name in journal.unreadable:
        return UNREADABLE
    if stream is not None and (stream.chunks or not stream.ended):
        return UNSETTLED  # its newest events are not in a segment yet; try again soon
    going, lists = Going(head, 0, 0, set(), {}), set[bytes]()
    try:
        while segments := await core.store.segments(name, going.events, SEGMENTS_AT_ONCE):
            for segment in segments:
                for chunk in await journal.chunks(segment):
                    data = bytes(chunk.data)
                    shard, row = place_of(chunk.row, journal.shard)
                    if shard == journal.shard:
                        going.rows.add(row)
                    else:
                        going.elsewhere.add((shard, row))
                    going.size += len(data)
                    going.values |= refs_in(data)
                    lists |= lists_in(data)
                going.size += len(segment.data)
                going.events = segment.first_seq + segment.count
    except Unavailable:
        return UNREADABLE
    going.values |= await listed(core, head.tenant, lists)
    if not going.rows:
        return UNREADABLE
    return going if max(going.rows) <= passed else BEHIND


def refs_in(data: bytes) -> dict[bytes, int]:
    """The values that bytes of records refer to, with sizes; also counts text that only looks like a reference."""
    found: dict[bytes, int] = {}
    at = 0
    while (at := data.find(REF_PREFIX, at)) >= 0:
        at += len(REF_PREFIX)
        digest, _, size = data[at : at + 90].partition(b'","size":')
        number = size.partition(b"}")[0]
        try:
            found[bytes.fromhex(digest.decode())] = int(number)
        except ValueError:
            continue
    return found


def lists_in(data: bytes) -> set[bytes]:
    """Of these, the values that list further values: the pages of a map's items."""
    return {bytes.fromhex(found.decode()) for found in _LISTS.findall(data)}


async def listed(core: Core, tenant: str, lists: set[bytes]) -> dict[bytes, int]:
    """The values that these lists contain. A missing list contains none."""
    found: dict[bytes, int] = {}
    for digest in lists:
        try:
            found |= refs_in(await core.values.fetch(tenant, digest))
        except (NotFound, Unavailable) as error:
            if error.code not in GONE:
                raise
    return found
