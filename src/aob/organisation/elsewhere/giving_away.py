"""Records that agents of other processes handle: one goes out, what its agent asks meanwhile and its end come in."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.agent import keys
from aob.core.agent.record import Later
from aob.core.agent_name import tenant_of
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import CallerError
from aob.core.value import decode
from aob.organisation.cycle import SUSPENDED, AgentContext, Agents, Handling, TenantAgents
from aob.ports.workers import Done, Fault, Job, Result
from aob.work import WorkError
from aob.work.topic_agents import Agent, Given, Handled, json_of, offered_as

CALLS: Final[Mapping[str, bool]] = {"ask": True, "interrupt": True, "metric": False, "model": True}
"""What an agent of another process may call of its context by name, and whether the call is counted as an intent."""


class Elsewhere:
    """The jobs of the agents of one shard, for workers of other processes."""

    def __init__(self, agents: TenantAgents) -> None:
        self._agents = agents

    def _held(self, job: Job) -> tuple[Agents, Handling] | None:
        """The agents of the tenant of a job, and its record; None: it is not to be done any more."""
        agents = self._agents.of(job.tenant)
        handling = agents.handling(job) if agents is not None else None
        return None if agents is None or handling is None else (agents, handling)

    def _agent(self, job: Job) -> Agent:
        newest = self._agents.agents[job.task.id]
        return next((each for each in newest.older.values() if each.code == job.task.hash), newest)

    def offered_as(self, job: Job) -> str:
        """What a worker must offer to be given a job."""
        return offered_as(self._agent(job))

    def at_home(self, job: Job) -> bool:
        """Whether only the home itself can handle a record."""
        return self._agent(job).at_home

    def given(self, job: Job) -> JsonValue:
        """What a worker needs to know of the record of a job."""
        held = self._held(job)
        if held is None:
            return None
        agents, handling = held
        key, record = agents.record_of(job, handling)
        agent, now_ms = self._agents.agents[job.task.id], self._agents.journal.now_ms
        degraded = bool(key.overspent(agent.rules.budget, now_ms // keys.DAY_MS))
        left = decode(key.left) if key.left is not None else None
        given = Given(record, key.subject, decode(handling.state), now_ms, degraded, left)
        told: JsonObject = msgspec.to_builtins(given)
        return told

    def stands(self, run: str, visit: str, attempt: int, tenant: str) -> bool:
        """Whether this attempt of a tenant (empty: of any) is to be done now."""
        if tenant not in ("", tenant_of(run)):
            return False
        agents = self._agents.of(tenant_of(run))
        stream = self._agents.journal.streams.get(run)
        record = stream.state.open if stream is not None else None
        if record is not None and (record.visit, record.attempt, record.state) == (visit, attempt, keys.READY):
            return True
        return agents is not None and agents.has(run, visit, attempt)

    def context(self, job: Job) -> "AskedOf":
        """What answers the requests of an attempt. Raises CancelledError for one that is not to be done any more."""
        held = self._held(job)
        if held is None:
            raise asyncio.CancelledError
        return AskedOf(held[0], job, self._context(job, *held))

    @staticmethod
    def _context(job: Job, agents: Agents, handling: Handling) -> AgentContext:
        if handling.context is None:
            handling.context = agents.context(job, handling)
        return handling.context

    def report(self, job: Job, result: Result) -> None:
        """A worker has ended a job."""
        held = self._held(job)
        if held is not None and isinstance(result, Done):
            try:
                self._took(job, self._context(job, *held), msgspec.json.decode(result.data, type=Handled))
            except (msgspec.MsgspecError, ValueError) as error:
                result = Fault("output_not_read", f"its end is none of a record: {error}"[:1_000], False)
            except WorkError as error:
                result = error.fault
        self._agents.report(job, result)

    def _took(self, job: Job, context: AgentContext, told: Handled) -> None:
        """What an attempt has collected at its worker."""
        for each in told.outputs:
            context.emit(each.topic, each.type, each.data, subject=each.subject)
        context.later_ones = [
            Later(each.due_ms, None if each.forget else Raw(json_of(each.data)), each.name) for each in told.later
        ]
        if told.changed:
            context.put_state(json_of(told.state))
        if told.replied:
            context.reply(told.reply)


class AskedOf:
    """The context of an attempt at a worker of another process, as that asks for it."""

    def __init__(self, agents: Agents, job: Job, context: AgentContext) -> None:
        self._agents, self._job, self._context = agents, job, context
        self.log, self.heartbeat = context.log, context.heartbeat
        self.intend, self.settle = context.intend, context.settle

    async def call(self, name: str, args: JsonObject, count: int) -> JsonValue:
        """What the agent calls of its context by name. Raises CallerError for what it may not call, CancelledError
        where the attempt gives its worker back until an answer comes, and as the call does."""
        if name not in CALLS:
            raise CallerError(f"an agent asks for {name[:40]!r}, which nobody answers", code="worker_frame")
        performs: Any = getattr(self._context, name)
        try:
            answer: JsonValue = await performs(**args, **({"counted": count} if CALLS[name] else {}))
            return answer
        except TypeError as error:
            raise CallerError(f"the arguments of {name}: {error}", code="worker_frame") from error
        except WorkError as error:
            if error.fault.code != SUSPENDED:
                raise
            self._agents.report(self._job, error.fault)
            self._agents.workers.cancel(self._job.run, self._job.visit, self._job.attempt)
            raise asyncio.CancelledError from None
