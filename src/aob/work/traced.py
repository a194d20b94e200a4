"""Performs a job under the trace that its run was started in: what it logs and asks of others belongs to that trace,
and where spans are collected it has one of its own."""

from collections.abc import Callable, Coroutine

from aob.ports.telemetry import TRACE, Telemetry, traced
from aob.ports.workers import Job


async def under_trace(
    job: Job, telemetry: Telemetry | None, perform: Callable[[Job], Coroutine[object, object, object]]
) -> object:
    """What `perform` makes of a job that has a trace. Every attempt has a context of its own."""
    above = traced(job.trace)
    if telemetry is None:
        TRACE.set(above)
        return await perform(job)
    node = job.task
    what = node.config.handler if node.kind == "function" else node.id
    facts: dict[str, str | int] = {
        "aob.run": job.run, "aob.visit": job.visit, "aob.attempt": job.attempt, "aob.tenant": job.tenant
    }  # fmt: skip
    with telemetry.span(f"{node.kind} {what}", above, **facts):
        return await perform(job)
