"""Records of topics on their way to the agents that consume them: read ahead, a queue a key, within a window. A key
that cannot take a record lets it wait in its own queue, so that a waiting key does not hold up its partition."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aob.core.agent import Key, admission
from aob.core.agent.again import outdated
from aob.core.agent.record import Input
from aob.core.agent.record import commands as cmd
from aob.core.agent_name import agent_of, agent_stream
from aob.core.errors import AobError, Busy, Conflict
from aob.core.value import digest_of
from aob.journal import Journal
from aob.organisation.cycle.lane import Lane, Waiting
from aob.ports.log import Logged
from aob.ports.logger import Logger
from aob.ports.topics import GroupMark
from aob.work.topic_agents import Agent

log = Logger("aob.organisation")
AGAIN_S: Final = 0.5  # what cannot be read or taken now is tried again after this

Read = Callable[[str, str, int, int, int], Awaitable[list[Logged]]]
"""`read(tenant, topic, partition, start, limit)`: records from an offset on."""


class Bell:
    """Wakes all who wait for it: also who asked before it rang and looked elsewhere meanwhile."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    def next(self) -> "asyncio.Future[None]":
        """Done as soon as it rings; shared by all who wait."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def set(self) -> None:
        """Ring."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set_result(None)


class Reading:
    """The topics of the agents of one shard, as far as they are read."""

    def __init__(self, journal: Journal, agents: Mapping[str, Agent], tenant: str, read: Read) -> None:
        self.journal, self.agents, self.tenant, self._read = journal, agents, tenant, read
        self.lanes: dict[tuple[str, str], Lane] = {}
        """By agent and source."""
        self.paused: Callable[[str], bool] = lambda agent: False
        """Whether nothing more is to be read for an agent."""
        self._queues: dict[str, deque[Waiting]] = {}
        self._busy: set[str] = set()  # streams that are being read or asked
        self._room = Bell()
        self._readers: list[asyncio.Task[None]] = []

    def _version(self, name: str) -> int:
        """The version of a key, or the one that it gets."""
        raise NotImplementedError

    def _submit_fresh(self, name: str, key: Key, first: Waiting) -> None:
        """Gives a record that its key takes to a worker."""
        raise NotImplementedError

    def _stop(self, name: str, visit: str) -> None:
        """Takes a record away from its worker."""
        raise NotImplementedError

    def start(self) -> None:
        """Begins to read, from where the groups are."""
        self._readers = [
            asyncio.create_task(self._reading(agent, topic), name=f"aob-agent-{agent.name}")
            for agent in self.agents.values() for topic in agent.consumes
        ]  # fmt: skip

    async def end(self) -> None:
        """Reads no more."""
        readers, self._readers = self._readers, []
        for task in readers:
            task.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    def forget(self) -> None:
        """Everything is read again, from where the groups are."""
        for task in self._readers:
            task.cancel()
        for each in (self.lanes, self._queues, self._busy):
            each.clear()
        self.start()

    async def _reading(self, agent: Agent, topic: str) -> None:
        while True:
            bell, room = self.journal.bells.next(self.tenant, topic), self._room.next()
            try:
                for partition in range(self.journal.partitions):
                    if partition in self.journal.foreign:
                        self._leave(agent, topic, partition)
                    elif not self.paused(agent.name):
                        await self._fill(agent, topic, partition)
            except AobError as error:
                log.info("agent_waits", agent=agent.name, topic=topic, code=error.code, detail=error.detail)
                await asyncio.sleep(AGAIN_S)
                continue
            await asyncio.wait([bell, room], return_when=asyncio.FIRST_COMPLETED)

    def look(self) -> None:
        """Something may be readable that was not: an agent goes on."""
        self._room.set()

    def _leave(self, agent: Agent, topic: str, partition: int) -> None:
        """Another shard has this partition."""
        lane = self.lanes.pop((agent.name, f"{topic}/{partition}"), None)
        if lane is None:
            return
        self._drop(lane)

    def _drop(self, lane: Lane) -> None:
        """Nothing that was read of a lane is handled any more."""
        for name, queue in list(self._queues.items()):
            kept = deque(each for each in queue if each.lane is not lane)
            if len(kept) < len(queue):
                self._queues[name] = kept
        for name, visit in lane.running.items():
            self._stop(name, visit)

    async def _fill(self, agent: Agent, topic: str, partition: int) -> None:
        place = self.tenant, topic, partition
        end = await self._end_of(place)
        lane = self.lanes.get((agent.name, f"{topic}/{partition}"))
        if lane is None:
            if not end:
                return
            lane = self._opened(agent, topic, partition, await self._mark_of(agent.name, place))
        mark, _ = self.journal.topics.marks.get((agent.name, place), (None, 0))
        if mark is not None and mark.generation > lane.generation:  # the group was set back
            self._drop(lane)
            lane = self._opened(agent, topic, partition, mark)
        if mark is not None:
            lane.goes_on(mark)
        while lane.next < end and lane.room:
            found = await self._read(*lane.place, lane.next, lane.room)
            if not found:
                break  # they are not durable yet
            if found[0].offset > lane.next:
                lane.gaps[lane.next] = found[0].offset
            for logged in found[: lane.room]:
                lane.next = logged.offset + 1
                if logged.offset >= lane.low and logged.offset not in lane.done:
                    self._arrive(agent, lane, logged)
        while lane.low in lane.gaps:
            await self._pass_gap(lane)

    async def _pass_gap(self, lane: Lane) -> None:
        """The group, too, goes on behind offsets that hold no record."""
        tenant, topic, partition = lane.place
        try:
            mark = await self.journal.move_mark(
                tenant, lane.agent, topic, partition, lane.gaps[lane.low], lane.low
            )  # fmt: skip
        except Conflict:  # somebody has set it to another offset
            known, _ = self.journal.topics.marks[lane.agent, lane.place]
            mark = known or GroupMark(tenant, lane.agent, topic, partition, 0)
        lane.gaps.pop(lane.low)
        lane.low = max(lane.low, mark.low)
        lane.done = {offset for offset in lane.done if offset > lane.low}

    async def _end_of(self, place: tuple[str, str, int]) -> int:
        topics = self.journal.topics
        if (known := topics.ends.get(place)) is None:
            life, end = topics.life, await self.journal.store.topic_end(*place)
            known = topics.ends.setdefault(place, (end, 0)) if life == topics.life else (end, 0)
        return known[0]

    async def _mark_of(self, agent: str, place: tuple[str, str, int]) -> GroupMark | None:
        known = self.journal.topics.marks.get((agent, place))
        return known[0] if known is not None else await self.journal.stored_mark(agent, place)

    def _opened(self, agent: Agent, topic: str, partition: int, mark: GroupMark | None) -> Lane:
        lane = self.lanes[agent.name, f"{topic}/{partition}"] = Lane(self.tenant, agent.name, topic, partition, mark)
        return lane

    def _arrive(self, agent: Agent, lane: Lane, logged: Logged) -> None:
        record = logged.record
        stream = agent_stream(self.tenant, agent.name, record.subject or record.id)
        given = _input(lane, logged)
        queue = self._queues.setdefault(stream, deque())
        queue.append(Waiting(lane, given, logged))
        if len(queue) == 1:
            self._next(stream)

    # -- handling ---------------------------------------------------------------------------------------------------

    def _next(self, name: str) -> None:
        """Gives the first record of a key to a worker, or to the key's own queue, if it can."""
        queue = self._queues.get(name)
        if queue and name not in self._busy and name not in queue[0].lane.running:
            self._skip(queue)
        if not queue:
            self._queues.pop(name, None)
            return
        first = queue[0]
        if name in self._busy or name in first.lane.running:
            return
        stream = self.journal.streams.get(name)
        if stream is None:
            self._busy.add(name)
            self.journal.aside(self._loaded(name))
            return
        self._admit(name, stream.state, first)

    def _skip(self, queue: deque[Waiting]) -> None:
        """Leaves out records that the group has been set behind since they were read."""
        marks = self.journal.topics.marks
        while queue:
            lane, offset = queue[0].lane, queue[0].given.offset
            mark, _ = marks.get((lane.agent, lane.place), (None, 0))
            if mark is None or offset >= mark.low:
                return
            queue.popleft()
            if lane.passed(offset):
                self._room.set()

    async def _loaded(self, name: str) -> None:
        try:
            stream = await self.journal.load(name)
        except AobError as error:
            log.info("agent_key_waits", stream=name, code=error.code, detail=error.detail)
            asyncio.get_running_loop().call_later(AGAIN_S, self._freed, name)
            return
        self._busy.discard(name)
        queue = self._queues.get(name)
        if queue:
            self._admit(name, stream.state if stream is not None else Key(name), queue[0])

    def _freed(self, name: str) -> None:
        self._busy.discard(name)
        self._next(name)

    def _admit(self, name: str, key: Key, first: Waiting) -> None:
        if first.given.generation > 1 and outdated(key, first.given):
            self._ask(name, cmd.SetBack(first.given.source, first.given.generation, first.given.offset))
            return
        word = admission(key, first.given)
        if word == "":
            self._submit_fresh(name, key, first)
        elif word == "queue":
            self._ask(name, cmd.Queue(first.given))
        elif word == "refuse":
            self._ask(name, cmd.Refuse(first.given, self._version(name)))
        elif word == "known":
            self._ask(name, cmd.Pass(first.given))

    def _ask(self, name: str, command: Any) -> None:
        self._busy.add(name)
        self.journal.aside(self._asked(name, command))

    async def _asked(self, name: str, command: Any) -> None:
        try:
            await self.journal.ask(name, command)
        except Busy:
            asyncio.get_running_loop().call_later(AGAIN_S, self._freed, name)
        except AobError as error:
            log.info("agent_key_waits", stream=name, code=error.code, detail=error.detail)
            asyncio.get_running_loop().call_later(AGAIN_S, self._freed, name)
        else:
            self._busy.discard(name)
            if isinstance(command, cmd.Pass):
                self._left(name, agent_of(name), command.input.source, command.input.place)
            self._next(name)

    def _left(self, name: str, agent: str, source: str, place: tuple[int, int]) -> None:
        """A record has left its queue: it is over, or the key has it."""
        lane = self.lanes.get((agent, source))
        if lane is not None and place[0] == lane.generation:
            self._passed(name, lane, place[1])
            self._vacate(lane, name)

    def _vacate(self, lane: Lane, name: str) -> None:
        """A place of a lane is free: the next one takes it."""
        lane.running.pop(name, None)
        while lane.waiting and len(lane.running) < self.agents[lane.agent].concurrency:
            other = next(iter(lane.waiting))
            del lane.waiting[other]
            self._next(other)

    def _passed(self, name: str, lane: Lane, offset: int) -> None:
        queue = self._queues.get(name)
        if queue and queue[0].lane is lane and queue[0].given.offset == offset:
            queue.popleft()
        if lane.passed(offset):
            self._room.set()


def _input(lane: Lane, logged: Logged) -> Input:
    record = logged.record
    seen = digest_of(f"{record.correlationid}\n".encode() + bytes(record.data))[:8] if record.correlationid else b""
    asker, ask = record.extensions.get("asker", ""), record.extensions.get("ask", "")
    if asker.split("/")[1:2] != [record.tenant]:  # nobody answers to another tenant
        asker = ask = ""
    return Input(
        lane.source, lane.generation, logged.offset, record.id, record.correlationid, record.depth, seen,
        record.extensions.get("traceparent", ""), asker, ask,
    )  # fmt: skip
