"""`metric`: reads a live number of the job's tenant. It changes nothing and may be repeated."""

from typing import TYPE_CHECKING

from aob.core.metric_query import MetricQuery
from aob.core.node import MetricConfig
from aob.core.node.template import fill, fill_text
from aob.ports.workers import Job
from aob.work.job import Context
from aob.work.kinds.http import values
from aob.work.tools import live_number

if TYPE_CHECKING:
    from aob.work.tools import Tools


async def perform(job: Job, ctx: Context, tools: "Tools") -> object:
    """The answer, as the API gives it. Raises what `live_number` raises."""
    job.pulse()
    config: MetricConfig = job.task.config
    named = values(job)
    where = {name: value if isinstance(value, str) else fill_text("{value}", {"value": value})
             for name, value in fill(config.where, named).items()}  # fmt: skip
    query = MetricQuery(
        fill_text(config.metric, named), fill_text(config.window, named), by=tuple(config.by), where=where
    )
    return await live_number(tools.metrics, job.tenant, query)
