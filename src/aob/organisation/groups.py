"""Groups of consumers: how far each is in the partitions of topics. A group goes on only from where it is, so that two
consumers of one group at once are noticed at the second one's commit, and no record is passed over."""

from collections.abc import Iterable, Mapping
from typing import Final

from aob.core.errors import Invalid, NotFound
from aob.core.hint import meant
from aob.core.organisation import answers as org_answers
from aob.core.policy import Caller
from aob.core.topic import answers
from aob.core.verb import performs
from aob.core.verbs.organisation import record_verbs as verbs
from aob.organisation.records import Records
from aob.ports.topics import GroupMark

_WHERE: Final = "to, to_offset, to_time or position"


class Groups:
    """The verbs of groups."""

    def __init__(self, records: Records) -> None:
        self._records, self._topics = records, records.topics

    @performs(verbs.COMMIT)
    async def commit_group(self, who: Caller, args: verbs.CommitGroup) -> answers.GroupMoved:
        """Move a group on. Raises NotFound, Invalid, Conflict `group_moved` `no_such_offset`."""
        await self._records.ends(who, args.topic)
        begun, places = self._records.places(args.begun), self._records.places(args.position)
        moves = [
            _move(partition, before, after) for partition, (before, after) in enumerate(zip(begun, places, strict=True))
            if before != after
        ]  # fmt: skip
        if any(move["again"] for move in moves):
            raise Invalid("a commit does not go back", hint=f"aob group reset {args.group} --topic {args.topic}")
        return await self._moved(who, args.group, args.topic, moves, done=True)

    @performs(verbs.GROUPS)
    async def groups(self, who: Caller, args: verbs.ListGroups) -> answers.GroupList:
        """All groups, by name."""
        found = await self._by_group(who, await self._topics.marks(who.tenant))
        rows: list[answers.GroupRow] = [
            {"group": name, "topic": topic["topic"], "behind": topic["behind"], "at": topic["at"]}
            for name, topics in sorted(found.items()) for topic in topics if args.topic in ("", topic["topic"])
        ]  # fmt: skip
        return {"groups": rows}

    async def of_topic(self, tenant: str, topic: str) -> tuple[int, list[org_answers.TopicReader]]:
        """How many records of a topic are kept, and which groups have read it."""
        shapes = await self._topics.topics(tenant, topic)
        starts = (await self._topics.starts(tenant, [topic]))[topic]
        ends = shapes[0].ends if shapes else {}
        found: dict[str, dict[int, GroupMark]] = {}
        for mark in await self._topics.marks(tenant):
            if mark.topic == topic:
                found.setdefault(mark.group, {})[mark.partition] = mark
        read = {group: _topic(topic, marks, ends, starts) for group, marks in sorted(found.items())}
        kept = sum(end - starts.get(partition, end) for partition, end in ends.items())
        return kept, [{"group": group, "behind": each["behind"], "at": each["at"]} for group, each in read.items()]

    @performs(verbs.GROUP)
    async def group(self, who: Caller, args: verbs.NamedGroup) -> answers.GroupView:
        """One group. Raises NotFound `group_not_found`."""
        marks = await self._topics.marks(who.tenant, args.group)
        if not marks:
            known = {mark.group for mark in await self._topics.marks(who.tenant)}
            hint = meant(args.group, known, "groups") or "a group is there once it has committed"
            raise NotFound(f"there is no group {args.group!r}", code="group_not_found", hint=hint)
        return {"group": args.group, "topics": (await self._by_group(who, marks))[args.group]}

    @performs(verbs.RESET)
    async def reset_group(self, who: Caller, args: verbs.ResetGroup) -> answers.GroupMoved:
        """Set where a group goes on. Raises NotFound, Invalid, Conflict `no_such_offset`."""
        ends = await self._records.ends(who, args.topic)
        starts = (await self._topics.starts(who.tenant, [args.topic]))[args.topic]
        asked = await self._wanted(who, args, ends)
        wanted = {each: max(place, starts.get(each, ends[each])) for each, place in asked.items()}
        found = await self._topics.marks(who.tenant, args.group)
        marks = {mark.partition: mark for mark in found if mark.topic == args.topic}
        every = (
            _reset(marks.get(partition) or GroupMark(who.tenant, args.group, args.topic, partition, 0), end)
            for partition, end in wanted.items()
            if args.partition in (None, partition)
        )
        moves = [move for move in every if move["before"] != move["after"] or move["again"]]
        return await self._moved(who, args.group, args.topic, moves, done=not args.dry_run, reset=True)

    @performs(verbs.RESET_AGENT)
    async def reset_agent(self, who: Caller, args: verbs.ResetAgent) -> answers.AgentReset:
        """Set where an agent goes on, in each of its topics. Raises NotFound, Invalid, Conflict `no_such_offset`."""
        consumes = await self._records.consumed(who, args.agent)
        if args.topic and args.topic not in consumes:
            hint = meant(args.topic, consumes, "topics") or f"it consumes {', '.join(consumes)}"
            raise NotFound(f"{args.agent} does not consume {args.topic}", code="topic_not_consumed", hint=hint)
        told = [
            await self.reset_group(
                who, args.agent, topic, args.to, args.to_offset, args.to_time, None, args.partition, args.dry_run
            )
            for topic in consumes if args.topic in ("", topic)
        ]  # fmt: skip
        again, skipped = sum(each["again"] for each in told), sum(each["skipped"] for each in told)
        return {
            "agent": args.agent, "done": not args.dry_run, "again": again, "skipped": skipped, "topics": told,
        }  # fmt: skip

    async def _wanted(self, who: Caller, args: verbs.ResetGroup, ends: Mapping[int, int]) -> dict[int, int]:
        """Where the group shall be in each partition."""
        if sum((bool(args.to), args.to_offset is not None, bool(args.to_time), args.position is not None)) != 1:
            raise Invalid(f"say where the group goes on: one of {_WHERE}", hint="aob group reset --help")
        if args.to or args.to_offset is not None:
            return {
                each: 0 if args.to == "begin" else end if args.to == "end" else min(args.to_offset or 0, end)
                for each, end in ends.items()
            }
        if args.to_time:
            at_ms = self._records.instant(args.to_time)
            places = await self._records.at_time(who, args.topic, dict(ends), at_ms)
        else:
            places = self._records.places(args.position or "")
        return {each: places[each] for each in ends}

    async def _moved(
        self, who: Caller, group: str, topic: str, moves: list[answers.GroupMove], *, done: bool, reset: bool = False
    ) -> answers.GroupMoved:
        for move in moves if done else ():
            before = None if reset else move["before"]  # a group that is at work moves on meanwhile
            await self._topics.move_mark(who.tenant, group, topic, move["partition"], move["after"], before, reset)
        again, skipped = (sum(move[what] for move in moves) for what in ("again", "skipped"))
        return {"group": group, "topic": topic, "done": done, "again": again, "skipped": skipped, "partitions": moves}

    async def _by_group(self, who: Caller, marks: Iterable[GroupMark]) -> dict[str, list[answers.GroupTopic]]:
        ends = {shape.name: shape.ends for shape in await self._topics.topics(who.tenant)}
        found: dict[str, dict[str, dict[int, GroupMark]]] = {}
        for mark in marks:
            found.setdefault(mark.group, {}).setdefault(mark.topic, {})[mark.partition] = mark
        named = {topic for topics in found.values() for topic in topics}
        starts = await self._topics.starts(who.tenant, sorted(named))
        return {
            group: [_topic(topic, of, ends.get(topic, {}), starts[topic]) for topic, of in sorted(topics.items())]
            for group, topics in found.items()
        }


