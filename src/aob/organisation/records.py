"""Records of topics as users append and read them. A reader's place is a position: the next offset of each
partition."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Raw

from aob.core.duration import parse_duration
from aob.core.errors import Conflict, Invalid, Problem
from aob.core.event import Position, Positions, partition_of
from aob.core.instant import is_moment, iso, ms_of
from aob.core.organisation import state as org
from aob.core.organisation import untaken
from aob.core.policy import Caller
from aob.core.topic import answers
from aob.core.value import canonical, decode
from aob.core.verb import performs
from aob.core.verbs.organisation import record_verbs as verbs
from aob.journal.topics import Keep, Trimmed
from aob.organisation.organisations import Organisations
from aob.organisation.taking import Taking
from aob.ports.log import Appended, Log, Logged, Record, Topics, token_of
from aob.ports.topics import GroupMark

SHARE_MIN: Final = 16  # records of a partition that an answer takes at least, before it takes some of another
DEAD: Final = "dead."  # before the name of an agent: the topic of its dead letters
LOOK_MS: Final = 2_000  # how long a reader waits before it looks again, should a commit have passed it by
ANSWER_BYTES: Final = 4 * 1024 * 1024  # bytes of data after which an answer takes no further partition


class GroupedTopics(Topics, Protocol):
    """The topics of a home, and the groups that read them."""

    async def moved(self, tenant: str, topic: str, wait_ms: int) -> None:
        """Returns when a topic gets a record, or after this time."""

    async def starts(self, tenant: str, topics: Sequence[str]) -> dict[str, dict[int, int]]:
        """The offset of the first record that is kept of each partition of these topics that has one."""

    async def trim(self, tenant: str, topic: str, keep: Keep) -> Trimmed:
        """Remove what is no longer kept of a topic, wherever its records lie."""

    async def placed(self, tenant: str, topic: str, partition: int, source: str, id: str) -> int | None:
        """The offset of a record that was appended with its key; None if there is none."""

    async def value(self, tenant: str, partition: int, digest: bytes) -> bytes | None:
        """A value of up to 64 KiB that a record of a partition refers to by its hash."""

    async def marks(self, tenant: str, group: str = "") -> list[GroupMark]:
        """How far the groups of a tenant are; or one of them."""

    async def move_mark(
        self, tenant: str, group: str, topic: str, partition: int, low: int, before: int | None, reset: bool = False
    ) -> GroupMark:  # fmt: skip
        """Set how far a group is; back only as a `reset`. Raises Conflict `group_moved` if it is not at `before`."""


class Records:
    """The verbs of records. `log` appends behind the gate; `life` is that of the home; `taking` says what topics
    take."""

    def __init__(
        self, organisations: Organisations, topics: GroupedTopics, log: Log, life: int, now_ms: Callable[[], int],
        taking: Taking,
    ) -> None:  # fmt: skip
        self._taking = taking
        self._tenants, self.topics, self._log, self._now_ms = organisations, topics, log, now_ms
        self.partitions = organisations.partitions
        self._positions = Positions(Positions.TOPICS, life, self.partitions)

    @performs(verbs.PRODUCE)
    async def produce(self, who: Caller, args: verbs.Produce) -> answers.Produced:
        """Append records. Raises NotFound, Conflict `topic_read_only` `event_exists`, Invalid, TooLarge, Busy."""
        topic = (await self._tenants.settled(who.tenant)).topic(args.topic)
        _refuse(topic, args.records)
        lanes: dict[int, list[int]] = {}
        made = [self._record(who, each) for each in args.records]
        self._taking.refuse(who.tenant, args.topic, made, declared=True)
        for place, record in enumerate(made):
            partition = partition_of(record.subject or record.id, self.partitions)
            lanes.setdefault(partition, []).append(place)

        async def append(partition: int, lane: Sequence[int]) -> list[Appended]:
            keyed = any(args.records[place].id for place in lane)
            return await self._log.append(
                who.tenant, args.topic, partition, [made[place] for place in lane], keyed=keyed
            )  # fmt: skip

        told = await asyncio.gather(*(append(partition, lane) for partition, lane in lanes.items()))
        found: dict[int, answers.RecordPlace] = {}
        for (partition, lane), appended in zip(lanes.items(), told, strict=True):
            for place, each in zip(lane, appended, strict=True):
                found[place] = {
                    "id": made[place].id, "partition": partition, "offset": each.offset,
                    "position": token_of(partition, each.offset), "repeated": each.repeated,
                }  # fmt: skip
        return {"records": [found[place] for place in range(len(made))], "notes": leaving(topic)}

    @staticmethod
    def _record(who: Caller, given: verbs.ProducedRecord) -> Record:
        return Record(
            given.id or secrets.token_hex(12), given.source or who.name, given.type, who.tenant, given.subject,
            Raw(canonical(given.data)), given.time, given.correlationid, given.causationid, given.depth,
            dict(given.extensions),
        )  # fmt: skip

    @performs(verbs.CONSUME)
    async def consume(self, who: Caller, args: verbs.Consume) -> answers.Consumed:
        """Records from a place on. Raises NotFound, Invalid, CallerError `bad_position`."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + args.wait_ms / 1_000
        begun = await self._begun(who, args, await self.ends(who, args.topic))
        while True:
            left_ms = round((until_s - loop.time()) * 1_000)
            waits = asyncio.ensure_future(self._news(who, args.topic, left_ms))
            try:
                await asyncio.sleep(0)  # who waits is heard before the ends are read
                ends = await self.ends(who, args.topic)
                places, records = await self._read(who, args, begun, ends)
                if records or left_ms <= 0:
                    behind = sum(max(0, ends[each] - places[each]) for each in self._of(args.partition, ends))
                    position = self.token(places)
                    removed = _removed(begun, places, records)
                    told = leaving(self._tenants.of(who.tenant).topics.get(args.topic))
                    if removed:
                        told = [f"{removed:,} records before these are no longer kept", *told]
                    return {
                        "records": records, "begun": self.token(begun), "position": position, "behind": behind,
                        "removed": removed, "notes": told,
                    }  # fmt: skip
                await waits
            finally:
                waits.cancel()
                await asyncio.gather(waits, return_exceptions=True)

    async def _news(self, who: Caller, topic: str, left_ms: int) -> None:
        if left_ms > 0:
            await self.topics.moved(who.tenant, topic, min(left_ms, LOOK_MS))

    def _of(self, partition: int | None, ends: dict[int, int]) -> list[int]:
        return sorted(ends) if partition is None else [partition] if partition in ends else []

    async def _read(
        self, who: Caller, args: verbs.Consume, begun: Sequence[int], ends: dict[int, int]
    ) -> tuple[list[int], list[answers.RecordView]]:
        """Some records of each partition that has any, another one first each time."""
        places, found, size = list(begun), list[answers.RecordView](), 0
        active = [each for each in self._of(args.partition, ends) if ends[each] > begun[each]]
        first = sum(begun) % len(active) if active else 0
        share = max(SHARE_MIN, args.limit // max(1, len(active)))
        for partition in (*active[first:], *active[:first]):
            most = min(share, args.limit - len(found))
            if most <= 0 or size > ANSWER_BYTES:
                break
            some = await self.topics.read(who.tenant, args.topic, partition, begun[partition], most)
            places[partition] = some[-1].offset + 1 if some else ends[partition]
            found += [_view(partition, each) for each in some]
            size += sum(len(bytes(each.record.data)) for each in some)
        return places, found

    # -- places -----------------------------------------------------------------------------------------------------

    async def _begun(self, who: Caller, args: verbs.Consume, ends: dict[int, int]) -> list[int]:
        said = [args.position is not None, bool(args.group), args.from_offset is not None, bool(args.from_time)]
        if sum(said) > 1:
            raise Invalid("position, group, from_offset and from_time each say where to begin: give one",
                          hint="aob group reset sets where a group goes on")  # fmt: skip
        if args.position is not None:
            return self.places(args.position)
        places = [args.from_offset or 0] * self.partitions
        if args.from_time:
            return await self.at_time(who, args.topic, ends, self.instant(args.from_time))
        for mark in await self.topics.marks(who.tenant, args.group) if args.group else ():
            if mark.topic == args.topic:
                places[mark.partition] = mark.low
        return places

    async def consumed(self, who: Caller, agent: str) -> tuple[str, ...]:
        """The topics that the newest version of an agent consumes. Raises NotFound."""
        declared = await self._tenants.settled(who.tenant)
        consumes = declared.agent(agent).newest.definition.consumes
        return tuple(name for name in consumes if name in declared.topics)

    async def ends(self, who: Caller, topic: str) -> dict[int, int]:
        """Where the partitions of a topic end. Raises NotFound for one that has no record and is not declared, nor
        that of the dead letters of a registered agent."""
        state = await self._tenants.settled(who.tenant)
        declared = state.topics
        for shape in await self.topics.topics(who.tenant, topic):
            if topic in declared or (await self.topics.starts(who.tenant, [topic]))[topic]:
                return shape.ends
        if topic.startswith(DEAD) and topic.removeprefix(DEAD) in state.agents:
            return {}  # nothing has failed yet
        self._tenants.of(who.tenant).topic(topic)
        return {}

    async def at_time(self, who: Caller, topic: str, ends: dict[int, int], at_ms: int) -> list[int]:
        """The offset of the first record of each partition that was appended at an instant or later."""

        async def first(partition: int) -> int:
            low, high = 0, ends[partition]
            while low < high:
                middle = (low + high) // 2
                found = await self.topics.read(who.tenant, topic, partition, middle, 1)
                if found and found[0].at_ms < at_ms:
                    low = found[0].offset + 1
                else:
                    high = middle
            return low

        places = [0] * self.partitions
        for partition, offset in zip(ends, await asyncio.gather(*map(first, ends)), strict=True):
            places[partition] = offset
        return places

    def instant(self, text: str) -> int:
        """An instant, or so long ago, in ms. Raises Invalid `bad_time`."""
        try:
            return ms_of(text) if "T" in text.upper() else self._now_ms() - parse_duration(text)
        except ValueError as error:
            raise Invalid("this is no instant", [
                Problem("", str(error), "bad_time", hint="2027-01-31T12:00:00Z, or 1h for an hour ago")
            ], code="bad_time") from error  # fmt: skip

    def token(self, places: Sequence[int]) -> str:
        """The position of a reader."""
        return self._positions.vector([(place, 0) for place in places])

    def places(self, token: str) -> list[int]:
        """The next offset of each partition. The position of a single record is the place behind it, and the beginning
        of all other partitions. Raises CallerError `bad_position`, Conflict `position_expired`."""
        rows = Position.parse(token).rows
        if len(rows) == 1 and self.partitions > 1:
            ((partition, offset),) = rows
            places = [0] * self.partitions
            places[min(partition, self.partitions - 1)] = offset + 1
            return places
        return [row for row, _ in self._positions.places(token)]


def _refuse(topic: org.Topic, records: Sequence[verbs.ProducedRecord]) -> None:
    """Raises what a topic does not take."""
    if topic.state == "read_only":
        raise Conflict(f"topic {topic.name} takes no more records", code="topic_read_only",
                       hint=f"aob topic undelete {topic.name} keeps it")  # fmt: skip
    problems = list[Problem]()
    for place, record in enumerate(records):
        at = f"/records/{place}"
        problems += untaken(topic, record.type, record.depth, at)
        if record.time and not is_moment(record.time):
            problems.append(Problem(f"{at}/time", "is not RFC 3339", "bad_time"))
        if not all(each.isprintable() for each in (record.type, record.subject, record.id, record.source)):
            problems.append(Problem(at, "type, subject, id and source must be printable", "not_printable"))
    if problems:
        raise Invalid(f"topic {topic.name} does not take these records", problems, code="record_refused")


def leaving(topic: org.Topic | None) -> list[str]:
    """What who produces into a topic, or consumes it, should know."""
    if topic is None or topic.state == "active":
        return []
    if topic.state == "draining":
        return [f"topic {topic.name} takes records until {iso(topic.until_ms)} only, then it goes"]
    return [f"topic {topic.name} takes no more records, and is deleted at {iso(topic.until_ms)}"]


def _removed(begun: Sequence[int], places: Sequence[int], records: Sequence[answers.RecordView]) -> int:
    """How many offsets from where a reader began have no record any more."""
    first: dict[int, int] = {}
    for each in records:
        first.setdefault(each["partition"], each["offset"])
    there = enumerate(zip(begun, places, strict=True))
    return sum(first.get(partition, after) - before for partition, (before, after) in there)


def _view(partition: int, logged: Logged) -> answers.RecordView:
    record = logged.record
    return {
        "partition": partition, "offset": logged.offset, "at": iso(logged.at_ms), "id": record.id,
        "source": record.source, "type": record.type, "subject": record.subject, "time": record.time,
        "data": decode(record.data), "correlationid": record.correlationid, "causationid": record.causationid,
        "depth": record.depth, "extensions": record.extensions,
    }  # fmt: skip
