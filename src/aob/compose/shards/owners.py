"""The owner processes of a home's shards, started and restarted; shards that own nothing are read in this process."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec

from aob.compose.app import App
from aob.compose.layout import Layout
from aob.compose.shards.followers import Followers
from aob.compose.shards.inner import OfMain
from aob.compose.shards.local import LocalShard, RetiredShard, Shard
from aob.compose.shards.owned import OwnedShard
from aob.compose.shards.removal import ShardSweep
from aob.compose.shards.sharded import ShardedViews
from aob.compose.shards.upward import answering
from aob.compose.shards.wire import Hello, end_tasks
from aob.compose.sweeping import sweep_often
from aob.core.errors import Unavailable
from aob.core.event import MessageMark
from aob.core.opening import Opening
from aob.journal.messages import Delivery


class Owners:
    """The owner processes of a home, and the verbs over all of them. Enter it after the home's own shard 0.

    Raises the error of an owner that could not start, Unavailable `shards_unavailable` where there is no Unix.
    """

    def __init__(self, running: App, app: Sequence[str], layout: Layout, opening: Opening | None = None) -> None:
        if sys.platform == "win32" and len(layout.active) > 1:
            raise Unavailable(
                "owner processes need a Unix", code="shards_unavailable", hint="a home of one shard works"
            )
        self.running, self._opening = running, opening or Opening()
        settings = msgspec.to_builtins(running.settings)
        home = str(running.home.absolute())
        wiring = running.wiring
        assert wiring is not None, "the main process has the metrics layer"
        answer = answering(
            OfMain(running.log, running.reader, wiring.read_through, running.views.core, self._deliver)
        )  # fmt: skip
        self.owned = [
            OwnedShard(Hello(home, number, settings, list(app), list(sys.path), layout), answer, self._moved)
            for number in layout.active if number
        ]  # fmt: skip
        self.retired = [RetiredShard(number, running, layout) for number in layout.retired]
        every: list[Shard] = [LocalShard(0, running), *self.owned, *self.retired]
        every.sort(key=lambda shard: shard.number)
        self.verbs = ShardedViews(running.views, every, layout)
        self._every, self._layout = every, layout
        running.views.core.journal.post, running.views.core.values.elsewhere = self._deliver, self._value
        self._followers = Followers([*self.owned, *self.retired], wiring, running.notices)
        self._stack = AsyncExitStack()
        self.sweeps = [ShardSweep(shard) for shard in every]
        self._sweeping: asyncio.Task[None] | None = None

    async def _deliver(self, delivery: Delivery) -> MessageMark:
        shard = self._every[self._layout.owner(delivery.receiver)]
        return msgspec.convert(await shard.call("deliver", None, delivery), MessageMark)

    async def _value(self, tenant: str, digest: bytes) -> bytes | None:
        """A value that neither shard 0 nor the blobs have: a fork may use one of the shard where its run ended."""
        for shard in self._every[1:]:
            found: bytes | None = await shard.call("stored_value", None, tenant, digest.hex())
            if found is not None:
                return found
        return None

    async def __aenter__(self) -> "Owners":
        try:
            for retired in self.retired:
                await retired.open(self._stack)
            begun = await asyncio.gather(*(shard.__aenter__() for shard in self.owned), return_exceptions=True)
            if (failed := next((error for error in begun if isinstance(error, BaseException)), None)) is not None:
                raise failed
        except BaseException:
            await self.__aexit__()
            raise
        await self._followers.__aenter__()
        now_ms = self.running.views.core.ambient.now_ms
        self._sweeping = asyncio.create_task(sweep_often(self.sweeps, now_ms), name="aob-sweep")
        return self

    def _moved(self) -> None:
        """Sum up opening progress: of the owners in the same phase as the first that is not up."""
        openings = [shard.opening for shard in self.owned if not shard.up]
        if openings:
            same = [each for each in openings if each.phase == openings[0].phase]
            self._opening.begin(same[0].phase, sum(each.of for each in same))
            self._opening.done = sum(each.done for each in same)

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(self._sweeping)
        await self._followers.__aexit__()
        await asyncio.gather(*(shard.__aexit__() for shard in self.owned))
        await self._stack.aclose()
