"""One job that goes to a worker of another process: where it is, and its timeouts."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from aob.core.errors import AobError
from aob.core.graph import HandlerFacts
from aob.ports.workers import OF_AGENT, RANK, Fault, Job, Lane, Result
from aob.rpc import worker_pb2 as pb
from aob.work.job import Context, WorkError
from aob.work.pool import Attempt
from aob.work.remote.backlog import MEDIUM


class Line(Protocol):
    """One stream of a worker."""

    def put(self, item: pb.ServerItem) -> None:
        """Send an item."""

    @property
    def behind(self) -> bool:
        """Whether so much waits to be read that no job should be added."""

    def end(self, error: AobError) -> None:
        """End the stream with an error, after what was sent."""


class Holder(Protocol):
    """A worker that has leases."""

    leases: "dict[tuple[str, str], Lease]"
    line: Line | None

    @property
    def id(self) -> str:
        """Its name, in its tenant."""


class Guarding(Protocol):
    """What is done around a call."""

    def context(self, job: Job, /) -> Context:
        """The context of a job."""

    def effect(self, lease: "Lease", facts: HandlerFacts) -> str:
        """The effect of a call."""

    def needs(self, lease: "Lease", facts: HandlerFacts) -> bool:
        """Whether a call needs care."""

    async def performed(
        self, lease: "Lease", out: Callable[[], Awaitable[Result]],
        ask: "Callable[[Lease, Asked], Awaitable[Result]]",
    ) -> Result | None:  # fmt: skip
        """The result of a job that `out` performs at a worker. None: it is cancelled."""

    def said(self, fault: Fault) -> WorkError:
        """A fault that a handler said itself."""


class Owner(Protocol):
    """The owner of some runs: it hears what comes of their jobs."""

    @property
    def guard(self) -> Guarding:
        """What is done around their calls."""

    def report(self, job: Job, result: Result, /) -> None:
        """The result of a job, once; never of a cancelled one."""

    def stands(self, run: str, visit: str, attempt: int, tenant: str) -> bool:
        """Whether this attempt of a tenant (empty: of any) is one of these runs, and to be done now."""

    def lane_of(self, job: Job) -> Lane:
        """What a worker must have to be given a job."""

    async def pin(self, job: Job, build: str) -> None:
        """Note the build of a run before its first job leaves, if none is noted; returns once it is durable."""

    def look(self) -> None:
        """Workers came or left, or fewer jobs wait: submit what may be by now."""

    def parked(self) -> Iterable[tuple[Lane, int, float]]:
        """How many jobs are not submitted yet, by lane, and since when the oldest waits (by the loop's clock)."""


class WorkerFaultError(Exception):
    """What a worker says of an attempt that its handler did not say itself."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Asked(msgspec.Struct, frozen=True):
    """A call that is asked for in place of the node's own."""

    handler: str
    given: Mapping[str, Any]


class Lease(Attempt, eq=False, kw_only=True):
    """An attempt of an `owner`, and its worker. `age` orders those that wait.

    `guarded`: a guard performs it: `waits` is what that waits for, `ctx` the context that it gave, `early` a result
    that came before it waits, `remembers` whether the memo serves it. `begun`: a worker has said that it has it, so it
    is never given out again as the same attempt. `answered`: its worker has reported, and waits for an Ack. `instead`
    is another call that is made for it. `slot` is its place in the list of what is at workers, `holder` who had it in
    the life before; `given` and `again` are its encoded input and checkpoint, until sent."""

    owner: Owner
    lane: Lane
    age: int = 0
    rank: int = MEDIUM
    worker: Holder | None = None
    effect: str = ""
    guarded: bool = False
    waits: "asyncio.Future[Result] | None" = None
    remembers: bool = False
    early: tuple[Result, bool] | None = None
    ctx: Context | None = None
    begun: bool = False
    answered: bool = False
    result: Result | None = None
    instead: Asked | None = None
    slot: int = 0
    holder: bytes = b""
    given: bytes | None = None
    again: bytes | None = None
    at_s: float = 0.0

    @property
    def tenant(self) -> str:
        """Whose job it is."""
        return self.job.tenant

    @property
    def size(self) -> int:
        """What its encoded values hold, in bytes."""
        return len(self.given or b"") + len(self.again or b"")

    @property
    def handler(self) -> str:
        """The handler to be called."""
        return self.instead.handler if self.instead is not None else self.lane.handler

    @property
    def kind(self) -> str:
        """The built-in kind that is performed; empty: a handler is called."""
        return "" if self.instead is not None else self.lane.kind

    @property
    def returns(self) -> bool:
        """Whether the process that owns the job could perform it, too."""
        return bool(self.kind) or self.handler.startswith(OF_AGENT)

    @classmethod
    def rank_of(cls, priority: str) -> int:
        """The rank of a priority; an unknown one is medium."""
        return RANK.get(priority, MEDIUM)
