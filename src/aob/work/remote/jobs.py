"""Jobs and results as items of a worker's stream, and back. Values are JSON; what a worker sends is checked."""

from typing import Any, Final

import msgspec

from aob.core.errors import CallerError
from aob.core.graph.compiled import Task
from aob.core.value import Ref, canonical, decode
from aob.ports.workers import LOST, Done, Fault, Job, Result
from aob.rpc import worker_pb2 as pb
from aob.work.job import STOPPED
from aob.work.outcome import OUTPUT_MAX, finished
from aob.work.remote.lease import Lease

ALIKE_MAX: Final = 4_096
ALIKE_BYTES: Final = 16 * 1024  # of what the jobs of a node have in common: so many, and none larger, are remembered
CODE_MAX: Final = 100
PATCH_MAX: Final = 100
MESSAGE_MAX: Final = 16 * 1024
OURS: Final = frozenset({STOPPED, LOST})  # fault codes that no worker may say
_jobs: Final = dict[tuple[object, ...], tuple[Task, bytes]]()
_task: Final = msgspec.json.Decoder(Task).decode


def item_of(lease: Lease, given: bytes | Ref, resume: bytes | Ref | None) -> pb.ServerItem:
    """The Job item of a lease; `given` and `resume` are encoded values, or where they lie."""
    job, instead = lease.job, lease.instead
    sent = pb.ServerItem()
    item = sent.job
    item.MergeFromString(_alike(lease))
    item.run, item.visit, item.attempt, item.key = job.run, job.visit, job.attempt, job.key
    if type(given) is bytes:
        item.input = given
    else:
        item.ref.CopyFrom(ref_item(given))
    if resume is not None:
        if type(resume) is bytes:
            item.resume = resume
        else:
            item.resume_ref.CopyFrom(ref_item(resume))
    if job.trace:
        item.traceparent = job.trace
    if instead is not None:
        item.offered = True
    return sent


def _alike(lease: Lease) -> bytes:
    """What the jobs of a node have in common, encoded: protobuf joins the bytes of two messages to one. Made once for
    each, for a message of many fields takes longer to build than to send."""
    job = lease.job
    task = job.task
    by_name, handler = job.has_input_map or lease.instead is not None, "" if lease.kind else lease.handler
    key = (
        id(task), handler, lease.kind, lease.effect, by_name, job.pushed, job.tenant, job.mode, job.priority, job.depth,
    )  # fmt: skip
    known = _jobs.get(key)
    if known is not None and known[0] is task:
        return known[1]
    timeout = task.spec.timeout
    data = pb.Job(
        handler=handler, by_name=by_name, effect=lease.effect, node=task.id, tenant=job.tenant, mode=job.mode,
        priority=job.priority, depth=job.depth, patched=not job.pushed, task=canonical(task), kind=lease.kind,
        deadline_ms=timeout.run_ms, start_ms=timeout.start_ms, heartbeat_ms=timeout.heartbeat_ms,
    ).SerializeToString()  # fmt: skip
    if len(data) <= ALIKE_BYTES:
        if len(_jobs) >= ALIKE_MAX:
            _jobs.clear()
        _jobs[key] = (task, data)
    return data


def ack_of(run: str, visit: str, attempt: int) -> pb.ServerItem:
    """The Ack of a result."""
    sent = pb.ServerItem()
    item = sent.ack
    item.run, item.visit, item.attempt = run, visit, attempt
    return sent


def job_of(item: pb.Job, given: bytes, resume: bytes = b"") -> Job:
    """The job of an item, whose values were fetched."""
    return Job(
        item.run, item.visit, item.attempt, _task(item.task), decode(given), item.by_name, item.key, item.tenant,
        item.mode, item.priority, item.depth, decode(resume) if resume else None, not item.patched,
        trace=item.traceparent,
    )  # fmt: skip


def ref_item(ref: Ref | bytes) -> pb.Ref:
    """Where a value lies."""
    assert isinstance(ref, Ref)
    return pb.Ref(sha256=ref.digest, size=ref.size)


def done_of(output: bytes, took_us: int) -> Result:
    """The result of a worker that has succeeded: its output made canonical, or why it cannot be one."""
    if len(output) > OUTPUT_MAX:
        why = f"the output has {len(output)} bytes, at most {OUTPUT_MAX} are kept"
        return Fault("output_too_large", why, False, {"bytes": len(output), "limit": OUTPUT_MAX})
    try:
        done = finished(decode(output) if output else None)
    except (ValueError, RecursionError, msgspec.DecodeError) as error:
        return Fault("output_not_json", f"the worker's output is not JSON: {error}"[:MESSAGE_MAX], False)
    except Exception as error:
        fault = getattr(error, "fault", None)
        return fault if isinstance(fault, Fault) else Fault("output_not_json", str(error)[:MESSAGE_MAX], False)
    done.took_us = took_us
    return done


def spent(done: Result, item: pb.Done) -> Result:
    """The result of a built-in kind: with what it has used, and the patch that it has proposed."""
    if isinstance(done, Done):
        try:
            usage = decode(item.usage) if item.usage else None
        except (ValueError, RecursionError) as error:
            raise CallerError("usage is no JSON", code="bad_usage") from error
        if usage is not None and not isinstance(usage, dict):
            raise CallerError("usage is an object", code="bad_usage")
        done.usage, done.patch = usage, item.patch[:PATCH_MAX]
    return done


def fault_of_item(item: pb.Fail) -> Fault:
    """The fault that a worker reports."""
    code = item.code[:CODE_MAX] or "failed"
    detail: Any = None
    if item.detail:
        try:
            detail = decode(item.detail)
        except (ValueError, RecursionError):
            detail = item.detail[:200].decode("utf-8", "replace")
    return Fault("failed" if code in OURS else code, item.message[:MESSAGE_MAX], not item.permanent, detail)
