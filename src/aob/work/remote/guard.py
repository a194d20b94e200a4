"""What the platform does around a call at a worker: the intent of a call that must not be repeated, the memo, and the
check after an effect that may or may not have happened. A worker cannot leave these out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aob.core.graph import HandlerFacts
from aob.core.graph.compiled import strongest
from aob.ports.workers import Done, Fault, Job, Result
from aob.work.calling import Callables
from aob.work.effect import called_once
from aob.work.job import Context, WorkError
from aob.work.kinds.verify import arguments, checked, judged
from aob.work.outcome import by_a_person, fault_of, finished, result_of
from aob.work.remote.lease import Asked, Lease, WorkerFaultError
from aob.work.tools import Memo

Out = Callable[[], Awaitable[Result]]
Ask = Callable[[Lease, Asked], Awaitable[Result]]
EFFECT_OF_CHECK: Final = "none"


class Guard:
    """`context` makes the context of a job; `intents` are the unsettled ones that its `verify` handler should check;
    `tools` have the handlers of this process."""

    def __init__(
        self, context: Callable[[Job], Context], intents: Callable[[Job], list[Any] | None], memo: Memo | None = None,
        tools: Callables | None = None,
    ) -> None:  # fmt: skip
        self.context, self._intents, self._memo, self._tools = context, intents, memo, tools

    def effect(self, lease: Lease, facts: HandlerFacts) -> str:
        """The effect of a call: the strongest of the node's and of what the worker declares."""
        if lease.instead is not None:
            return EFFECT_OF_CHECK
        return strongest((lease.job.task.spec.effect, facts.effect))

    def needs(self, lease: Lease, facts: HandlerFacts) -> bool:
        """Whether a call needs care."""
        if lease.instead is not None:
            return False
        job, spec, memo = lease.job, lease.job.task.spec, self._memo
        lease.remembers = (
            spec.cache != "off" and lease.effect == "none" and facts.deterministic
            and memo is not None and memo.serves(job)
        )  # fmt: skip
        checks = bool(spec.verify) and self._intents(job) is not None
        return (lease.effect == "once" and not lease.kind) or lease.remembers or checks

    async def performed(self, lease: Lease, out: Out, ask: Ask) -> Result | None:
        """The result of a job that `out` performs at a worker. None: it is cancelled."""
        job, memo = lease.job, self._memo

        async def call() -> Done:
            output = await self._call(lease, out)
            assert isinstance(output, Done)
            return output

        try:
            if lease.remembers and memo is not None:
                return await memo.performed(job, call)
            intents = self._intents(job) if job.task.spec.verify else None
            if intents is not None:
                happened = await self._happened(lease, intents, ask)
                if happened is not None:
                    return finished(happened.get("output"))
            return result_of(await call())
        except WorkerFaultError as error:
            return error.fault
        except asyncio.CancelledError:
            return None
        except BaseException as error:
            if by_a_person(error):
                raise
            return fault_of(error)

    async def _happened(self, lease: Lease, intents: list[Any], ask: Ask) -> Mapping[str, Any] | None:
        """What the `verify` handler says: that of this process, else of any worker."""
        job, tools = lease.job, self._tools
        if tools is not None and job.task.spec.verify in tools.handlers:
            return await checked(job, intents, tools)
        asked = Asked(job.task.spec.verify, arguments(job, intents))
        return judged(asked.handler, await ask(lease, asked))

    async def _call(self, lease: Lease, out: Out) -> object:
        if lease.effect != "once" or lease.kind:  # a built-in kind asks for its intent itself
            return await out()

        async def covered(ctx: Context) -> object:
            lease.ctx = ctx
            return await out()

        return await called_once(self.context(lease.job), lease.handler, covered)

    def said(self, fault: Fault) -> WorkError:
        """A fault that a handler said itself."""
        return WorkError(fault.message, code=fault.code, transient=fault.transient, detail=fault.detail)
