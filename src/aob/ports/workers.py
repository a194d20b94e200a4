"""`Workers`: jobs are leased here and each is reported once. A job is plain data: it encodes, travels and decodes."""

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from aob.core.graph.compiled import Task
from aob.core.value import Ref, canonical, decode


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """Why an attempt failed. `transient` faults are worth another attempt; `detail` is JSON for people and tools."""

    code: str
    message: str
    transient: bool = True
    detail: Any = None


class Job(msgspec.Struct, eq=False):
    """One attempt of one visit, ready to be performed: what its node asks for, its input, and whose it is.

    `key` is the idempotency key of the visit (the same for every attempt). `has_input_map` says that `input` is a map
    of names made by the node's `input:`, to be passed by name; else it is one value. `resume` is the last checkpoint
    that a heartbeat stored. `pushed`: the node is as the pushed document has it; no patch has added or changed it.
    `epoch` and `row`: the commit of what made it ready. Where that is not durable yet, the result counts only if it
    becomes so.
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

    def pulse(self) -> None:
        """A sign of life: whoever performs the job gives it when the work begins and at each heartbeat. It feeds the
        start and heartbeat time-outs, and is cheap; of a job that has neither nobody counts it."""


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


Result = Done | Fault
"""What comes back for a job."""

Report = Callable[[Job, Result], None]
"""Called on the loop of the owner, once for each job; never for one that was cancelled: who cancels has decided."""

encode_job: Final = canonical
"""`encode_job(job) -> bytes`. The items of a map that stand in its input are written out."""

decode_job: Final = msgspec.json.Decoder(Job).decode


class _Told(msgspec.Struct, omit_defaults=True):
    done: Done | None = None
    fault: Fault | None = None


_told: Final = msgspec.json.Decoder(_Told)


def encode_result(result: Result) -> bytes:
    """A result as it travels."""
    return msgspec.json.encode(_Told(result) if isinstance(result, Done) else _Told(None, result))


def decode_result(data: bytes) -> Result:
    """A result as it came. Raises ValueError when it is none."""
    told = _told.decode(data)
    result = told.done or told.fault
    if result is None:
        raise ValueError("it says neither what was done nor what went wrong")
    return result


class Workers(Protocol):
    """Who performs jobs. Nothing is kept: at a stop, or when a worker is lost, the owner leases a job again from what
    it has committed. A job never raises here, and no report may stop another."""

    cut_off: list[Job]
    """After a stop: attempts that were at work and did not end in time. They are not reported."""

    def submit(self, job: Job) -> None:
        """Lease a job. One that is held already is ignored; a later attempt of its visit replaces the earlier one, of
        which nothing is reported any more. After a stop nothing is taken."""
        ...

    def cancel(self, run: str, visit: str, attempt: int | None = None) -> bool:
        """End a lease without a report. False when it is not held (or another attempt than the one named is)."""
        ...

    def runs(self, run: str, visit: str) -> bool:
        """Whether a worker has begun with this visit."""
        ...

    def held(self) -> dict[tuple[str, str], int]:
        """The run and visit of every job that waits or runs, and its attempt."""
        ...

    async def stop(self, drain_s: float = ...) -> None:
        """Take nothing new, let what runs end within `drain_s`, then cut off the rest. Stopping twice is fine."""
        ...
