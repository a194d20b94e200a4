"""From a job to the coroutine that performs it, and to where it runs: the two functions that a pool is made with."""

from collections.abc import Callable, Coroutine

from aob.work.handlers import Place
from aob.work.job import Context, Job, WorkError
from aob.work.kinds.table import KINDS_WORK
from aob.work.kinds.verify import verified
from aob.work.pool import Perform
from aob.work.tools import Tools

Verify = Callable[[Job], list[object] | None]
"""The intents of a visit that were never settled (`{kind, what}` each), when its `verify` handler should look; else
None."""


def unasked(job: Job) -> None:
    """No visit is to be verified."""


def performer(tools: Tools, context: Callable[[Job], Context], verify: Verify = unasked) -> Perform:
    """What a pool performs jobs by. `context` makes the Context of a job; it is not asked for handlers without one."""
    memo = tools.memo
    bare = frozenset(name for name, handler in tools.handlers.items() if not handler.takes_ctx)

    def perform(job: Job) -> Coroutine[object, object, object]:
        node = job.node
        kind = KINDS_WORK.get(node.kind)
        if kind is None:
            raise WorkError(
                f"no worker performs nodes of kind {node.kind!r}",
                code="kind_unknown",
                transient=False,
                detail={"kind": node.kind, "known": sorted(KINDS_WORK)},
            )
        asks_nothing = node.kind == "function" and node.config.handler in bare and node.spec.effect != "once"
        ctx = None if asks_nothing else context(job)
        if node.spec.cache != "off" and memo is not None and memo.serves(job):
            return memo.performed(job, lambda: kind(job, ctx, tools))
        if node.spec.verify and (intents := verify(job)) is not None:
            return verified(job, intents, tools, lambda: kind(job, ctx, tools))
        return kind(job, ctx, tools)

    return perform


def placer(tools: Tools) -> Callable[[Job], Place]:
    """Where a pool runs a job: handlers in the place that is theirs, all other kinds on the loop."""
    places: dict[str, Place] = {name: handler.place for name, handler in tools.handlers.items()}

    def place(job: Job) -> Place:
        node = job.node
        return places.get(node.config.handler, "loop") if node.kind == "function" else "loop"

    return place
