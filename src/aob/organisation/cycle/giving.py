"""Records on their way to a worker: with the state of their key, with what they left when they were handled before, and
read again where only the key knew them."""

import asyncio
from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from aob.core.agent import Key, keys
from aob.core.agent.record import REMINDER, Input
from aob.core.agent.record import commands as cmd
from aob.core.errors import AobError, Unavailable, said
from aob.core.event import partition_of
from aob.core.graph.compiled import NodeSpec, Task, Timeouts
from aob.core.value import Ref, canonical, decode, ref_in
from aob.journal import Journal, Stream
from aob.organisation.cycle.handling import Handling
from aob.organisation.cycle.history import Histories
from aob.organisation.cycle.lane import Waiting
from aob.organisation.cycle.reading import AGAIN_S, Read, log
from aob.organisation.cycle.values import Values
from aob.organisation.cycle.wanting import Wanting
from aob.organisation.versions import Versions
from aob.ports.log import Logged, Record
from aob.ports.workers import Fault, Job, Workers
from aob.work.pool import mark
from aob.work.topic_agents import Agent

TASK: Final = "agent-record"  # the kind of the tasks of agents

REF_BYTES: Final = 128  # a state that is stored beside its key is a reference, which is shorter than this


class Giving(Wanting):
    """The records of one shard that workers have or are about to have."""

    def __init__(
        self, journal: Journal, agents: Mapping[str, Agent], tenant: str, read: Read, workers: Workers, values: Values,
        histories: Histories,
    ) -> None:  # fmt: skip
        super().__init__(journal, agents, tenant, read)
        self.workers, self._values, self._histories = workers, values, histories
        self._tasks: dict[tuple[str, str, int], Task] = {}  # by agent, its code, how long an attempt may be silent
        self.versions = Versions(agents)
        self._handling: dict[tuple[str, str], Handling] = {}
        self._held: dict[int, list[Job]] = {}
        """Partitions that are about to leave, and the jobs that wait meanwhile."""
        self._recalling: set[tuple[str, str]] = set()  # records whose history is being read
        self._before: frozenset[bytes] = frozenset()
        self._crashed = False

    def _failed(self, name: str, given: Input, attempt: int, fault: Fault, job: Job | None = None) -> None:
        """Tells the key of a record that an attempt has failed."""
        raise NotImplementedError

    def _submit_fresh(self, name: str, key: Key, first: Waiting) -> None:
        lane, agent = first.lane, self.agents[key.agent]
        if to := self.versions.next(key):
            self._busy.add(name)
            self.journal.aside(self._migrated(name, to))
            return
        if len(lane.running) >= agent.concurrency:
            lane.waiting[name] = None
            return
        lane.running[name] = first.given.visit
        begun = mark(f"{name}/{first.given.first}", 1)
        if begun in self._before and self._crashed:
            self._before -= {begun}
            self.journal.tell(name, cmd.Lost(first.given, 1, self._version(name)))
            return
        if first.given.again:
            self.journal.aside(self._recalled(name, first.given, 1, first.logged))
            return
        self._submit(name, key, first.given, 1, first.logged)

    async def _migrated(self, name: str, to: int) -> None:
        """Makes the state of a key that of another version, and goes on with its records: a key whose state cannot be
        made that stays with its version."""
        try:
            stream = await self.journal.load(name)
            if stream is not None and self.versions.next(stream.state) == to:
                await self.journal.ask(name, await self._migration(stream.state, to))
        except AobError as error:
            log.info("agent_key_waits", stream=name, code=error.code, detail=error.detail)
            asyncio.get_running_loop().call_later(AGAIN_S, self._freed, name)
        else:
            self._freed(name)

    async def _migration(self, key: Key, to: int) -> cmd.Migrate:
        frm, state = key.version, bytes(key.state)
        if len(state) < REF_BYTES and (ref := ref_in(decode(state))) is not None:
            state = await self._values.fetch(self.tenant, ref.digest)
        try:
            data = await self.versions.moved(key, to, state)
        except Exception as error:
            why = f"{type(error).__name__}: {said(error)}"[:4_000]
            log.warning("agent_not_migrated", stream=key.name, version=frm, to=to, reason=why)
            self.versions.failed(key, to)
            return cmd.Migrate(frm, to, error=Raw(canonical({"code": "migration_failed", "message": why})))
        if len(data) <= keys.STATE_INLINE_MAX and not data.startswith(b'{"$'):
            return cmd.Migrate(frm, to, Raw(data))
        return cmd.Migrate(frm, to, Ref(await self._values.put(self.tenant, data), len(data)).cell())

    async def _recalled(self, name: str, given: Input, attempt: int, logged: Logged | None = None) -> None:
        """Gives a record that may have been handled before to a worker, once the key knows what was settled then. One
        that is `logged` comes straight from its source."""
        self._recalling.add((name, given.visit))
        try:
            stream = await self._recall(name, given, attempt)
        finally:
            self._recalling.discard((name, given.visit))
        key = stream.state if stream is not None else Key(name)
        if stream is not None and key.open is not None and (key.open.visit, key.open.attempt) == (given.visit, attempt):
            self._give(stream, given, attempt)
        elif logged is not None and key.open is None:
            self._submit(name, key, given, attempt, logged)

    async def _recall(self, name: str, given: Input, attempt: int) -> Stream | None:
        while True:
            try:
                stream = await self.journal.load(name)
                if stream is None:
                    return None
                await self.journal.settled(stream)
                before = await self._histories.before(stream, given)
                if before is not None:
                    known = tuple(before.known.values())
                    await self.journal.ask(
                        name, cmd.Recall(given, attempt, self._version(name), known, before.later)
                    )  # fmt: skip
                return stream
            except AobError as error:
                log.info("agent_record_waits", stream=name, code=error.code, detail=error.detail)
                await asyncio.sleep(AGAIN_S)

    def _submit(self, name: str, key: Key, given: Input, attempt: int, logged: Logged) -> None:
        known = self._handling.get((name, given.visit))
        if known is not None and known.attempt == attempt:
            return  # a worker has it
        agent = self.versions.of(key)
        if agent is None:
            why = f"{key.agent} has no version {key.version} here, and no function that migrates {key.subject} from it"
            self._failed(name, given, attempt, Fault("version_absent", why, False))
            return
        self._displace(name, given.visit)
        ref = ref_in(decode(key.state)) if len(bytes(key.state)) < REF_BYTES else None
        resume = decode(key.open.resume) if key.open is not None and key.open.resume is not None else None
        handling = Handling(given, attempt, logged, state=bytes(key.state))
        self._handling[name, given.visit] = handling
        task, again = self._task(agent, logged.record.type), f"{name}/{given.first}"
        job = Job(
            name, given.visit, attempt, task, None, False, again, self.tenant,
            "fast", logged.record.extensions.get("priority", "medium"), given.depth, resume, True,
            self.journal.epochs.now, self.journal.durable_row,
        )  # fmt: skip
        if self.unsure(given):
            self.journal.aside(self._if_wanted(job, handling, ref))
        elif ref is None:
            self._dispatch(job)
        else:
            self.journal.aside(self._with_state(job, handling, ref))

    def _task(self, agent: Agent, type: str) -> Task:
        name = agent.name, agent.code, agent.rules.progress_ms(type)
        found = self._tasks.get(name)
        if found is None:
            spec = NodeSpec(timeout=Timeouts(heartbeat_ms=name[2]))
            found = self._tasks[name] = Task(agent.name, TASK, None, spec, agent.code, 0)
        return found

    async def _if_wanted(self, job: Job, handling: Handling, ref: Ref | None) -> None:
        if not await self.wanted(handling.given):
            self.over(job.run, handling)
        elif ref is None:
            self._dispatch(job)
        else:
            await self._with_state(job, handling, ref)

    async def _with_state(self, job: Job, handling: Handling, ref: Ref) -> None:
        while True:
            try:
                handling.state = await self._values.fetch(job.tenant, ref.digest)
                break
            except Unavailable as error:
                log.info("agent_state_waits", stream=job.run, code=error.code, detail=error.detail)
                await asyncio.sleep(AGAIN_S)
            except AobError as error:
                self._failed(job.run, handling.given, job.attempt, Fault(error.code, error.detail, False), job)
                return
        if self._handling.get((job.run, job.visit)) is handling:  # nobody else has the record by now
            self._dispatch(job)

    def _dispatch(self, job: Job) -> None:
        waiting = self._held.get(partition_of(job.run, self.journal.partitions)) if self._held else None
        if waiting is None:
            self.workers.submit(job)
        else:
            waiting.append(job)

    def _displace(self, name: str, visit: str) -> None:
        """A worker has a record of this key of which nothing is kept, and the key has begun another one (a reminder, a
        replay): what the worker does would not count, and the record comes again when its turn comes."""
        queue = self._queues.get(name)
        lane = queue[0].lane if queue else None
        if lane is not None and lane.running.get(name, visit) != visit:
            self._stop(name, lane.running[name])
            self._vacate(lane, name)

    def _go_on(self, stream: Stream, given: Input, attempt: int) -> None:
        """Gives a record that the key has to a worker."""
        if stream.state.agent not in self.agents or (stream.name, given.visit) in self._recalling:
            return  # of no agent here; or it is on its way
        record = stream.state.open
        if given.again and record is not None and record.intents is None:
            self.journal.aside(self._recalled(stream.name, given, attempt))
        else:
            self._give(stream, given, attempt)

    def _give(self, stream: Stream, given: Input, attempt: int) -> None:
        known = self._handling.get((stream.name, given.visit))
        if known is not None:
            self._submit(stream.name, stream.state, given, attempt, known.logged)
        elif given.source == REMINDER:
            reminder = stream.state.reminders[given.offset]
            record = Record(
                given.id, stream.state.agent, "reminder", self.tenant, stream.state.subject, Raw(bytes(reminder.data)),
                correlationid=reminder.correlation, depth=reminder.depth,
            )  # fmt: skip
            self._submit(stream.name, stream.state, given, attempt, Logged(given.offset, 0, record))
        else:
            self.journal.aside(self._read_back(stream.name, given, attempt))

    async def _read_back(self, name: str, given: Input, attempt: int) -> None:
        topic, _, partition = given.source.rpartition("/")
        while True:
            try:
                found = await self._read(self.tenant, topic, int(partition), given.offset, 1)
                break
            except AobError as error:
                log.info("agent_record_waits", stream=name, code=error.code, detail=error.detail)
                await asyncio.sleep(AGAIN_S)
        try:
            stream = await self.journal.load(name)
        except AobError as error:  # it has left with its partition, or cannot be read: whoever has it goes on
            log.info("agent_record_waits", stream=name, code=error.code, detail=error.detail)
            return
        record = stream.state.open if stream is not None else None
        if stream is None or record is None or (record.visit, record.attempt) != (given.visit, attempt):
            return
        if found and found[0].offset == given.offset:
            self._submit(name, stream.state, given, attempt, found[0])
        else:
            self._failed(name, given, attempt, Fault("record_gone", f"{given.visit} is not in its topic", False))

    def _version(self, name: str) -> int:
        stream = self.journal.streams.get(name)
        known: int = stream.state.version if stream is not None else 0
        return known or self.versions.wanted(name)
