"""The port `Topics` over the shards of a home. What is asked of a partition goes to the shard that owns it; records
from before it was moved there are read where they lie."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from aob.compose.layout import Layout
from aob.compose.topics.of_shard import Known, RowText, row_text
from aob.compose.wire import DOWN, LOST, Waiting, encode
from aob.compose.wire.waiting import UNOWNED_S, finds_owner, until
from aob.core.errors import CallerError, Unavailable
from aob.core.policy import Caller
from aob.journal.topics import Keep, Trimmed
from aob.ports.log import Appended, Logged, Record, TopicShape, check_append
from aob.ports.topics import GroupMark, RecordRow, TopicEnd, cut, key_of

MOVED: Final = "partition_moved"
AWAY: Final = "store_away"
OLDER: Final = frozenset(("unknown_verb", "role_refused"))
"""What an owner of an earlier release answers, alone or as a member of a cluster."""
UNTAKEN: Final = frozenset((MOVED, DOWN, "not_owner"))
"""Codes of shards that did nothing, and soon another or the same will."""

T = TypeVar("T")
Rows = Callable[[str, str, int, int, int], Awaitable[list[RecordRow]]]
"""`rows(tenant, topic, partition, start, limit)`: rows that end after an offset."""


class Asked(Protocol):
    """A shard, in this or another process."""

    number: int

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb."""


class Serving(NamedTuple):
    """The shards of the home by number, and who owns what."""

    shards: Sequence[Asked]
    layout: Callable[[], Layout]


