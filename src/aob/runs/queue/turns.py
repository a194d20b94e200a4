"""How many starts of each tenant are with the journal at once: its inbox is of all tenants, and one that starts many
runs fills it for no other."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from aob.core.errors import Busy

AT_ONCE: Final = 2_000
"""Starts of one call that are given to the journal together, about two commits."""
UNDER_WAY_MAX: Final = 4_000
"""Starts of one tenant that are with the journal of a shard at once; further ones wait, and those of others do not."""
WAITING_MAX: Final = 20_000
"""Starts of one tenant that may wait for that at a shard; further ones are refused as busy."""


class Turns:
    """The starts of all tenants at one shard. What is taken is given back once it is decided."""

    def __init__(self, under_way: int = UNDER_WAY_MAX, waiting: int = WAITING_MAX) -> None:
        self.under_way_max, self.waiting_max = under_way, waiting
        self._under_way: dict[str, int] = {}
        self._waiting: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {}

    async def take(self, tenant: str, count: int) -> None:
        """Wait until so many starts, at most `AT_ONCE`, may go to the journal. Raises Busy when too many wait."""
        waiting = self._waiting.get(tenant)
        if waiting is None:
            if self._under_way.get(tenant, 0) + count <= self.under_way_max:
                self._add(tenant, count)
                return
            waiting = self._waiting[tenant] = deque()
        if sum([many for many, _ in waiting]) + count > self.waiting_max:
            raise Busy(f"{self.waiting_max:,} starts of this tenant are waiting", retry_after_s=0.5)
        turn = count, asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn[1]
        except asyncio.CancelledError:
            if not turn[1].cancelled():  # its turn has come meanwhile
                self.give(tenant, count)
            elif turn in waiting:
                waiting.remove(turn)
                self._go_on(tenant)
            raise

    def give(self, tenant: str, count: int) -> None:
        """So many are decided."""
        self._add(tenant, -count)
        self._go_on(tenant)

    def give_after(self, tenant: str, count: int, futures: Iterable["asyncio.Future[object]"]) -> None:
        """The same once all of these are done, whether or not anyone waits for them."""
        left = [future for future in futures if not future.done()]
        if left:
            every = asyncio.gather(*left, return_exceptions=True)
            every.add_done_callback(lambda _: self.give(tenant, count))
        else:
            self.give(tenant, count)

    def _add(self, tenant: str, count: int) -> None:
        self._under_way[tenant] = self._under_way.get(tenant, 0) + count
        if not self._under_way[tenant]:
            del self._under_way[tenant]

    def _go_on(self, tenant: str) -> None:
        waiting = self._waiting.get(tenant, deque())
        while waiting and self._under_way.get(tenant, 0) + waiting[0][0] <= self.under_way_max:
            count, turn = waiting.popleft()
            if not turn.done():
                self._add(tenant, count)
                turn.set_result(None)
        if not waiting:
            self._waiting.pop(tenant, None)
