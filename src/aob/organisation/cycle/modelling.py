"""Calls of models by agents on topics: the conversation of an agent node, with the context of a record."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from aob.core.answers import JsonObject, JsonValue
from aob.core.graph.compiled import NodeSpec, Task
from aob.core.node import KINDS, AgentConfig
from aob.ports.workers import Fault, Job
from aob.work import Context, Intended, WorkError
from aob.work.kinds import perform_agent
from aob.work.tools import Tools

MODEL: Final = "agent"  # the kind of node whose conversation it is


class _Conversation(Job):
    """The job of one conversation. Its signs of life are those of the record's job."""

    of: Job | None = None

    def pulse(self) -> None:
        """A sign of life."""
        assert self.of is not None
        self.of.pulse()


class _Visit:
    """What a conversation may ask of its record: it cannot change a run, because there is none."""

    def __init__(self, ctx: Any, job: Job, name: str) -> None:
        self._ctx = ctx
        self.run_id, self.visit, self.attempt, self.tenant = job.run, job.visit, job.attempt, job.tenant
        self.key = f"{job.key}-model{name}"

    def log(self, message: str, /, **fields: Any) -> None:
        """Write a line to the log of the key."""
        self._ctx.log(message, **fields)

    def secret(self, name: str) -> str:
        """A secret that the agent names."""
        value: str = self._ctx.secret(name)
        return value

    async def heartbeat(self, checkpoint: JsonValue = None) -> None:
        """Report liveness."""
        await self._ctx.heartbeat(checkpoint)

    async def intend(self, kind: str, what: Mapping[str, JsonValue]) -> Intended:
        """Commit an intent of the record."""
        intended: Intended = await self._ctx.intend(kind, what)
        return intended

    async def settle(
        self, result: JsonValue, *, intent: Intended | None = None, error: Fault | None = None,
        usage: Mapping[str, JsonValue] | None = None,
    ) -> None:  # fmt: skip
        """Record its result."""
        await self._ctx.settle(result, intent=intent, error=error, usage=usage)

    async def propose(self, operations: list[JsonObject], reason: str) -> NoReturn:
        """Refused."""
        raise WorkError("an agent on topics has no run to change", code="no_run", transient=False)

    async def graph(self) -> NoReturn:
        """Refused."""
        raise WorkError("an agent on topics is in no graph", code="no_run", transient=False)


async def answered(ctx: Any, job: Job, tools: Tools, name: str, config: AgentConfig, value: JsonValue) -> JsonValue:
    """The answer of a model, in as many calls as it takes; each is recorded, and answered from its record when the
    record is handled again. `name` tells this conversation from others of the record. Raises WorkError as an agent node
    fails, `bad_model_call` for what cannot be asked."""
    wrong = [f"{problem.path}: {problem.message}" for problem in KINDS[MODEL].check(config)]
    if wrong:
        raise WorkError("; ".join(wrong), code="bad_model_call", transient=False)
    task = Task(ctx.agent, MODEL, config, NodeSpec(), job.task.hash, 0)
    asked = _Conversation(
        job.run, job.visit, job.attempt, task, value, False, job.key, job.tenant, job.mode, job.priority, of=job
    )
    visit: Context = _Visit(ctx, job, name)
    done = await perform_agent(asked, visit, tools, name)
    return done.output
