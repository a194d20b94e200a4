"""Removes what removed runs leave behind (larger values and logs), later, once nothing refers to it. Does not block:
scans references page by page off the loop. Rows written in the meantime are checked again in the commit that removes
values; for blobs the file's time, which is that of its last write, is checked before removal."""

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from aob.core.event import derived_id
from aob.journal.removal import PREFIX, Removals, Remove, Settle, ValuesRemoved
from aob.ports.store import Leftover
from aob.runs.core import Core
from aob.runs.removal.judge import VALUE, listed, lists_in

GRACE_MS: Final = 3_600_000
"""How long data of a removed run stays: longer than any concurrent reader or fork of that run needs."""
SWEEP_AT_ONCE: Final = 10_000
SEGMENTS_AT_ONCE: Final = 128
CHUNKS_AT_ONCE: Final = 1_000
ROWS_AT_ONCE: Final = 100
ALL_MS, ALL = 1 << 62, 1 << 30
_NAMED: Final = re.compile(rb"sha256:([0-9a-f]{64})")
_HEX: Final = re.compile(rb"[0-9a-f]{64}")
_RUN: Final = "run_"  # records of runs write a reference as `sha256:HEX`; others may write the hash alone


class Sweeping(Protocol):
    """The leftovers of one shard, in any process. Hashes are sent as hexadecimal characters."""

    async def due(self, before_ms: int) -> tuple[int, Mapping[str, Sequence[str]]]:
        """The current durable row, and the values to check by tenant."""

    async def referred(self, tenant: str, hashes: Collection[str], before_ms: int) -> Sequence[str]:
        """The hashes that this shard refers to, or did until a moment ago."""

    async def remove(self, tenant: str, kept: Collection[str], before_ms: int, row: int) -> int:
        """Remove the due data of a tenant except `kept`; returns the number of values. `row` is from `due`."""


async def swept(shards: Sequence[Sweeping], before_ms: int) -> int:
    """Sweeps all leftovers from before an instant. Returns the number of removed values."""
    count = 0
    for shard in shards:
        while (told := await shard.due(before_ms))[1]:
            row, due = told
            for tenant, hashes in due.items():
                found = [await each.referred(tenant, hashes, before_ms) for each in shards] if hashes else []
                count += await shard.remove(tenant, sorted({hash for some in found for hash in some}), before_ms, row)
    return count


class Sweep:
    """The leftovers of a shard that this process owns."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def due(self, before_ms: int) -> tuple[int, Mapping[str, Sequence[str]]]:
        row, found = self._core.journal.durable_row, dict[str, list[str]]()
        for each in await self._core.store.leftovers(before_ms, SWEEP_AT_ONCE):
            hashes = found.setdefault(each.tenant, [])
            if each.kind == VALUE:
                hashes.append(each.name.hex())
        return row, found

    async def referred(self, tenant: str, hashes: Collection[str], before_ms: int) -> Sequence[str]:
        """See Sweeping; includes values of a run that was removed just now, which may still be read."""
        core, wanted = self._core, frozenset(hash.encode() for hash in hashes)
        looked = _Looked(wanted)
        # Memory first: a segment written in the meantime holds nothing else.
        chunks = [
            (stream.name, bytes(chunk.data))
            for stream in list(core.journal.streams.values())
            for chunk in stream.chunks
        ]
        for at in range(0, len(chunks), CHUNKS_AT_ONCE):
            await asyncio.to_thread(looked.over, chunks[at : at + CHUNKS_AT_ONCE])
        after = ("", -1)
        while segments := await core.store.all_segments(after, SEGMENTS_AT_ONCE):
            after = (segments[-1].stream, segments[-1].first_seq)
            await asyncio.to_thread(looked.over, [(each.stream, each.data) for each in segments])
        row, journal = 0, core.journal
        while rows := await core.store.journal(row, ROWS_AT_ONCE):  # events without a copy in a segment
            row = rows[-1].row
            parts = [part for each in rows for part in journal.readable(each)]
            await asyncio.to_thread(looked.over, [(stream, bytes(data)) for stream, _, data, _ in parts])
        for digest in looked.lists:
            looked.found |= wanted & {each.hex().encode() for each in await listed(core, tenant, {digest})}
        recent = await core.store.leftovers(ALL_MS, ALL, since_ms=before_ms)
        return [hash.decode() for hash in looked.found | (wanted & {each.name.hex().encode() for each in recent})]

    async def remove(self, tenant: str, kept: Collection[str], before_ms: int, row: int) -> int:
        core = self._core
        async with core.removing:
            due = [each for each in await core.store.leftovers(before_ms, SWEEP_AT_ONCE) if each.tenant == tenant]
            named = await self._named_after(row)
            values = [each for each in due if each.kind == VALUE and each.name.hex() not in kept]
            values = [each for each in values if each.name.hex().encode() not in named]
            if values:
                hashes = [each.name for each in values]
                record = ValuesRemoved(tenant, 0, hashes, sum([await self._size(tenant, each) for each in values]))
                prepared = Removals(dropped=[(tenant, each.name) for each in values], unless_after=row)
                name = PREFIX + derived_id("removal", core.ids.next())
                await core.journal.ask(name, Remove(record, prepared), fresh=True)
                for each in values:
                    core.values.forget(tenant, each.name)
                    await core.blobs.forget(tenant, each.name, before_ms)
            await self._unlogged([each.name.decode() for each in due if each.kind != VALUE])
            # Last: a crash before this repeats the sweep.
            if due:
                await core.journal.ask(PREFIX + "none", Settle(Removals(settled=due)), fresh=True)
            return len(values)

    async def _named_after(self, row: int) -> set[bytes]:
        """Every hash in the rows after a row."""
        found = set[bytes]()
        while rows := await self._core.store.journal(row, ROWS_AT_ONCE):
            row = rows[-1].row
            for each in rows:
                found.update(await asyncio.to_thread(_HEX.findall, each.data))
        return found

    async def _size(self, tenant: str, each: Leftover) -> int:
        data = await self._core.store.value(tenant, each.name)
        if data is not None:
            return len(data)
        return await self._core.blobs.size(tenant, each.name) if await self._core.blobs.has(tenant, each.name) else 0

    async def _unlogged(self, names: Iterable[str]) -> None:
        """Finishes log removals that were cut off; a run restarted under the same id keeps its log."""
        for name in names:
            if name not in self._core.journal.streams and await self._core.store.head(name) is None:
                await self._core.logs.remove(name)


class _Looked:
    """Which of some hashes records refer to, and the lists of further values in them."""

    def __init__(self, wanted: frozenset[bytes]) -> None:
        self._wanted = wanted
        self.found: set[bytes] = set()
        self.lists: set[bytes] = set()

    def over(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Scans the bytes of records of streams."""
        for stream, data in records:
            pattern = _NAMED if stream.startswith(_RUN) else _HEX
            self.found.update(self._wanted.intersection(pattern.findall(data)))
            self.lists |= lists_in(data)
