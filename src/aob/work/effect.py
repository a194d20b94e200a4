"""Effects not to be repeated blindly: an intent before, its result after, and the truth about what is not known."""

from collections.abc import Awaitable, Callable, Mapping

from aob.work.job import UNCERTAIN, Context, Job, WorkError

Act = Callable[[], Awaitable[object]]


async def acted(job: Job, ctx: Context, kind: str, what: Mapping[str, object], act: Act) -> object:
    """What `act` gives; for a node of effect `once` only after its intent is committed, and never a second time: what
    an earlier attempt recorded is given instead.

    Raises the WorkError of `act`. When it is not certain that nothing has happened, the intent stays without a result
    and the error is WorkError `uncertain`, permanent: what follows is the node's `on_uncertain`.
    """
    if job.node.spec.effect != "once":
        return await act()
    intended = await ctx.intend(kind, what)
    if not intended.granted:
        recorded: object = intended.recorded
        return recorded
    try:
        output = await act()
    except WorkError as error:
        if may_have_happened(error):
            raise WorkError(
                f"it is not known whether this has happened: {error}",
                code=UNCERTAIN,
                transient=False,
                detail={"cause": {"code": error.fault.code, "message": error.fault.message}, "intent": dict(what)},
            ) from error
        await ctx.settle(None, error=error.fault)
        raise
    await ctx.settle(output)
    return output


def may_have_happened(error: WorkError) -> bool:
    """Whether the world may have changed although the attempt failed: `detail["sent"]` says so."""
    detail = error.fault.detail
    return not isinstance(detail, Mapping) or bool(detail.get("sent", True))
