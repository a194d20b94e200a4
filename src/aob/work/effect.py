"""Effects that must not be repeated blindly: records an intent before, its result after, and any uncertainty."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from aob.ports.workers import Fault, Job
from aob.work.job import UNCERTAIN, Context, Intended, WorkError, permanent
from aob.work.outcome import fault_of

Act = Callable[[], Awaitable[object]]
ITS_OWN: Final = "the handler asks for intents of its own"


async def acted(job: Job, ctx: Context, kind: str, what: Mapping[str, object], act: Act) -> object:
    """Return the result of `act`; for a node of effect `once` only after its intent is committed, and never a second
    time: an earlier attempt's record is returned instead.

    Raises the WorkError of `act`. Unless it is certain that nothing has happened, the intent stays without a result and
    the error is WorkError `uncertain`, permanent: the node's `on_uncertain` decides.
    """
    if job.task.spec.effect != "once":
        return await act()
    intended = await ctx.intend(kind, what)
    if not intended.granted:
        recorded: object = intended.recorded
        return recorded
    try:
        output = await act()
    except WorkError as error:
        fault = fault_of(error)
        if may_have_happened(fault):
            why = f"it is not known whether this has happened: {fault.message}"
            raise permanent(
                why, code=UNCERTAIN, cause={"code": fault.code, "message": fault.message}, intent=dict(what)
            ) from error
        await ctx.settle(None, intent=intended, error=fault)
        raise
    await ctx.settle(output, intent=intended)
    return output


def may_have_happened(fault: Fault) -> bool:
    """Whether the effect may have happened although the attempt failed: `detail["sent"]` says so."""
    detail = fault.detail
    return not isinstance(detail, Mapping) or bool(detail.get("sent", True))


class IntentAwareContext:
    """The context of a handler whose whole call is an intent, until it asks for its own."""

    def __init__(self, inner: Context, whole: Intended) -> None:
        self._inner, self._whole, self.asks = inner, whole, not whole.granted

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    async def intend(self, kind: str, what: Mapping[str, Any], **counted: int) -> Intended:
        """From the first one on, its own intents record what has happened, and the call may be repeated."""
        if not self.asks:
            self.asks = True
            await self._inner.settle(ITS_OWN, intent=self._whole)
        return await self._inner.intend(kind, what, **counted)


async def called_once(ctx: Context, handler: str, call: Callable[[Context], Awaitable[object]]) -> object:
    """Calls a handler of effect `once` after the intent of the call is committed: if interrupted, it is uncertain. A
    WorkError means that the handler has failed, unless it says `detail["sent"]`; after any other exception it is
    unknown how far the handler got, and the intent stays open."""
    intended = await ctx.intend("call", {"handler": handler})
    covered = IntentAwareContext(ctx, intended)
    try:
        return await call(cast(Context, covered))
    except WorkError as error:
        fault = fault_of(error)
        known = fault.code != UNCERTAIN and not (isinstance(fault.detail, Mapping) and fault.detail.get("sent"))
        if known and not covered.asks:
            await ctx.settle(None, intent=intended, error=fault)
        raise
