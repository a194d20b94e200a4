"""Agents at work on one shard: records go from their topics to the workers, a key at a time, and what workers report
goes to the law of the key. What is in memory here is read again after a crash; the truth is in the keys and marks."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from msgspec import Raw

from aob.core.agent import Key, keys, pending
from aob.core.agent.record import Input
from aob.core.agent.record import commands as cmd
from aob.core.agent.record import events as ev
from aob.core.agent_name import agent_of, tenant_of
from aob.core.asked import GivenUp
from aob.core.errors import AobError, Busy, Unavailable, said
from aob.core.event import partition_of
from aob.core.value import Ref, digest_of
from aob.journal import Committed, Journal, Recovered, Stream
from aob.organisation.cycle.admitting import admitted, judged, refused
from aob.organisation.cycle.context import AgentContext, Graphs
from aob.organisation.cycle.giving import Giving
from aob.organisation.cycle.handling import Handling, error_of, stopped, stuck
from aob.organisation.cycle.history import Histories
from aob.organisation.cycle.law import AgentLaw
from aob.organisation.cycle.reading import AGAIN_S, Read, log
from aob.organisation.cycle.values import Values
from aob.organisation.law import OrganisationLaw
from aob.ports.log import Admitting
from aob.ports.workers import LOST, Done, Fault, Job, Result, Workers
from aob.work import STOPPED, UNCERTAIN, WorkError
from aob.work.pool import Running, mark
from aob.work.tools import Tools
from aob.work.topic_agents import Agent, Received, received

_CUT: Final = frozenset({LOST, STOPPED, UNCERTAIN})  # codes of attempts whose worker is gone


class Agents(Giving):
    """The agents of one shard. `begin` starts reading; `committed` and `report` are called by the shard."""

    def __init__(
        self, journal: Journal, law: AgentLaw, workers: Workers, agents: Mapping[str, Agent], tenant: str, read: Read,
        values: Values, tools: Tools, open_log: Callable[[str, str, str], Callable[..., None]], histories: Histories,
    ) -> None:  # fmt: skip
        super().__init__(journal, agents, tenant, read, workers, values, histories)
        self.law, self._tools, self._open_log = law, tools, open_log
        self._answers: dict[tuple[str, int], asyncio.Future[None]] = {}
        self.graphs: Graphs | None = None
        self.log: Admitting | None = None
        """Judges what agents produce; None: everything is taken."""
        self.may_come_back: Callable[[str, str, int, str], bool] = lambda name, visit, attempt, key: False
        """Whether a worker of another process may still have an attempt."""
        self.streams: Callable[[], Iterable[Stream]] = lambda: ()
        """The keys of this tenant that were in memory at the start."""

    # -- life -------------------------------------------------------------------------------------------------------

    async def begin(self, running: Running | None = None) -> None:
        """Continues what the keys have, and reads from where their groups are."""
        if running is not None:
            self._before, self._crashed = running.before, running.crashed
        self._go_on_all()
        self.start()

    def _go_on_all(self, reported: Collection[tuple[str, str, int]] = ()) -> None:
        for stream in self.streams():
            if not stream.ended:
                self._take_up(stream, reported)

    def arrived(self, streams: Iterable[Stream]) -> None:
        """Keys came with their partition: none of their jobs is known here."""
        for stream in streams:
            if stream.law is self.law:
                self._take_up(stream)
        self._room.set()

    def hold(self, partition: int) -> None:
        """A partition is about to leave: no record of it is given to a worker."""
        self._held.setdefault(partition, [])

    def stay(self, partition: int) -> None:
        """It stays."""
        for job in self._held.pop(partition, ()):
            self.workers.submit(job)

    def gone(self, partition: int) -> None:
        """It is another shard's from now on, and what is known of it here counts for nothing."""
        self._held.pop(partition, None)
        for name, visit in list(self._handling):
            if partition_of(name, self.journal.partitions) == partition:
                self._stop(name, visit)
        for lane in list(self.lanes.values()):
            if lane.partition == partition:
                self._leave(self.agents[lane.agent], lane.topic, partition)
        self._room.set()

    def _take_up(self, stream: Stream, reported: Collection[tuple[str, str, int]] = ()) -> None:
        """Continues the record that a key has, unless a worker has it or has reported about it. An attempt that was cut
        off is lost: by what the process before was running, or by an intent of it without a result, for an effect may
        have happened."""
        for visit, attempt in pending(stream.state).jobs.items():
            record = stream.state.open
            given = record.input
            if (stream.name, visit, attempt) in reported or self.has(stream.name, visit, attempt):
                continue
            key = f"{stream.name}/{given.first}"
            listed = mark(key, attempt) in self._before
            # Whoever had it may have been another process: no list tells of that.
            if listed or (record.acts and not self.may_come_back(stream.name, given.visit, attempt, key)):
                why = "stop" if listed and not self._crashed else "crash"
                self.journal.tell(stream.name, cmd.Lost(given, attempt, max(stream.state.version, 1), why))
            else:
                self._go_on(stream, given, attempt)

    # -- handling ---------------------------------------------------------------------------------------------------

    def performed(self, job: Job) -> Coroutine[Any, Any, object]:
        """The coroutine of a job of an agent, for the pool."""
        handling = self._handling[job.run, job.visit]
        key, record = self.record_of(job, handling)
        agent, context = self.agent_of(key), self.context(job, handling)
        handling.context = context
        job.pulse()
        made: Coroutine[Any, Any, object] = agent.fn(record, ctx=context) if agent.takes_ctx else agent.fn(record)
        return made

    def handling(self, job: Job) -> Handling | None:
        """The record of a job that is with a worker; None: it is not to be done any more."""
        found = self._handling.get((job.run, job.visit))
        return found if found is not None and found.attempt == job.attempt else None

    def has(self, name: str, visit: str, attempt: int) -> bool:
        """Whether an attempt at a record is with a worker."""
        found = self._handling.get((name, visit))
        return found is not None and found.attempt == attempt

    def record_of(self, job: Job, handling: Handling) -> tuple[Key, Received]:
        """The key of a job as it is now, and its record."""
        stream, given = self.journal.streams.get(job.run), handling.given
        topic = given.source.rpartition("/")[0] or given.source
        key = stream.state if stream is not None else Key(job.run)
        return key, received(topic, given.offset, handling.logged.record)

    def agent_of(self, key: Key) -> Agent:
        """The agent in the version of a key. Raises WorkError `version_absent`."""
        agent = self.versions.of(key)
        if agent is None:
            raise WorkError(f"{key.agent} has no version {key.version} here", code="version_absent", transient=False)
        return agent

    def context(self, job: Job, handling: Handling) -> AgentContext:
        """The context of a job."""
        key, _ = self.record_of(job, handling)
        made = AgentContext(
            self.journal, job, self.agent_of(key), handling.given, key, handling.state, self._open_log,
            self._answer, self._topic_of, self._values, self._tools, self.log,
        )  # fmt: skip
        made.graphs = self.graphs
        return made

    def _topic_of(self, agent: str) -> str:
        known = self.agents.get(agent)
        if known is None or not known.consumes:
            raise WorkError(f"there is no agent {agent!r} here", code="agent_unknown", transient=False)
        return known.consumes[0]

    async def _answer(self, stream: str, number: int, held_s: float) -> bool:
        """Returns once an intent has got its result from outside; False when that takes longer."""
        future = self._answers.setdefault((stream, number), asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(held_s):
                await asyncio.shield(future)
            return True
        except TimeoutError:
            return False
        finally:
            self._answers.pop((stream, number), None)

    # -- what workers report ----------------------------------------------------------------------------------------

    def report(self, job: Job, result: Result) -> None:
        """Turns the result of a job into a command to its key."""
        handling = self._handling.get((job.run, job.visit))
        if handling is None or handling.attempt != job.attempt or handling.reported:
            return
        if not self.journal.epochs.counts(job.epoch, job.row):
            del self._handling[job.run, job.visit]
            return
        handling.reported = True
        try:
            context = handling.context
            if context is not None and context.suspended and not (isinstance(result, Fault) and result.code in _CUT):
                # whatever the agent has made of it: it goes on when the answer is there
                numbers = tuple(sorted(context.waiting))
                self._tell(job, cmd.Suspend(handling.given, job.attempt, self._version(job.run), numbers))
            elif isinstance(result, Done):
                self._done(job, handling)
            elif result.code == LOST and stopped(result) and not self._kept(job):
                self._submit_again(job, handling)
            else:
                made = tuple(context.decisions) if context is not None else ()
                self._failed(job.run, handling.given, job.attempt, result, job, made)
        except Exception as error:
            log.error("report_not_made", stream=job.run, visit=job.visit, exc_info=error)
            fault = Fault("report_not_made", f"{type(error).__name__}: {said(error)}", False)
            self._failed(job.run, handling.given, job.attempt, fault, job)

    def _kept(self, job: Job) -> bool:
        """Whether the key has the record of a job: its law says what becomes of it."""
        stream = self.journal.streams.get(job.run)
        return stream is not None and stream.state.open is not None and stream.state.open.visit == job.visit

    def _submit_again(self, job: Job, handling: Handling) -> None:
        """A worker gave a record back of which nothing is kept."""
        key, _ = self.record_of(job, handling)
        del self._handling[job.run, job.visit]
        self._submit(job.run, key, handling.given, job.attempt, handling.logged)

    def _tell(self, job: Job, command: Any) -> None:
        """Tells the key; not, if somebody else has the record by now: a report may have waited for the store."""
        handling = self._handling.get((job.run, job.visit))
        if handling is not None and handling.attempt == job.attempt:
            del self._handling[job.run, job.visit]
            self.journal.tell(job.run, command, job.epoch, job.row)

    def _done(self, job: Job, handling: Handling) -> None:
        context = handling.context
        assert context is not None
        if context.outputs and self.log is not None:
            wrong = judged(self.log, self.tenant, context.outputs, handling.given.depth)
            if wrong is None:
                self.journal.aside(self._admitted_first(self.log, job, handling))
                return
            if wrong:
                self._failed(job.run, handling.given, job.attempt, refused(context.agent, handling.given, wrong), job)
                return
        self._handled(job, handling, context)

    async def _admitted_first(self, log: Admitting, job: Job, handling: Handling) -> None:
        context, stream = handling.context, self.journal.streams.get(job.run)
        assert context is not None
        key = stream.state if stream is not None else Key(job.run)
        while True:
            try:
                wrong = await admitted(log, self.tenant, key, handling.given, context.outputs)
                break
            except (Busy, Unavailable):
                await asyncio.sleep(AGAIN_S)  # this is not the agent's fault
            except AobError as error:
                self._failed(job.run, handling.given, job.attempt, Fault(error.code, error.detail, True), job)
                return
        if wrong:
            self._failed(job.run, handling.given, job.attempt, refused(context.agent, handling.given, wrong), job)
        else:
            self._handled(job, handling, context)

    def _handled(self, job: Job, handling: Handling, context: AgentContext) -> None:
        data = context.state_data()
        if data is not None and keys.STATE_INLINE_MAX < len(data) <= keys.STATE_MAX:
            self.journal.aside(self._stored_first(job, handling, data))
            return
        state = None if data is None else Raw(data)
        if data is not None and (len(data) > keys.STATE_MAX or data.startswith(b'{"$')):
            state = Ref(digest_of(data), len(data)).cell()
            if len(data) <= keys.STATE_MAX:
                self.journal.aside(self._stored_first(job, handling, data))
                return
        self._end(job, handling, state)

    async def _stored_first(self, job: Job, handling: Handling, data: bytes) -> None:
        try:
            digest = await self._values.put(job.tenant, data)
        except AobError as error:
            self._failed(job.run, handling.given, job.attempt, Fault(error.code, error.detail, True), job)
        else:
            self._end(job, handling, Ref(digest, len(data)).cell())

    def _end(self, job: Job, handling: Handling, state: Raw | None) -> None:
        context = handling.context
        assert context is not None
        self._tell(
            job,
            cmd.End(
                handling.given, job.attempt, self._version(job.run), state, tuple(context.outputs),
                tuple(context.later_ones), context.replied,
            ),
        )  # fmt: skip

    def _failed(
        self, name: str, given: Input, attempt: int, fault: Fault, job: Job | None = None,
        decisions: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        version = self._version(name)
        if fault.code == STOPPED:
            self._handling.pop((name, given.visit), None)
            return  # this process ends, or gives the shard up: nothing was kept of it
        command: cmd.Lost | cmd.Fail
        if fault.code == LOST:
            command = cmd.Lost(given, attempt, version, "stop" if stopped(fault) else "crash")
        elif fault.code == UNCERTAIN:
            command = cmd.Lost(given, attempt, version, "cut", fault.message[:300])
        else:
            told = error_of(fault)
            command = cmd.Fail(given, attempt, version, told, fault.transient, decisions=decisions, cut=stuck(fault))
        self._tell(job, command) if job is not None else self.journal.tell(name, command)

    def dropped(self, name: str, given: Input) -> None:
        """A report about a record did not count. Its place is free, and what the key is at goes on."""
        if self._readers:
            self.journal.aside(self._after_dropped(name, given))

    async def _after_dropped(self, name: str, given: Input) -> None:
        stream = self.journal.streams.get(name)
        if stream is not None:
            try:
                await self.journal.settled(stream)
            except AobError:
                return  # what is in memory is dropped, and all is read again
        if (name, given.visit) in self._handling:
            return
        lane = self.lanes.get((agent_of(name), given.source))
        if lane is not None and lane.running.get(name) == given.visit:
            self._vacate(lane, name)
        stream = self.journal.streams.get(name)
        for visit, attempt in pending(stream.state).jobs.items() if stream is not None else ():
            if stream is not None and (name, visit) not in self._handling:
                self._go_on(stream, stream.state.open.input, attempt)
        self._next(name)

    def _stop(self, name: str, visit: str) -> None:
        self._handling.pop((name, visit), None)
        self.workers.cancel(name, visit)

    # -- what is committed ------------------------------------------------------------------------------------------

    def committed(self, commit: Committed) -> None:
        """Goes on with the keys that a commit is about."""
        for told in commit.told if self.agents else ():
            if told.stream.law is self.law:
                self._applied(told.stream, told.events, told.changes.effects)
            elif isinstance(told.changes.effects, GivenUp):
                self.given_up(told.changes.effects.stream)
            elif told.stream.law.kind == OrganisationLaw.kind:
                self._room.set()  # an agent may have been resumed

    def _applied(self, stream: Stream, events: list[Any], effects: Any) -> None:
        name = stream.name
        agent = stream.state.agent
        for event in events:
            if isinstance(event, ev.Ended):
                self._left(name, agent, event.source, (event.generation, event.offset))
                ended = Input(event.source, event.generation, event.offset, event.id, behind=event.behind)
                if (name, ended.visit) in self._handling:
                    self._stop(name, ended.visit)  # it was given out again while its end was written again
            elif isinstance(event, ev.Taken | ev.Queued):
                self._left(name, agent, event.input.source, event.input.place)
        for visit in effects.gone:
            self._handling.pop((name, visit), None)
            self.workers.cancel(name, visit)
        for number in effects.answered:
            future = self._answers.get((name, number))
            if future is not None and not future.done():
                future.set_result(None)
        record = stream.state.open
        if effects.jobs and record is not None and effects.jobs.get(record.visit) == record.attempt:
            self._go_on(stream, record.input, record.attempt)
        self._next(name)

    def recovered(self, found: Recovered) -> None:
        """The shard was recovered: everything is read again. Workers keep the records that their keys still have; those
        of which nothing was kept are handled anew."""
        if not self._readers:
            return  # it has not begun
        reported = {
            (name, command.input.visit, command.attempt) for name, command in found.again
            if isinstance(command, cmd.End | cmd.Fail | cmd.Lost | cmd.Suspend) and tenant_of(name) == self.tenant
        }  # fmt: skip
        for (name, visit), handling in list(self._handling.items()):
            stream = self.journal.streams.get(name)
            if stream is None or pending(stream.state).jobs.get(visit) != handling.attempt:
                self._stop(name, visit)
        self._histories.clear()
        self._go_on_all(reported)
        self.forget()
        for name in {name for name, _, _ in reported}:
            self._busy.add(name)  # until what was reported is decided again: no record may begin on the state before
            self.journal.aside(self._decided(name))

    async def _decided(self, name: str) -> None:
        """Goes on with a key once all commands that were sent to it before are decided."""
        with suppress(AobError):
            await self.journal.ask(name, cmd.Ring(""))
        self._freed(name)