def _move(partition: int, before: int, after: int) -> answers.GroupMove:
    again, skipped = max(0, before - after), max(0, after - before)
    return {"partition": partition, "before": before, "after": after, "again": again, "skipped": skipped}


def _reset(mark: GroupMark, after: int) -> answers.GroupMove:
    """A partition that is set to an offset: of what lies above, some may be done already."""
    move = _move(mark.partition, mark.low, after)
    if after <= mark.low:
        return {**move, "again": move["again"] + len(mark.done)}
    return {**move, "skipped": move["skipped"] - sum(offset < after for offset in mark.done)}


def _topic(
    topic: str, marks: Mapping[int, GroupMark], ends: Mapping[int, int], starts: Mapping[int, int]
) -> answers.GroupTopic:  # fmt: skip
    """How far a group is; what is no longer kept is not behind it."""
    places = list[answers.GroupPlace]()
    for partition in sorted({*marks, *ends}):
        end = ends.get(partition, 0)
        low = max(marks[partition].low if partition in marks else 0, starts.get(partition, end))
        done = sum(offset >= low for offset in marks[partition].done) if partition in marks else 0
        places.append({"partition": partition, "offset": low, "end": end, "behind": max(0, end - low - done)})
    behind, at = sum(place["behind"] for place in places), max(mark.at_ms for mark in marks.values())
    return {"topic": topic, "behind": behind, "at": at, "partitions": places}
