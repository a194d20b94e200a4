"""A simulated database that processes reach over a bad line: it performs what arrived, whoever has gone."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final, TypeVar

from aob.backends.memory.leases import MemoryLeases
from aob.backends.memory.store import MemoryStore
from aob.core.cluster import Lease, Member, Standing
from aob.core.errors import Unavailable
from aob.ports.cluster import Renewed
from aob.ports.store import Batch, StaleEpoch
from aob.testing.world.lives import LIFE

T = TypeVar("T")
LATE_MAX: Final = 0.9  # of a lease: how late an answer may be


def outside(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task of no process: it goes on when its caller ends or is stopped."""
    kept = LIFE.set(0)
    try:
        task = asyncio.get_running_loop().create_task(work)
    finally:
        LIFE.reset(kept)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


class Shard:
    """The rows of one shard. `wrong` hears of a write by an owner before the present one."""

    def __init__(self, store: MemoryStore, wrong: Callable[[str], None]) -> None:
        self.store, self.wrong = store, wrong
        self.taker: object = None


class Connection:
    """One owner's way to a shard: the port `Store`."""

    def __init__(self, shard: Shard, name: str) -> None:
        self._shard, self.name = shard, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shard.store, name)

    async def take(self) -> int:
        """Become the owner."""

        async def taken() -> int:
            self._shard.taker = self
            return await self._shard.store.take()

        return await asyncio.shield(outside(taken()))

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        """Write, if nobody has taken the shard since."""

        async def written() -> int | StaleEpoch:
            answer = await self._shard.store.commit(batch)
            if self._shard.taker is not self and not isinstance(answer, StaleEpoch):
                self._shard.wrong(f"{self.name} wrote row {batch.row} after another had taken the shard")
            return answer

        return await asyncio.shield(outside(written()))


class LeaseLine:
    """One process's way to the leases: the port `Leases`. `rate` is the chance of a loss, `slow` of a delay."""

    def __init__(self, inner: MemoryLeases, dice: Random, lease_s: float, told: Callable[[str], None]) -> None:
        self._inner, self._dice, self._lease_s, self._told = inner, dice, lease_s, told
        self.rate = self.slow = 0.0

    async def join(self, member: Member) -> int:
        return await self._over("join", lambda: self._inner.join(member))

    async def leave(self, member: str) -> None:
        await self._over("leave", lambda: self._inner.leave(member))

    async def standing(self) -> Standing:
        return await self._over("standing", self._inner.standing)

    async def take(self, shard: int, member: str) -> Lease:
        return await self._over(f"take {shard}", lambda: self._inner.take(shard, member))

    async def renew(self, member: str) -> Renewed:
        return await self._over("renew", lambda: self._inner.renew(member))

    async def release(self, shard: int, member: str, heir: str = "") -> bool:
        return await self._over(f"release {shard}", lambda: self._inner.release(shard, member, heir))

    async def close(self) -> None:
        """Nothing to close."""

    async def _over(self, what: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await asyncio.shield(outside(self._performed(what, work)))

    async def _performed(self, what: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        await self._way(what, "lost")
        answer = await work()
        await self._way(what, "performed, its answer lost")
        return answer

    async def _way(self, what: str, lost: str) -> None:
        late = self._dice.random() < self.slow
        await asyncio.sleep(self._dice.random() * (LATE_MAX * self._lease_s if late else 0.01))
        if self._dice.random() < self.rate:
            self._told(f"{what} {lost}")
            raise Unavailable("the simulated line lost it", code="store_away")
