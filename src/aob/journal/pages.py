"""Pages of state: a long stream that was evicted is restored from its folded state, and only later events are folded. A
page may be deleted at any time. It is valid only if undamaged, written by the same code for the same stream, and the
store still holds the decision after which it was written; otherwise the stream is folded from its events."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from aob.core.errors import AobError
from aob.core.value import digest_of
from aob.journal.law.law import Law
from aob.journal.law.stream import Stream
from aob.journal.log import logger
from aob.journal.parts import chunk_crc, segment_chunks
from aob.ports.pages import Key, OwnedPages
from aob.ports.store import Store

PAGE_EVENTS: Final = 10_000  # a stream with more events gets a page of its state when it is evicted
PAGE_AGAIN: Final = 1_000  # events after which a page is written again
BEHIND: Final = "~"
"""Prefix of the names of pages that are read one by one; an empty page without the prefix marks that one exists."""


class _Head(msgspec.Struct, array_like=True):
    """`seq` events are folded; `mark` is the checksum of the decision that they end with, `hash` that of the state."""

    stream: str
    seq: int
    mark: int
    version: str
    hash: bytes


_heads: Final = msgspec.msgpack.Decoder(tuple[_Head, bytes])


class StatePages:
    """The pages of a shard. Errors are never raised: they are counted, and the events are folded."""

    def __init__(self, pages: OwnedPages) -> None:
        self._pages = pages
        self._known: dict[str, tuple[str, int]] = {}
        """Tenant and position of each stream that has a page, or is getting one."""
        self._read = False
        self._turn = asyncio.Lock()
        self.stats = {"written": 0, "used": 0, "refused": 0, "failed": 0, "folded": 0}
        """`folded`: events that restored streams were folded from."""

    def of(self, streams: Iterable[str]) -> list[str]:
        """The streams among these that have a page."""
        return [name for name in streams if name in self._known] if self._known else []

    async def begin(self, lives: Callable[[str], bool]) -> None:
        """Becomes the owner if there are pages; removes those of streams that have ended or live elsewhere."""
        try:
            if not self._read:
                for tenant in await self._pages.tenants():
                    await self._pages.begin()
                    self._known |= dict.fromkeys(await self._pages.load(tenant), (tenant, 0))
                self._read = True
        except AobError as error:
            self._failed("", error)
        await self.remove([name for name in self._known if not lives(name)])

    def wanted(self, stream: Stream) -> bool:
        """Whether an evicted stream gets a page; from now on it can be removed."""
        known = self._known.get(stream.name, ("", 0))
        if stream.seq <= PAGE_EVENTS or not stream.law.fold_version or stream.seq < known[1] + PAGE_AGAIN:
            return False
        self._known[stream.name] = (stream.tenant, known[1])
        return True

    async def keep(self, store: Store, stream: Stream, away: Callable[[], bool]) -> None:
        """Writes the page of a stream while it is evicted."""
        name, law = stream.name, stream.law
        try:
            async with self._turn:
                if not away() or name not in self._known:
                    return
                state, mark = law.page(stream), await _mark_at(store, law, name, stream.seq)
                if state is None or mark is None or not away():
                    return
                head = _Head(name, stream.seq, mark, law.fold_version, digest_of(state))
                page = msgspec.msgpack.encode((head, state))
                await self._pages.save({}, {(stream.tenant, name): b"", (stream.tenant, BEHIND + name): page})
                self._known[name] = (stream.tenant, stream.seq)
                self.stats["written"] += 1
        except Exception as error:
            self._failed(name, error)

    async def restore(self, store: Store, stream: Stream) -> bool:
        """Gives a fresh stream the state of its page. Returns False, without changes, if the page is not valid."""
        name, law = stream.name, stream.law
        tenant, _ = self._known.get(name, ("", 0))
        if name not in self._known:
            return False
        try:
            head, state = _heads.decode(await self._pages.page(tenant, BEHIND + name) or b"")
            sound = head.stream == name and head.version == law.fold_version and head.hash == digest_of(state)
            if sound and head.mark == await _mark_at(store, law, name, head.seq):
                stream.state, stream.seq = law.unpage(state), head.seq
                self._known[name] = (tenant, head.seq)
                self.stats["used"] += 1
                return True
        except Exception as error:
            self._failed(name, error)
        await self.refuse(name)
        return False

    async def refuse(self, stream: str) -> None:
        """Removes an invalid page."""
        self.stats["refused"] += 1
        await self.remove([stream])

    async def remove(self, streams: Iterable[str]) -> None:
        """Removes the pages of streams."""
        async with self._turn:
            keys: dict[Key, bytes | None] = {}
            for name in streams:
                tenant, _ = self._known.get(name, ("", 0))
                keys |= {(tenant, name): None, (tenant, BEHIND + name): None}
            try:
                if keys:
                    await self._pages.save({}, keys)
            except AobError as error:
                self._failed("", error)
                return
            for _, name in keys:
                self._known.pop(name, None)

    def _failed(self, stream: str, error: Exception) -> None:
        self.stats["failed"] += 1
        known = isinstance(error, AobError)
        logger().warning("state_page_failed", stream=stream, why=str(error)[:200], exc_info=None if known else error)


async def _mark_at(store: Store, law: Law, name: str, seq: int) -> int | None:
    """The checksum of the decision whose events end at a position; None if the store does not hold it."""
    for segment in await store.segments(name, seq - 1, 1):
        end = segment.first_seq
        for chunk in await segment_chunks(store, segment):
            events: list[Any] = law.decode(chunk.data)
            end += len(events)
            if end == seq:
                return chunk_crc(name, chunk)
    return None