class HomeTopics:
    """The topics of a home. Callers wait until the shards are told."""

    def __init__(self) -> None:
        self._there = asyncio.Event()
        self._serving: Serving
        self._waiting = Waiting()
        self._elsewhere: Rows | None = None

    def serve(self, shards: Sequence[Asked], layout: Callable[[], Layout]) -> None:
        """From now on these shards answer. The list may grow."""
        self._serving = Serving(shards, layout)
        self._there.set()

    def read_by(self, rows: Rows) -> None:
        """From now on another process, which knows all shards, reads rows for this one."""
        self._elsewhere = rows

    # -- records ------------------------------------------------------------------------------------------------------

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False
    ) -> list[Appended]:
        """See `aob.ports.log.Log`, as for the next ones."""
        await self._there.wait()
        size = check_append(tenant, topic, partition, records, self._serving.layout().partitions)
        if not records:
            return []
        text, keys = encode(list(records)).decode(), list[str]()
        if keyed:
            keys = [key_of(record.source, record.id).hex() for record in records]

        async def ask(shard: Asked) -> Any:
            known = await self._known(tenant, topic, partition, keys)
            return await shard.call("topic_append", None, tenant, topic, partition, text, keyed, known)

        told = await self._of(partition, ask, size=size, repeats=keyed)
        return msgspec.convert(told, list[Appended])

    async def _known(self, tenant: str, topic: str, partition: int, keys: Sequence[str]) -> Known:
        """Those of these keys that shards have which owned the partition before."""
        found: Known = {}
        for shard in self._having(partition)[1:] if keys else ():
            told = await shard.call("topic_known", None, tenant, topic, partition, list(keys))
            found |= msgspec.convert(told, Known)
        return found

    async def placed(self, tenant: str, topic: str, partition: int, source: str, id: str) -> int | None:
        """The offset of a record that was appended with its key; None if there is none."""
        key = key_of(source, id).hex()

        async def ask(_: Asked) -> int | None:
            for shard in self._having(partition):
                told = await shard.call("topic_known", None, tenant, topic, partition, [key])
                if (known := msgspec.convert(told, Known).get(key)) is not None:
                    return known[0]
            return None

        await self._there.wait()
        return await self._of(partition, ask, repeats=True)

    async def value(self, tenant: str, partition: int, digest: bytes) -> bytes | None:
        """A value that a record of a partition refers to, if a shard has it that had the partition."""

        async def ask(_: Asked) -> bytes | None:
            for shard in self._having(partition):
                told = await shard.call("topic_value", None, tenant, digest.hex())
                if told is not None:
                    return str(told).encode()
            return None

        await self._there.wait()
        return await self._of(partition, ask, repeats=True)

    async def read(self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000) -> list[Logged]:
        """Records from an offset on."""
        found, at = list[Logged](), start
        while not found and (rows := await self.rows(tenant, topic, partition, at, limit)):
            for row in rows:
                found += [each for each in row.logged("the topics of this home") if each.offset >= start]
            at = rows[-1].end  # of the rows so far nothing may be kept
        return found[: max(0, limit)]

    async def rows(self, tenant: str, topic: str, partition: int, start: int, limit: int) -> list[RecordRow]:
        """Rows that end after an offset."""

        async def ask(_: Asked) -> list[list[RecordRow]]:
            return [
                [row_text(tenant, topic, partition, told) for told in msgspec.convert(
                    await shard.call("topic_rows", None, tenant, topic, partition, start, limit), list[RowText])]
                for shard in self._having(partition)
            ]  # fmt: skip

        if self._elsewhere is not None:
            return await self._elsewhere(tenant, topic, partition, start, limit)
        await self._there.wait()
        return cut(_first_of(await self._of(partition, ask, repeats=True)), start, limit)

    async def topics(self, tenant: str, topic: str = "") -> list[TopicShape]:
        """The topics of a tenant, or one of them."""
        await self._there.wait()
        found: dict[str, dict[int, int]] = {}
        for told in await self._all("topic_ends", tenant, topic):
            for end in msgspec.convert(told, list[TopicEnd]):
                found.setdefault(end.topic, {})[end.partition] = end.next
        return [TopicShape(name, dict(sorted(ends.items()))) for name, ends in sorted(found.items())]

    async def starts(self, tenant: str, topics: Sequence[str]) -> dict[str, dict[int, int]]:
        """The offset of the first record that is kept of each partition of these topics that has one."""
        await self._there.wait()
        found: dict[str, dict[int, int]] = {topic: {} for topic in topics}
        for shard in self._serving.shards if topics else ():
            told = await self._until(partial(shard.call, "topic_starts", None, tenant, list(topics)), repeats=True)
            for topic, partition, first in told:
                found[topic][partition] = min(first, found[topic].get(partition, first))
        return found

    async def trim(self, tenant: str, topic: str, keep: Keep) -> Trimmed:
        """Remove what is no longer kept of a topic, in all shards that have records of it, also those that do not write
        it any more."""
        await self._there.wait()
        records = size = 0
        for shard in list(self._serving.shards):
            more = True
            while more:
                asked = partial(shard.call, "topic_trim", None, tenant, topic, msgspec.to_builtins(keep))
                told = msgspec.convert(await self._until(asked, repeats=True), Trimmed)
                records, size, more = records + told.records, size + told.bytes, told.more
        return Trimmed(records, size)

    async def moved(self, tenant: str, topic: str, wait_ms: int) -> None:
        """Returns when a topic gets a record, or after this time."""
        await self._there.wait()
        waits = [
            asyncio.ensure_future(shard.call("topic_wait", None, tenant, topic, wait_ms)) for shard in self._owners()
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    # -- groups -------------------------------------------------------------------------------------------------------

    async def marks(self, tenant: str, group: str = "") -> list[GroupMark]:
        """How far the groups of a tenant are; or one of them."""
        await self._there.wait()
        told = await self._all("group_marks", tenant, group)
        found = [mark for each in told for mark in msgspec.convert(each, list[GroupMark])]
        return sorted(found, key=lambda mark: (mark.group, mark.topic, mark.partition))

    async def move_mark(
        self, tenant: str, group: str, topic: str, partition: int, low: int, before: int | None, reset: bool = False
    ) -> GroupMark:  # fmt: skip
        """Set how far a group is in a partition. Raises Conflict `group_moved` if it is not at `before`."""

        async def ask(shard: Asked) -> Any:
            return await shard.call("group_move", None, tenant, group, topic, partition, low, before, reset)

        await self._there.wait()
        return msgspec.convert(await self._of(partition, ask), GroupMark)

    # -- shards -------------------------------------------------------------------------------------------------------

    def _owners(self) -> list[Asked]:
        return [self._serving.shards[number] for number in self._serving.layout().active]

    def _having(self, partition: int) -> list[Asked]:
        """The shards that may have records of a partition; its owner first."""
        layout = self._serving.layout()
        numbers = (layout.owner(partition), *(held.shard for held in reversed(layout.chains[partition])))
        return [self._serving.shards[number] for number in dict.fromkeys(numbers)]

    async def _all(self, verb: str, *args: Any) -> list[Any]:
        """The answers of all shards that own partitions."""

        async def ask(number: int) -> Any:
            return await self._until(lambda: self._serving.shards[number].call(verb, None, *args), repeats=True)

        return await asyncio.gather(*map(ask, self._serving.layout().active))

    async def _of(
        self, partition: int, ask: Callable[[Asked], Awaitable[T]], *, size: int = 0, repeats: bool = False
    ) -> T:  # fmt: skip
        """Ask the owner of a partition, as soon as there is one."""
        return await self._until(lambda: ask(self._having(partition)[0]), size=size, repeats=repeats)

    async def _until(self, ask: Callable[[], Awaitable[T]], *, size: int = 0, repeats: bool = False) -> T:
        """The answer, asked again while a shard changes hands. What `repeats` is asked again too when it may have
        happened. Raises Unavailable when that takes long."""
        until_s = 0.0
        while True:
            try:
                return await ask()
            except CallerError as error:
                if error.code in OLDER:
                    raise Unavailable(
                        "a shard is owned by an earlier release, which has no topics", code=AWAY,
                        hint="it goes on when all coordinators are of this release",
                    ) from error  # fmt: skip
                raise
            except Unavailable as error:
                until_s = until_s or until(UNOWNED_S)
                again = error.code in UNTAKEN or finds_owner(error) or (repeats and error.code == LOST)
                if not again or not await self._waiting.turn(until_s, size):
                    raise


def _first_of(lists: Sequence[list[RecordRow]]) -> list[RecordRow]:
    """What several shards have from an offset on: the rows of the one that begins first, up to where another begins."""
    begun = sorted((rows for rows in lists if rows), key=lambda rows: rows[0].first)
    if len(begun) < 2:
        return begun[0] if begun else []
    return [row for row in begun[0] if row.first < begun[1][0].first]
