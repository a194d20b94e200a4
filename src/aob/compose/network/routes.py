"""The part that every `Directory` shares: what is known of owners, and one reading at a time for all who look."""

import asyncio
from typing import Final

from aob.compose.network.remote import Route

FRESH_S: Final = 0.05  # a reading that is younger answers all who look


class Routes:
    """Owners by shard. A directory says how they are read."""

    def __init__(self) -> None:
        self._routes: dict[int, Route] = {}
        self._reading: asyncio.Task[None] | None = None
        self._read_s = -1.0

    def owner(self, shard: int) -> Route | None:
        """The owner as far as known."""
        return self._routes.get(shard)

    async def look(self, shard: int) -> Route | None:
        """Read again, unless that was done a moment ago. All who look at once share one reading."""
        if asyncio.get_running_loop().time() - self._read_s > FRESH_S:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read(), name="aob-routes")
            await asyncio.shield(self._reading)
        return self.owner(shard)

    def learn(self, shard: int, route: Route) -> None:
        """Another process says so; it counts if its epoch is higher."""
        known = self._routes.get(shard)
        if route.address and (known is None or known.epoch < route.epoch):
            self._routes[shard] = route

    async def _read(self) -> None:
        """Read what is written of owners, and note when, by `_noted`. What cannot be read leaves what is known."""
        raise NotImplementedError

    def _noted(self) -> None:
        self._read_s = asyncio.get_running_loop().time()
