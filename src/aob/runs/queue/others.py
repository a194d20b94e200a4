"""Who else dispatches to the workers of a shard."""

from collections.abc import Callable, Iterable
from typing import Protocol

from aob.core.agent_name import AGENT
from aob.journal import Committed, Recovered, Stream
from aob.ports.workers import Job, Report, Result
from aob.work.pool import Running


class Others(Protocol):
    """What of another room shares the workers of a shard: jobs whose run is one of its streams."""

    async def begin(self, running: Running | None) -> None:
        """Begins to dispatch."""

    async def end(self) -> None:
        """Dispatches no more."""

    def committed(self, commit: Committed) -> None:
        """A commit is durable."""

    def recovered(self, found: Recovered) -> None:
        """The shard was recovered from the store."""

    def arrived(self, streams: Iterable[Stream]) -> None:
        """Streams came with their partition."""

    def hold(self, partition: int) -> None:
        """A partition is about to leave: nothing of it begins."""

    def stay(self, partition: int) -> None:
        """It stays."""

    def gone(self, partition: int) -> None:
        """It is another shard's from now on."""

    def report(self, job: Job, result: Result) -> None:
        """A worker has ended a job."""


class Nobody(Others):
    """Nobody else does."""

    async def begin(self, running: Running | None) -> None:
        return

    async def end(self) -> None:
        return

    def committed(self, commit: Committed) -> None:
        return

    def recovered(self, found: Recovered) -> None:
        return

    def arrived(self, streams: Iterable[Stream]) -> None:
        return

    def hold(self, partition: int) -> None:
        return

    def stay(self, partition: int) -> None:
        return

    def gone(self, partition: int) -> None:
        return

    def report(self, job: Job, result: Result) -> None:
        return


def reporter(report: Report, others: Callable[[], Others]) -> Report:
    """Reports each job to who has submitted it."""
    return lambda job, result: (others().report if job.run.startswith(AGENT) else report)(job, result)
