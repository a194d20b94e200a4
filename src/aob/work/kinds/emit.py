"""`emit`: appends a job's event to a topic of the home's log. One visit is one event, in any number of attempts."""

from typing import TYPE_CHECKING

from msgspec import Raw, to_builtins

from aob.core.errors import AobError, Busy, Invalid, OurError
from aob.core.event import derived_id, partition_of
from aob.core.node import EmitConfig
from aob.core.node.template import fill, fill_text
from aob.core.problem import outward
from aob.core.value import canonical
from aob.ports.log import Record, token_of
from aob.ports.workers import Job
from aob.work.effect import acted
from aob.work.job import OUR_ENDS, Context, WorkError, permanent
from aob.work.kinds.http import values

if TYPE_CHECKING:
    from aob.work.tools import Tools


async def perform(job: Job, ctx: Context, tools: "Tools") -> object:
    """`{id, topic, position}` of the event, once it is durable; the same again for every attempt. Raises WorkError
    `event_invalid`, and what the log raises: `event_exists`, `too_large`, `disk_full`, ..."""
    job.pulse()
    config: EmitConfig = job.task.config
    record = record_of(config, job)
    partition = partition_of(record.subject, tools.partitions)

    async def act() -> object:
        try:
            (appended,) = await tools.log.append(job.tenant, config.topic, partition, [record], keyed=True)
        except AobError as error:
            if error.code in OUR_ENDS:
                raise  # it is unknown whether it was written, so the fault does not deny it
            # What a log refuses or cannot write is not written.
            passes = isinstance(error, OurError | Busy)
            detail: dict[str, object] = {"sent": False}
            if isinstance(error, Invalid):
                detail["reasons"] = [to_builtins(problem) for problem in error.problems]
            raise WorkError(outward(error).detail, code=error.code, transient=passes, detail=detail) from error
        return {"id": record.id, "topic": config.topic, "position": token_of(partition, appended.offset)}

    return await acted(job, ctx, "emit", {"topic": config.topic, "id": record.id, "type": record.type}, act)


def record_of(config: EmitConfig, job: Job) -> Record:
    """The record of a job. Raises WorkError `event_invalid` for an empty type."""
    named = values(job)
    kind, subject = fill_text(config.type, named), fill_text(config.subject, named)
    if not kind.strip() or not (kind + subject).isprintable():
        why = f"type {kind[:80]!r} and subject {subject[:80]!r} must be printable, and the type not empty"
        raise permanent(why, code="event_invalid", sent=False)
    data = job.input if config.data is None else fill(config.data, named)
    return Record(
        derived_id("event", job.key), f"/v1/runs/{job.run}", kind, job.tenant, subject or job.run,
        Raw(canonical(data)), "", job.run, f"{job.run}/{job.visit}", job.depth,
    )  # fmt: skip
