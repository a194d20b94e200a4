"""`Workers`: leases jobs and reports each once. A job is plain data that can be encoded and sent."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from aob.core.graph.compiled import Task
from aob.core.value import Ref, canonical, decode


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """Why an attempt failed. `transient` faults are worth a retry; `detail` is JSON for people and tools."""

    code: str
    message: str
    transient: bool = True
    detail: Any = None


LOST: Final = "worker_lost"
"""Fault code of an attempt whose worker, of another process, is gone: it is lost, and has not failed. `detail["stop"]`:
that worker was stopped in order."""


class Job(msgspec.Struct, eq=False):
    """One attempt of one visit, ready to be performed: the request of its node, its input, and its tenant.

    `key` is the idempotency key of the visit (the same for every attempt). `has_input_map`: `input` is a map of names
    made by the node's `input:`, to be passed by name; else it is one value. `resume` is the last checkpoint that a
    heartbeat stored. `pushed`: the node is as in the pushed document; no patch has added or changed it. `epoch` and
    `row`: the commit that made it ready. Until that is durable, the result counts only if it becomes so.
    `queued_ms`: how long it waited before it was submitted, which counts for the queue timeout. `trace`: the
    `traceparent` that its run was started under; empty: none.
    `queued_ms`: how long it waited before it was submitted, which counts for the queue timeout. `crashes`: how many
    attempts of the visit were lost with their worker.
    """

    run: str
    visit: str
    attempt: int
    task: Task
    input: Any
    has_input_map: bool
    key: str
    tenant: str
    mode: str
    priority: str
    depth: int = 1
    resume: Any = None
    pushed: bool = True
    epoch: int = 0
    row: int = 0
    queued_ms: int = 0
    trace: str = ""
    crashes: int = 0

    def pulse(self) -> None:
        """A sign of life, given when the work begins and at each heartbeat. It feeds the start and heartbeat timeouts,
        and is cheap; without either it is not counted."""


AWAY: Final = ("http", "notify", "object", "agent")
"""Built-in kinds that workers of other processes may perform."""
KIND: Final = "@"
"""Before the name of such a kind where a lane has the name of a handler: `@http`."""

OF_AGENT: Final = "agent:"
"""Before the name and version of an agent on topics, where a lane has the name of a handler: `agent:triage@1a2b`."""


class Lane(NamedTuple):
    """What a worker must have to be given a job: the handler, or a built-in kind with KIND before its name. An empty
    build: any; with `pins`, any of a name, which is noted before the job leaves. `needs` are handlers and offers that
    it must have besides. `alone`: with no other job of this sort."""

    handler: str
    labels: tuple[tuple[str, str], ...] = ()
    build: str = ""
    pins: bool = False
    needs: tuple[str, ...] = ()
    alone: bool = False

    @property
    def kind(self) -> str:
        """The built-in kind; empty: a handler is called."""
        return self.handler[len(KIND) :] if self.handler.startswith(KIND) else ""


NO_WORKER: Final = "no_worker"
"""No worker has the handler of a lane."""
NO_BUILD: Final = "no_build"
"""No worker with the handler has the build of a lane."""
NO_LABEL: Final = "no_label"
"""No worker with the handler, and with the build if there is one, has the labels of a lane."""

PAUSED: Final = "paused"
"""The handler of a lane is paused."""

RANK: Final = {"high": 0, "medium": 1, "low": 2}
"""The rank of a priority."""


class Turn(NamedTuple):
    """Where a job waits for a worker: with jobs of the same lane, tenant and rank."""

    lane: Lane
    tenant: str
    rank: int


class Done(msgspec.Struct, gc=False):
    """An attempt that succeeded. `data` is the canonical JSON of the output, ready to be a cell. `memo` marks a cache
    hit; `usage` counts tokens and money; `patch` names a patch that the work proposed; `ref` is set when the output is
    over ROW_MAX: the blobs already hold it, durably. `took_us` is the time of the attempt, filled in by the workers."""

    data: bytes
    memo: bool = False
    usage: dict[str, Any] | None = None
    patch: str = ""
    ref: Ref | None = None
    took_us: int = 0

    @property
    def output(self) -> Any:
        """The output as a fresh JSON value."""
        return decode(self.data)


Result = Done | Fault  # the result of a job

Report = Callable[[Job, Result], None]
"""Called on the owner's loop, once for each job; never for a cancelled one: its canceller has decided."""

encode_job: Final = canonical
"""`encode_job(job) -> bytes`. Map items in its input are written out."""

decode_job: Final = msgspec.json.Decoder(Job).decode


class _Told(msgspec.Struct, omit_defaults=True):
    done: Done | None = None
    fault: Fault | None = None


_told: Final = msgspec.msgpack.Decoder(_Told)


def encode_result(result: Result) -> bytes:
    """Encode a result for the wire."""
    return msgspec.msgpack.encode(_Told(result) if isinstance(result, Done) else _Told(None, result))


def decode_result(data: bytes) -> Result:
    """Decode a result. Raises ValueError when it is none."""
    told = _told.decode(data)
    result = told.done or told.fault
    if result is None:
        raise ValueError("it says neither what was done nor what went wrong")
    return result


class Workers(Protocol):
    """Performs jobs and stores none: at a stop, or when a worker is lost, the owner leases a job again from its
    commits. A job never raises here, and no report may stop another."""

    cut_off: list[Job]
    """After a stop: running attempts that did not end in time. They are not reported."""

    def submit(self, job: Job) -> None:
        """Lease a job. A job already held is ignored; a later attempt of its visit replaces the earlier one, which is
        not reported any more. After a stop no job is taken."""

    def cancel(self, run: str, visit: str, attempt: int | None = None) -> bool:
        """End a lease without a report. False when it is not held (or another attempt than the given one is)."""

    def withdraw(self, run: str, visit: str) -> Job | None:
        """Give back a job that no worker has begun; None when one has, or when it must keep its place."""

    def runs(self, run: str, visit: str) -> bool:
        """Whether a worker has begun this visit."""

    def held(self) -> dict[tuple[str, str], int]:
        """The run and visit of every waiting or running job, and its attempt."""

    async def stop(self, drain_s: float = ...) -> None:
        """Take no new jobs, let running ones end within `drain_s`, then cut off the rest. Idempotent."""
