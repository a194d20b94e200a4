"""What an owner may do only while it may act on its lease: answer, send, dispatch. It is asked at the last moment
before each. What is written needs no guard: a commit of an older owner is refused by the epoch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Final, NamedTuple, TypeVar

from aob.compose.cluster.clock import StoreClock
from aob.core.cluster import Tenure
from aob.core.errors import Unavailable
from aob.core.event import MessageMark
from aob.core.graph.compiled import Task
from aob.journal.messages import Delivery
from aob.ports.workers import Job
from aob.work.pool import Bare, Perform

UNOWNED: Final = "shard_unowned"
LOOK_S: Final = 0.05  # how often a job that waits for the lease asks for it
RETRY_S: Final = 1.0

T = TypeVar("T")
Post = Callable[[Delivery], Awaitable[MessageMark]]


class Right(NamedTuple):
    """By what a process has a shard: until when it acts, what each commit asks before it, and the clock that counts."""

    tenure: Tenure
    permit: Callable[[], Awaitable[None]]
    clock: StoreClock


class Guard:
    """The guard of one shard."""

    def __init__(self, shard: int, tenure: Tenure) -> None:
        self._shard, self.tenure = shard, tenure

    def check(self) -> None:
        """Raises Unavailable `shard_unowned` when this process may not act for the shard now."""
        if not self.tenure.acts:
            raise Unavailable(
                f"this process may not answer for shard {self._shard}: its lease was not renewed in time", code=UNOWNED,
                hint="ask again in a moment: it is renewed, or another process takes the shard", shard=self._shard,
                retry_after_s=RETRY_S,
            )  # fmt: skip

    async def permit(self) -> None:
        """As `check`."""
        self.check()

    async def answered(self, work: Awaitable[T]) -> T:
        """An answer that may leave now."""
        try:
            self.check()
        except Unavailable:
            if isinstance(work, Coroutine):
                work.close()
            raise
        answer = await work
        self.check()
        return answer

    async def items(self, feed: AsyncIterator[T]) -> AsyncIterator[T]:
        """Items of a stream, each of which may leave when it does."""
        async for item in feed:
            self.check()
            yield item

    def posts(self, post: Post) -> Post:
        """Messages to other shards leave only in time."""

        async def guarded(delivery: Delivery) -> MessageMark:
            self.check()
            return await post(delivery)

        return guarded


def tenured(perform: Perform, tenure: Tenure) -> Perform:
    """Jobs begin only while the owner may act; others wait until it may again, or they are cancelled."""

    def begin(job: Job) -> Coroutine[object, object, object]:
        return perform(job) if tenure.acts else later(job)

    async def later(job: Job) -> object:
        while True:
            await asyncio.sleep(LOOK_S)
            if tenure.acts:
                return await perform(job)

    return begin


def barely_tenured(bare: Bare, tenure: Tenure) -> Bare:
    """The same of bare jobs."""

    def guarded(task: Task) -> Perform | None:
        perform = bare(task)
        return None if perform is None else tenured(perform, tenure)

    return guarded
