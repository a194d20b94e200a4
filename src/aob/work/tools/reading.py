"""A live number of a tenant, for what is at work: a question in, the answer out, errors as a handler may retry them."""

from aob.core.answers import JsonObject
from aob.core.errors import AobError, Busy, OurError
from aob.core.metric_query import MetricQuery
from aob.core.problem import outward
from aob.ports.serving import MetricReader
from aob.work.job import OUR_ENDS, WorkError, permanent


async def live_number(reader: MetricReader | None, tenant: str, query: MetricQuery) -> JsonObject:
    """The answer, as the API gives it. Raises WorkError `metrics_absent` where there are no live numbers, and what the
    reader raises: `metric_not_found`, `invalid`, `scan_too_large`, ..."""
    if reader is None:
        raise permanent("this process has no live metrics", code="metrics_absent", sent=False)
    try:
        return await reader.read_metric(tenant, query)
    except AobError as error:
        if error.code in OUR_ENDS:
            raise
        passes = isinstance(error, OurError | Busy)
        detail = {"metric": query.metric, "sent": False}
        raise WorkError(outward(error).detail, code=error.code, transient=passes, detail=detail) from error
