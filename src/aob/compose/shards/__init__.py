"""A home with several shards: verbs go in, the owner of their run answers. Owners are started, and started again."""

import asyncio
import sys
from collections.abc import Sequence

import msgspec

from aob.compose.app import App
from aob.compose.layout import Layout
from aob.compose.shards.followers import Followers
from aob.compose.shards.local import LocalShard, Shard
from aob.compose.shards.owned import OwnedShard
from aob.compose.shards.removal import ShardSweep
from aob.compose.shards.sharded import ShardedViews
from aob.compose.shards.upward import answering
from aob.compose.shards.wire import Hello, end_tasks
from aob.compose.sweeping import sweep_often
from aob.core.errors import Unavailable

__all__ = ["OwnedShard", "Owners", "ShardedViews"]


class Owners:
    """The owner processes of a home, and the verbs over all of them. Enter it after the home's own shard 0.

    Raises what an owner raised that could not start, Unavailable `shards_unavailable` where there is no Unix.
    """

    def __init__(self, running: App, app: Sequence[str], layout: Layout) -> None:
        if sys.platform == "win32":
            raise Unavailable(
                "owner processes need a Unix", code="shards_unavailable", hint="a home of one shard works"
            )
        self.running = running
        settings = msgspec.to_builtins(running.settings)
        home = str(running.home.absolute())
        wiring = running.wiring
        assert wiring is not None, "the main process has the metrics layer"
        answer = answering(running.log, running.reader, wiring.read_through, running.views.core)
        self.owned = [
            OwnedShard(Hello(home, number, settings, list(app), list(sys.path), layout), answer)
            for number in range(1, layout.files)
        ]
        every: list[Shard] = [LocalShard(0, running), *self.owned]
        self.verbs = ShardedViews(running.views, every, layout)
        wiring.starts.views = self.verbs  # what an alert starts may belong to any shard
        self._followers = Followers(self.owned, wiring, running.notices)
        self.sweeps = [ShardSweep(shard) for shard in every]
        self._sweeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Owners":
        begun = await asyncio.gather(*(shard.__aenter__() for shard in self.owned), return_exceptions=True)
        failed = next((error for error in begun if isinstance(error, BaseException)), None)
        if failed is not None:
            await self.__aexit__()
            raise failed
        await self._followers.__aenter__()
        now_ms = self.running.views.core.ambient.now_ms
        self._sweeping = asyncio.create_task(sweep_often(self.sweeps, now_ms), name="aob-sweep")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(self._sweeping)
        await self._followers.__aexit__()
        await asyncio.gather(*(shard.__aexit__() for shard in self.owned))
