"""Sends jobs to workers: encodes their values, and puts those that are too large for a frame into the blobs first."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from aob.core.value import Ref, canonical
from aob.ports.logger import Logger
from aob.ports.workers import Fault
from aob.rpc import VALUE_MAX
from aob.work.outcome import fault_of
from aob.work.remote.jobs import item_of
from aob.work.remote.lease import Lease

log: Final = Logger("aob.work")


class Aside(Protocol):
    """Runs a coroutine beside the loop's other tasks, and keeps it."""

    def __call__(self, work: Awaitable[None], /) -> object:
        """Begin it."""


class Sending:
    """`put` stores a value for a tenant; `aside` runs a task until it ends; `broken` hears of a job whose values cannot
    be encoded."""

    def __init__(self, put: Callable[[str, bytes], Awaitable[Ref]], aside: Aside) -> None:
        self._put, self._aside = put, aside
        self.broken: Callable[[Lease, Fault], None] = lambda lease, fault: None

    def encode(self, lease: Lease) -> bool:
        """Encode the values of a job, once. False: they cannot be, and `broken` was called."""
        if lease.given is None:
            try:
                given = canonical(lease.instead.given if lease.instead is not None else lease.job.input)
                lease.again = canonical(lease.job.resume) if lease.job.resume is not None else None
            except Exception as error:
                self.broken(lease, fault_of(error))
                return False
            lease.given = given
        return True

    def send(self, lease: Lease) -> None:
        """Send a job to the worker that has it."""
        if not self.encode(lease):
            return
        given, resume = lease.given or b"", lease.again
        lease.given = lease.again = None
        if len(given) + len(resume or b"") > VALUE_MAX:
            self._aside(self._stored(lease, given, resume))
        else:
            self._leave(lease, given, resume)

    async def _stored(self, lease: Lease, given: bytes, resume: bytes | None) -> None:
        try:
            keep = partial(self._put, lease.tenant)
            where = await keep(given)
            again = await keep(resume) if resume is not None else None
        except Exception as error:
            log.warning("job_not_sent", run=lease.job.run, visit=lease.job.visit, exc_info=error)
            self.broken(lease, fault_of(error))
            return
        self._leave(lease, where, again)

    def _leave(self, lease: Lease, given: bytes | Ref, resume: bytes | Ref | None) -> None:
        worker = lease.worker
        if worker is not None and worker.line is not None and lease.state == "running":
            worker.line.put(item_of(lease, given, resume))
