"""Agents on topics at a worker: a record comes as a job, what the agent collects goes back as its output."""

import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.value import canonical
from aob.ports.workers import Job
from aob.work import WorkError
from aob.work.secrets import Secrets, unnamed
from aob.work.topic_agents import Agent, Collecting, Given, handled, json_of, offered_as
from aob.worker.context import StreamContext

READ: Final = msgspec.json.Decoder(Given)


class OfferedAgents(dict[str, Agent]):
    """The agents of an application by the names under which they are offered; without those for the home only."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        super().__init__(
            {
                offered_as(each): each
                for agent in agents.values()
                for each in (agent, *agent.older.values())
                if not each.at_home
            }
        )

    def performed(self, name: str, job: Job, stream: StreamContext, vault: Secrets) -> Coroutine[Any, Any, object]:
        """The work of a job. Raises WorkError `job_not_read` for one that is none of an agent."""
        try:
            given = READ.decode(canonical(job.input))
        except msgspec.MsgspecError as error:
            raise WorkError(f"this is no record for an agent: {error}", code="job_not_read", transient=False) from error
        agent = self[name]
        return _handled(agent, AgentStream(agent, given, stream, vault), given)


class AgentStream(Collecting):
    """The context of one attempt at one record: `aob.organisation.cycle.AgentContext`, over the stream of a worker."""

    def __init__(self, agent: Agent, given: Given, stream: StreamContext, vault: Secrets) -> None:
        since = time.monotonic()
        super().__init__(
            agent, given.key, canonical(given.state), lambda: given.now_ms + round((time.monotonic() - since) * 1_000)
        )
        self._stream, self._vault, self._calls = stream, vault, Counter[tuple[str, bytes]]()
        self.tenant, self.attempt, self.resume = stream.tenant, stream.attempt, stream.resume
        self.idempotency, self.degraded, self.left = stream.key, given.degraded, given.left
        self.log, self.intend, self.settle = stream.log, stream.intend, stream.settle

    def secret(self, name: str) -> str:
        """The value of a secret that the agent names: `@agent(secrets=["NAME"])`."""
        if name not in self._agent.secrets:
            raise unnamed(name)
        return self._vault.value(name, None)

    async def heartbeat(self, checkpoint: JsonValue = None) -> None:
        """Report liveness; a checkpoint is committed and is `ctx.resume` in the next attempt."""
        plain = None if checkpoint is None else msgspec.json.decode(json_of(checkpoint))
        await self._stream.heartbeat(plain)

    async def ask(
        self, agent: str, key: str, data: JsonValue = None, *, type: str = "ask", timeout: str | float = "30s"
    ) -> JsonValue:
        """Ask another agent and wait for its reply."""
        return await self._call("ask", {"agent": agent, "key": key, "data": data, "type": type, "timeout": timeout})

    async def interrupt(
        self, question: str, *, form: Mapping[str, JsonValue] | None = None, choices: Iterable[str] | None = None,
        shown: JsonValue = None, notify: Iterable[str] = (), escalate: Sequence[Mapping[str, Any]] = (), id: str = "",
        **more: JsonValue,
    ) -> JsonValue:  # fmt: skip
        """Ask people, and wait for the answer of one; `more` are `to` and `deadline`."""
        asked = {"question": question, "form": dict(form or {}), "shown": shown}
        if choices is not None:
            asked["choices"] = list(choices)
        given = {**asked, **more, "notify": list(notify), "escalate": list(escalate), "id": id}
        return await self._call("interrupt", given, {"id": id} if id else asked)

    async def metric(
        self, name: str, window: str = "", *, by: tuple[str, ...] = (), where: Mapping[str, str] | None = None
    ) -> JsonValue:
        """The present value of a metric of the tenant."""
        return await self._call("metric", {"name": name, "window": window, "by": list(by), "where": dict(where or {})})

    async def model(
        self, task: str, value: JsonValue = None, *, output: Mapping[str, JsonValue] | None = None,
        tools: Iterable[str] = (), **more: JsonValue,
    ) -> JsonValue:  # fmt: skip
        """What a model answers, asked by the home: `tools` are handlers there; `more` are `model`, `system`, limits."""
        schema = None if output is None else dict(output)
        return await self._call("model", {**more, "task": task, "value": value, "output": schema, "tools": list(tools)})

    async def _call(self, name: str, args: JsonObject, same: JsonObject | None = None) -> JsonValue:
        """Its answer; a call is the k-th of those that are the `same`."""
        key = name, json_of(args if same is None else same)
        self._calls[key] += 1
        return await self._stream.call(name, json_of(args), self._calls[key])


async def _handled(agent: Agent, context: AgentStream, given: Given) -> JsonObject:
    if agent.takes_ctx:
        await agent.fn(given.record, ctx=context)
    else:
        await agent.fn(given.record)
    return handled(context)
