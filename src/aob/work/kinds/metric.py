"""`metric`: reads a live number of the job's tenant. It changes nothing and may be repeated."""

from typing import TYPE_CHECKING

from aob.core.errors import AobError, Busy, OurError
from aob.core.metric_query import MetricQuery
from aob.core.node import MetricConfig
from aob.core.node.template import fill, fill_text
from aob.core.problem import outward
from aob.ports.workers import Job
from aob.work.job import OUR_ENDS, Context, WorkError, permanent
from aob.work.kinds.http import values

if TYPE_CHECKING:
    from aob.work.tools import Tools


async def perform(job: Job, ctx: Context, tools: "Tools") -> object:
    """The answer, as the API gives it. Raises WorkError `metrics_absent` where there are no live numbers, and what the
    reader raises: `metric_not_found`, `invalid`, `scan_too_large`, ..."""
    job.pulse()
    if tools.metrics is None:
        raise permanent("this process has no live metrics", code="metrics_absent", sent=False)
    config: MetricConfig = job.task.config
    named = values(job)
    where = {name: value if isinstance(value, str) else fill_text("{value}", {"value": value})
             for name, value in fill(config.where, named).items()}  # fmt: skip
    query = MetricQuery(
        fill_text(config.metric, named), fill_text(config.window, named), by=tuple(config.by), where=where
    )
    try:
        return await tools.metrics.read_metric(job.tenant, query)
    except AobError as error:
        if error.code in OUR_ENDS:
            raise
        passes = isinstance(error, OurError | Busy)
        detail = {"metric": query.metric, "sent": False}
        raise WorkError(outward(error).detail, code=error.code, transient=passes, detail=detail) from error
