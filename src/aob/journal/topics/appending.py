"""Appends records to the topics of a shard as commands of its inbox: offsets are given when a batch is decided, and the
records are written by its commit. What the decision needs of the store is read before it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from aob.core.errors import AobError, Busy, Conflict, Unavailable
from aob.journal.batch import Draft
from aob.journal.deciding import TOPICS, Asked, Deciding, fail
from aob.journal.parts import GAP_OF_ONE
from aob.journal.topics.commands import Append, Known, MoveMark, Place
from aob.journal.topics.draft import Appends
from aob.journal.topics.memory import Bells, TopicsMemory
from aob.ports.log import Appended, Record, check_append, content_digest
from aob.ports.store import Trim
from aob.ports.topics import GroupMark, KeyRow, RecordRow, cut, key_of

WAITING_BYTES: Final = 64 * 1024 * 1024  # bytes of records that may wait for their commits; further ones are refused
DRAFT_BYTES: Final = 16 * 1024 * 1024  # bytes of records after which a commit takes no further append


class _Lane:
    """Who reads the store for commands about one partition of a topic, one after the other."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock, self.users = asyncio.Lock(), 0


class Appending(Deciding):
    """The topics of a shard. The journal commits."""

    def __init__(self) -> None:
        super().__init__()
        self.topics, self.bells = TopicsMemory(), Bells()
        self._appending = 0  # bytes of records that wait
        self._lanes: dict[Place, _Lane] = {}

    async def append(
        self, tenant: str, topic: str, partition: int, records: Sequence[Record], *, keyed: bool = False,
        elsewhere: dict[bytes, Known] | None = None,
    ) -> list[Appended]:  # fmt: skip
        """Append records to a partition of this shard, all or none; returns once they are durable. Keyed ones as
        `aob.ports.log.Log.append` says; `elsewhere` are those of their keys that an earlier owner of the partition
        has. Raises Conflict `event_exists`, TooLarge, CallerError, Busy, Unavailable."""
        size = check_append(tenant, topic, partition, records, self.partitions)
        if not records:
            return []
        if self._appending + size > WAITING_BYTES:
            raise Busy(f"{self._appending >> 20} MiB of records wait for their commits", retry_after_s=0.5)
        keys = [key_of(record.source, record.id) for record in records] if keyed else ()
        command = Append((tenant, topic, partition), records, keys, elsewhere=elsewhere or {})
        self._appending += size
        try:
            told: list[Appended] = await self._ask(command)
        finally:
            self._appending -= size
        return told

    async def move_mark(
        self, tenant: str, group: str, topic: str, partition: int, low: int, before: int | None = None,
        reset: bool = False,
    ) -> GroupMark:  # fmt: skip
        """Set how far a group is in a partition; returns once it is durable. Raises Conflict `group_moved` if it is
        not where the caller believes."""
        told: GroupMark = await self._ask(MoveMark((tenant, topic, partition), group, low, before, reset=reset))
        return told

    async def trim(self, trim: Trim) -> None:
        """Remove what is no longer kept of a partition, also of one that another shard writes now; returns once that
        is durable. Raises Busy, Unavailable."""
        self._open_to_callers()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._inbox.append(Asked(TOPICS, trim, future, False))
        self._wake.set()
        await future

    async def read_records(
        self, tenant: str, topic: str, partition: int, start: int, limit: int = 1_000
    ) -> list[RecordRow]:  # fmt: skip
        """Rows of this shard that end after an offset, see `aob.ports.topics.TopicRows.records`: from memory near the
        end, else from the store."""
        rows = self.topics.newest((tenant, topic, partition), start)
        if rows is not None:
            return cut(rows, start, limit)
        return await self.store.records(tenant, topic, partition, start, limit)

    # -- asking -----------------------------------------------------------------------------------------------------

    async def _ask(self, command: Append | MoveMark) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._admit(command.place[2])
        async with self._lane(command.place):
            await self._look(command)
            self._admit(command.place[2])
            self._inbox.append(Asked(TOPICS, command, future, False))
            self._wake.set()
        return await future

    @asynccontextmanager
    async def _lane(self, place: Place) -> AsyncIterator[None]:
        """Commands about one partition of a topic enter the inbox in the order in which they were asked."""
        lane = self._lanes.setdefault(place, _Lane())
        lane.users += 1
        try:
            async with lane.lock:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[place]

    def _admit(self, partition: int) -> None:
        self._open_to_callers()
        self._check_here(partition)

    def _open_to_callers(self) -> None:
        """Raises what refuses commands now."""
        raise NotImplementedError

    def _check_here(self, partition: int) -> None:
        """Raises Unavailable `partition_moved` for a partition of another shard."""
        if partition in self.foreign:
            raise Unavailable(f"partition {partition} is not in shard {self.shard}", code="partition_moved",
                              hint="ask again: the home routes to its owner", shard=self.shard)  # fmt: skip

    async def _look(self, command: Append | MoveMark) -> None:
        """Read what the decision needs of the store."""
        while command.life != self.topics.life:
            life, place = self.topics.life, command.place
            if type(command) is MoveMark:
                if (command.group, place) not in self.topics.marks:
                    mark = await self.stored_mark(command.group, place)
                    if life == self.topics.life:
                        self.topics.marks.setdefault((command.group, place), (mark, 0))
            elif type(command) is Append and command.keys:
                asked = [key for key in command.keys if (place, key) not in self.topics.keys]
                command.known = await self.store.keyed(*place, asked) if asked else {}
            if place not in self.topics.ends:
                end = await self.store.topic_end(*place)
                if life == self.topics.life:
                    self.topics.ends.setdefault(place, (end, 0))
            command.life = life

    async def stored_mark(self, group: str, place: Place) -> GroupMark | None:
        """How far a group is in a partition, as the store has it."""
        tenant, topic, partition = place
        found = await self.store.group_marks((tenant, group, topic, partition - 1), 1)
        wanted = tenant, group, topic, partition
        return next((mark for mark in found if (mark.tenant, mark.group, mark.topic, mark.partition) == wanted), None)

    async def _look_again(self, asked: Asked) -> None:
        """Something was forgotten since it was read: reads it again, and asks again."""
        try:
            await self._look(asked.command)
        except AobError as error:
            fail(asked, error)
        except BaseException:
            fail(asked, Unavailable("the home is closing", code="closing"))
            raise
        else:
            self._inbox.append(asked)
            self._wake.set()

    # -- deciding ---------------------------------------------------------------------------------------------------

    def _decide_topic(self, draft: Draft, asked: Asked) -> bool:
        """Decides a command about a topic; False if the commit has no room for it."""
        appends = draft.appends = draft.appends or Appends()
        if appends.size > DRAFT_BYTES:
            return False
        if type(trim := asked.command) is Trim:
            appends.trims.append(trim)
            appends.size += sum(len(row.data) for row in trim.kept)
            draft.asked.append(asked)
            draft.answers.append((asked, None))
            return True
        command: Append | MoveMark = asked.command
        if command.life != self.topics.life:
            self.aside(self._look_again(asked))
            return True
        draft.asked.append(asked)
        try:
            self._check_here(command.place[2])
            draft.answers.append((asked, self._decided_topic(draft, appends, command)))
        except AobError as error:
            draft.answers.append((asked, error))
        return True

    def _decided_topic(self, draft: Draft, appends: Appends, command: Append | MoveMark) -> Any:
        if type(command) is Append:
            return self._decide_append(draft.row, draft.at_ms, appends, command)
        assert type(command) is MoveMark
        return self._decide_mark(draft.row, draft.at_ms, appends, command)

    def _decide_append(self, row: int, at_ms: int, appends: Appends, command: Append) -> list[Appended]:
        """The offsets of records. Raises Conflict before it changes anything."""
        place, (first, _) = command.place, self.topics.ends[command.place]
        if not command.keys:
            appends.add(place, first, list(command.records), at_ms)
            self.topics.ends[place] = first + len(command.records), row
            return [Appended(offset) for offset in range(first, first + len(command.records))]
        told, fresh, keys = list[Appended](), list[Record](), dict[bytes, Known]()
        for key, record in zip(command.keys, command.records, strict=True):
            digest = content_digest(record)
            known = keys.get(key) or self.topics.known(place, key) or command.known.get(key)
            if (known := known or command.elsewhere.get(key)) is not None:
                if known[1] != digest:
                    raise Conflict(f"event {record.id} is there with other content", code="event_exists")
                told.append(Appended(known[0], True))
                continue
            keys[key] = first + len(fresh), digest
            told.append(Appended(first + len(fresh)))
            fresh.append(record)
        if fresh:
            appends.add(place, first, fresh, at_ms)
            appends.keys += [KeyRow(*place, key, *known) for key, known in keys.items()]
            self.topics.ends[place] = first + len(fresh), row
            self.topics.keys |= {(place, key): (*known, row) for key, known in keys.items()}
        return told

    def _decide_mark(self, row: int, at_ms: int, appends: Appends, command: MoveMark) -> GroupMark:
        (tenant, topic, partition), (end, _) = command.place, self.topics.ends[command.place]
        mark, _ = self.topics.marks[command.group, command.place]
        low = 0 if mark is None else mark.low
        if command.before is not None and command.before != low:
            raise Conflict(
                f"group {command.group} is at offset {low} of partition {partition} of {topic}, "
                f"not at {command.before}",
                code="group_moved", hint="another consumer of this group went on, or it was reset: read again from it",
            )  # fmt: skip
        if not 0 <= command.low <= end:
            raise Conflict(f"partition {partition} of {topic} has offsets 0 to {end}, not {command.low}",
                           code="no_such_offset", hint="commit what was read")  # fmt: skip
        made = _moved(mark or GroupMark(tenant, command.group, topic, partition, 0), command, at_ms)
        appends.marks[tenant, command.group, topic, partition] = made
        appends.moved += [command.place] if command.reset else []
        self.topics.marks[command.group, command.place] = made, row
        return made

    # -- committing -------------------------------------------------------------------------------------------------

    @staticmethod
    def _seal_appends(draft: Draft) -> None:
        """A commit of records without events has a row too, of a gap: so that what was acknowledged has a number."""
        if draft.appends is None or not (draft.appends.ends or draft.appends.marks or draft.appends.trims):
            return
        draft.beside.append(draft.appends)
        if not draft.count:
            draft.parts.append(GAP_OF_ONE)
            draft.size += len(GAP_OF_ONE) + 1
            draft.count = 1

    def _appended(self, appends: Appends) -> None:
        """What a commit appended is durable."""
        for trim in appends.trims:
            self.topics.trimmed(trim)
        for row in appends.rows:
            self.topics.keep(row)
        moved = ((tenant, topic) for tenant, topic, _ in appends.moved)
        for tenant, topic in dict.fromkeys((*((row.tenant, row.topic) for row in appends.rows), *moved)):
            self.bells.ring(tenant, topic)
        self.topics.durable(self.durable_row)


def _moved(mark: GroupMark, command: MoveMark, at_ms: int) -> GroupMark:
    """A mark that is set to another offset. Forward, what is done above it stays done."""
    low = command.low
    if command.reset and (low < mark.low or (low == mark.low and mark.done)):
        return msgspec.structs.replace(mark, low=low, done=(), at_ms=at_ms, generation=mark.generation + 1)
    done = tuple(offset for offset in mark.done if offset >= low)
    while done and done[0] == low:
        low, done = low + 1, done[1:]
    return msgspec.structs.replace(mark, low=low, done=done, at_ms=at_ms)
