"""Effects not to be repeated blindly: an intent before, its result after, and the truth about what is not known."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from aob.ports.workers import Fault, Job
from aob.work.job import UNCERTAIN, Context, Intended, WorkError
from aob.work.outcome import fault_of

Act = Callable[[], Awaitable[object]]
ITS_OWN: Final = "the handler asks for intents of its own"


async def acted(job: Job, ctx: Context, kind: str, what: Mapping[str, object], act: Act) -> object:
    """What `act` gives; for a node of effect `once` only after its intent is committed, and never a second time: what
    an earlier attempt recorded is given instead.

    Raises the WorkError of `act`. When it is not certain that nothing has happened, the intent stays without a result
    and the error is WorkError `uncertain`, permanent: what follows is the node's `on_uncertain`.
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
            raise WorkError(
                f"it is not known whether this has happened: {fault.message}",
                code=UNCERTAIN,
                transient=False,
                detail={"cause": {"code": fault.code, "message": fault.message}, "intent": dict(what)},
            ) from error
        await ctx.settle(None, intent=intended, error=fault)
        raise
    await ctx.settle(output, intent=intended)
    return output


def may_have_happened(fault: Fault) -> bool:
    """Whether the world may have changed although the attempt failed: `detail["sent"]` says so."""
    detail = fault.detail
    return not isinstance(detail, Mapping) or bool(detail.get("sent", True))


class Covered:
    """The context of a handler whose whole call is an intent, until it asks for one of its own."""

    def __init__(self, inner: Context, whole: Intended) -> None:
        self._inner, self._whole, self.asks = inner, whole, not whole.granted

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    async def intend(self, kind: str, what: Mapping[str, Any]) -> Intended:
        """From the first one on, its own intents say what has happened, and the call may be made again."""
        if not self.asks:
            self.asks = True
            await self._inner.settle(ITS_OWN, intent=self._whole)
        return await self._inner.intend(kind, what)


async def called_once(ctx: Context, handler: str, call: Callable[[Context], Awaitable[object]]) -> object:
    """Calls a handler of effect `once` after the intent of the call is committed: cut off, it is uncertain.

    A WorkError is the handler's word that it has failed, unless it says `detail["sent"]`; of any other exception nobody
    knows how far the handler had come, and the intent stays open.
    """
    intended = await ctx.intend("call", {"handler": handler})
    covered = Covered(ctx, intended)
    try:
        return await call(cast(Context, covered))
    except WorkError as error:
        fault = fault_of(error)
        known = fault.code != UNCERTAIN and not (isinstance(fault.detail, Mapping) and fault.detail.get("sent"))
        if known and not covered.asks:
            await ctx.settle(None, intent=intended, error=fault)
        raise
