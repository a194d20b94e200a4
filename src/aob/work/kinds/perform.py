"""Maps a job to the coroutine that performs it, and to where it runs, for pools and replays."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Final

from aob.core.graph.compiled import Task
from aob.ports.workers import Job
from aob.work.calling import Callables
from aob.work.handlers import Place
from aob.work.job import Context, permanent
from aob.work.kinds import function
from aob.work.kinds.table import KINDS_WORK
from aob.work.kinds.verify import verified
from aob.work.outcome import by_a_person, finished
from aob.work.pool import Bare, Perform
from aob.work.tools import Tools
from aob.work.traced import under_trace

COMPUTE_MAX_MS: Final = 30_000
"""How long a replay waits for a deterministic handler; its node's own timeout may be shorter."""

Verify = Callable[[Job], list[object] | None]
"""The unsettled intents of a visit (`{kind, what}` each), for its `verify` handler to check; else None."""


def unasked(job: Job) -> None:
    """No visit needs verification."""


def performer(tools: Tools, context: Callable[[Job], Context], verify: Verify = unasked) -> Perform:
    """How a pool performs jobs. `context` makes the Context of a job; handlers without one do not need it."""
    memo = tools.memo
    bare = frozenset(name for name, handler in tools.handlers.items() if not handler.takes_ctx)

    def perform(job: Job, *, traced: bool = False) -> Coroutine[object, object, object]:
        if job.trace and not traced:
            return under_trace(job, tools.telemetry, partial(perform, traced=True))
        node = job.task
        kind = KINDS_WORK.get(node.kind)
        if kind is None:
            why = f"no worker performs nodes of kind {node.kind!r}"
            raise permanent(why, code="kind_unknown", kind=node.kind, known=sorted(KINDS_WORK))
        asks_nothing = node.kind == "function" and node.config.handler in bare and node.spec.effect != "once"
        ctx = None if asks_nothing else context(job)
        if node.spec.cache != "off" and memo is not None and memo.serves(job):
            return memo.performed(job, lambda: kind(job, ctx, tools))
        if node.spec.verify and (intents := verify(job)) is not None:
            return verified(job, intents, tools, lambda: kind(job, ctx, tools))
        return kind(job, ctx, tools)

    return perform


def barer(tools: Callables) -> Bare:
    """Which jobs of a pool are bare: functions whose handler is a coroutine function of an unconverted value."""

    def bare(task: Task) -> Perform | None:
        handler = tools.handlers.get(task.config.handler) if task.kind == "function" else None
        spec = task.spec
        if handler is None or spec.effect == "once" or spec.cache != "off" or spec.verify:
            return None
        return function.bare(handler)

    return bare


def computer(tools: Tools) -> Callable[[Job], Awaitable[bytes | None]]:
    """How a replay gets the output of a function: from a handler that declares to be deterministic and without effect,
    and takes no `ctx`; None for all others, and where it fails or takes too long."""

    async def compute(job: Job) -> bytes | None:
        handler = tools.handlers.get(job.task.config.handler)
        if handler is None or handler.takes_ctx or not handler.facts.deterministic or handler.facts.effect != "none":
            return None
        limit_ms = job.task.spec.timeout.run_ms or COMPUTE_MAX_MS
        try:
            async with asyncio.timeout(min(limit_ms, COMPUTE_MAX_MS) / 1_000):
                return finished(await function.perform(job, None, tools)).data
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # SystemExit too: a handler must not end the platform
            if by_a_person(error):
                raise
            return None

    return compute


def placer(tools: Callables) -> Callable[[Job], Place]:
    """Where a pool runs a job: handlers in their place, all other kinds on the loop."""
    places: dict[str, Place] = {name: handler.place for name, handler in tools.handlers.items()}

    def place(job: Job) -> Place:
        node = job.task
        return places.get(node.config.handler, "loop") if node.kind == "function" else "loop"

    return place
