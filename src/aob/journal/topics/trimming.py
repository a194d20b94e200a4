"""Removes records that are no longer kept from the rows of a shard, a slice a commit: those that are too old or too
many, those that a newer one of the same subject stands for, or all. Rows that are no longer what was written go too."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from aob.core.errors import Unavailable
from aob.core.value import digest_of
from aob.journal.topics.appending import Appending
from aob.journal.topics.commands import Place
from aob.ports.log import Logged, Record
from aob.ports.store import Trim
from aob.ports.topics import RecordRow, key_of

SLICE_RECORDS: Final = 1_000  # records that one commit removes, or looks at
SUBJECTS_MAX: Final = 100_000  # subjects that one pass of a compaction remembers
UNBOUNDED: Final = -1
_FAR_MS: Final = 10**15


class Keep(msgspec.Struct, frozen=True):
    """What is kept: records from `since_ms` on, `bytes` of a partition (-1: without a bound). When it is to `compact`,
    of those before `settled_ms` the newest of each subject, and no null from before `nulls_ms`. `nothing`: the topic is
    deleted."""

    since_ms: int = UNBOUNDED
    bytes: int = UNBOUNDED
    compact: bool = False
    settled_ms: int = 0
    nulls_ms: int = 0
    nothing: bool = False


class Trimmed(msgspec.Struct, frozen=True):
    """How many records were removed, and how many bytes; whether there is more to look at."""

    records: int = 0
    bytes: int = 0
    more: bool = False


async def trim_slice(journal: Appending, place: Place, keep: Keep) -> Trimmed:
    """Remove the first records of a partition that are no longer kept, as far as one commit goes."""
    over = 0
    if keep.bytes != UNBOUNDED:
        over = await journal.store.topic_bytes(*place) - keep.bytes
    elif keep.since_ms == UNBOUNDED and not keep.nothing:
        return Trimmed()
    rows = await journal.store.records(*place, 0, SLICE_RECORDS)
    gone = list[RecordRow]()
    for row in rows:
        if not (keep.nothing or row.at_ms < keep.since_ms or over > 0):
            break
        gone.append(row)
        over -= len(row.data)
    if not gone:
        return Trimmed()
    records = [each for row in gone for each in _logged(row)]
    await journal.trim(Trim(*place, [row.first for row in gone], _keys(each.record for each in records)))
    return Trimmed(len(records), sum(len(row.data) for row in gone), len(gone) == len(rows))


class Compaction:
    """Of each subject of a partition only the newest record stays. What was compacted once is looked at again only
    when there are newer records, or when a null has been kept long enough."""

    def __init__(self) -> None:
        self._clean: dict[Place, int] = {}
        """Where the records begin that no pass has seen settled, by partition."""
        self._null_ms: dict[Place, int] = {}
        """When the oldest null that is kept was appended, by partition."""

    async def run(self, journal: Appending, place: Place, keep: Keep) -> Trimmed:
        """One pass over a partition, a commit for each slice in which something goes."""
        begin = self._clean.get(place, 0)
        newest, end, settled = await self._newest(journal, place, begin, keep)
        records = size = at = 0
        if newest or self._null_ms.get(place, keep.nulls_ms) < keep.nulls_ms:
            nulls = list[int]()
            while at < end and (rows := await journal.store.records(*place, at, SLICE_RECORDS)):
                looked = [row for row in rows if row.end <= end]
                some = await _compact_slice(journal, place, looked, newest, keep, nulls)
                records, size, at = records + some.records, size + some.bytes, rows[-1].end
            self._null_ms[place] = min(nulls, default=keep.nulls_ms + _FAR_MS)
        self._clean[place] = settled
        return Trimmed(records, size, more=len(newest) >= SUBJECTS_MAX and settled > begin)

    async def _newest(
        self, journal: Appending, place: Place, begin: int, keep: Keep
    ) -> tuple[dict[bytes, int], int, int]:  # fmt: skip
        """The offset of the newest record of each subject from an offset on; how far was looked; and from where on
        records are too young."""
        newest, at, settled = dict[bytes, int](), begin, -1
        while len(newest) < SUBJECTS_MAX and (rows := await journal.store.records(*place, at, SLICE_RECORDS)):
            for row in rows:
                if row.at_ms >= keep.settled_ms and settled < 0:
                    settled = row.first
                for each in _logged(row):
                    if each.record.subject and each.offset >= begin:
                        newest[_named(each.record)] = each.offset
            at = rows[-1].end
        return newest, at, at if settled < 0 else settled


async def _compact_slice(
    journal: Appending, place: Place, rows: Sequence[RecordRow], newest: dict[bytes, int], keep: Keep, nulls: list[int]
) -> Trimmed:  # fmt: skip
    """Remove what newer records stand for; `nulls` gets when those were appended that stay."""
    firsts, kept, gone, size = list[int](), list[RecordRow](), list[Record](), 0
    for row in rows:
        there = _logged(row)
        nulls += [row.at_ms for each in there if _is_null(each.record) and row.at_ms >= keep.nulls_ms]
        stays = {each.offset: each.record for each in there if not _superseded(each, newest, keep)}
        if row.at_ms >= keep.settled_ms or len(stays) == len(there):
            continue
        gone += [each.record for each in there if each.offset not in stays]
        if stays:
            records = [stays.get(offset) for offset in range(row.first, row.end)]
            kept.append(RecordRow.of(*place, row.first, row.at_ms, records))
        else:
            firsts.append(row.first)
        size += len(row.data) - (len(kept[-1].data) if stays else 0)
    if firsts or kept:
        await journal.trim(Trim(*place, firsts, _keys(gone), kept))
    return Trimmed(len(gone), size)


def _superseded(each: Logged, newest: dict[bytes, int], keep: Keep) -> bool:
    record = each.record
    if not record.subject:
        return False
    last = newest.get(_named(record), each.offset)
    return last > each.offset or (_is_null(record) and each.at_ms < keep.nulls_ms)


def _is_null(record: Record) -> bool:
    return bool(record.subject) and bytes(record.data) == b"null"


def _named(record: Record) -> bytes:
    return digest_of(record.subject.encode())[:16]


def _keys(records: Iterable[Record]) -> list[bytes]:
    return [key_of(record.source, record.id) for record in records]


def _logged(row: RecordRow) -> list[Logged]:
    """The records of a row; none of one that is damaged."""
    try:
        return row.logged("the topics of this shard")
    except Unavailable:
        return []
