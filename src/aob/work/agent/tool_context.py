"""The context of a handler that an agent calls as a tool: it may log, heartbeat and read, nothing else."""

from collections.abc import Mapping
from typing import NoReturn

from aob.ports.model import Json
from aob.ports.workers import Fault
from aob.work.job import Context, Intended, permanent
from aob.work.secrets import unnamed


class ToolContext:
    """The context of one tool call. Its `key` is the idempotency key of this call, the same in every attempt. Intents
    and patches belong to the agent: a tool that asks for one gets WorkError `tool_may_not` (permanent)."""

    def __init__(self, ctx: Context, number: int) -> None:
        self._ctx = ctx
        self.run_id, self.visit, self.attempt, self.tenant = ctx.run_id, ctx.visit, ctx.attempt, ctx.tenant
        self.key = f"{ctx.key}-tool{number}"

    def log(self, message: str, /, **fields: Json) -> None:
        """Write a line to the log of the agent's visit."""
        self._ctx.log(message, **fields)

    def secret(self, name: str) -> str:
        """No secret: the handler names none."""
        raise unnamed(name)

    async def heartbeat(self, checkpoint: Json = None) -> None:
        """Send a heartbeat. A tool has no checkpoint: its result is recorded when it ends."""
        if checkpoint is not None:
            self._refuse("keep a checkpoint")
        await self._ctx.heartbeat()

    async def graph(self) -> Mapping[str, Json]:
        """The run's present workflow document."""
        return await self._ctx.graph()

    async def intend(self, kind: str, what: Mapping[str, Json]) -> Intended:
        """Refused: the call itself is the intent, and already committed."""
        self._refuse("record an intent of its own")

    async def settle(
        self,
        result: Json,
        *,
        intent: Intended | None = None,
        error: Fault | None = None,
        usage: Mapping[str, Json] | None = None,
    ) -> None:
        """Refused, as `intend`."""
        self._refuse("settle an intent")

    async def propose(self, operations: list[dict[str, Json]], reason: str) -> Mapping[str, Json]:
        """Refused: the agent proposes, in its answer."""
        self._refuse("propose a patch")

    def _refuse(self, what: str) -> NoReturn:
        raise permanent(f"a tool of an agent may not {what}", code="tool_may_not")
