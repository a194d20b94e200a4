"""The owners of a home's shards: processes, started and restarted, or this process itself; shards that own nothing are
read here."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from aob.compose.app import App
from aob.compose.handlers import HandlerVerbs
from aob.compose.layout import Layout, LiveMoves, shards_in
from aob.compose.live_settings import SettingsRoom
from aob.compose.loop import end_tasks
from aob.compose.shards.followers import Followers
from aob.compose.shards.inner import OfMain
from aob.compose.shards.local import HeldShard, LocalShard, RetiredShard, Shard
from aob.compose.shards.owned import Hello, OwnedShard
from aob.compose.shards.removal import ShardSweep
from aob.compose.shards.sharded import ShardedViews
from aob.compose.shards.upward import answering
from aob.compose.status import Status
from aob.compose.storage import InDatabase
from aob.compose.sweeping import sweep_often
from aob.compose.threads import ManyShards
from aob.core.errors import Unavailable
from aob.core.event import MessageMark
from aob.core.opening import Opening
from aob.journal.messages import Delivery


class Other(Shard, Protocol):
    """A shard besides the first, until it is left."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *exc: object) -> None: ...


class HomeVerbs:
    """Verbs of the home itself: its shards, and how it is."""

    def __init__(self, moves: LiveMoves, status: Status, handlers: HandlerVerbs, settings: SettingsRoom) -> None:
        self.show_settings, self.push_settings = settings.show_settings, settings.push_settings
        self.list_shards, self.set_shards, self.status = moves.list_shards, moves.set_shards, status.status
        self.handlers, self.pause_handler = handlers.handlers, handlers.pause_handler
        self.resume_handler = handlers.resume_handler


class Owners:
    """The owners of a home's shards, and the verbs over all of them. Enter it after the home's own shard 0. `elsewhere`
    are the other shards where the members of a cluster own them; then it does not wait for them.

    Raises the error of an owner that could not start, Unavailable `shards_unavailable` where there is no Unix.
    """

    def __init__(
        self, running: App, app: Sequence[str], layout: Layout, opening: Opening | None = None,
        elsewhere: Sequence[Other] | None = None,
    ) -> None:  # fmt: skip
        if len(layout.active) > 1 and not running.settings.one_process:
            _possible()
        self.running, self._app, self._opening = running, list(app), opening or Opening()
        wiring = running.wiring
        assert wiring is not None, "the main process has the metrics layer"
        core = running.views.core
        shared = running.shared
        self.room = OfMain(shared.log, shared.reader, wiring.read_through, core, self._deliver, shared.topics)
        self._answer = answering(self.room)
        self._clustered = elsewhere is not None
        self.others = list[Other](elsewhere or ())
        if elsewhere is None:
            self.others += [self._other(number, layout, number in layout.active) for number in range(1, layout.files)]
        every: list[Shard] = [LocalShard(0, running), *self.others]
        self.verbs = ShardedViews(running.views, every, layout)
        self._every = every
        running.threads = ManyShards(self.verbs)
        self.moves = LiveMoves(running.home, layout, every, self._become, self.verbs.told)
        running.shared.topics.serve(every, lambda: self.moves.layout)
        if isinstance(storage := running.shared.storage, InDatabase):
            self.moves.listed = partial(shards_in, storage)
        status = Status(running, lambda: self._every, self._partitions)
        self.home = HomeVerbs(self.moves, status, _handlers(running), self._settings())
        self.sweeps = [ShardSweep(shard, self.moves.turns) for shard in every]
        core.journal.post, core.values.elsewhere = self._deliver, self._value
        self._followers = Followers(wiring, running.notices)
        self._sweeping: asyncio.Task[None] | None = None
        self.grown: Callable[[], None] = lambda: None
        """Called when the home gets its second shard: from now on requests need `verbs`."""

    def _settings(self) -> SettingsRoom:
        return SettingsRoom(self.running.shared.following, self.running.shared.live, partial(_rules, self.running))

    def _partitions(self) -> Counter[int]:
        """How many partitions each shard owns."""
        return Counter(self.moves.layout.owners)

    @property
    def owned(self) -> list[OwnedShard]:
        """The shards that other processes own."""
        return [shard for shard in self._every if isinstance(shard, OwnedShard)]

    def _other(self, number: int, layout: Layout, owned: bool) -> Other:
        running = self.running
        if not owned:
            return RetiredShard(number, running, layout)
        if running.settings.one_process:
            return HeldShard(number, running, layout, self.room)
        home, settings = str(running.home.absolute()), msgspec.to_builtins(running.settings)
        return OwnedShard(Hello(home, number, settings, self._app, list(sys.path), layout), self._answer, self._moved)

    async def _become(self, number: int, layout: Layout, *, owned: bool) -> None:
        """Give a shard an owner, or only read it from now on. Raises Unavailable `shards_unavailable`, or the error of
        its owner. The new one takes the file from the old one, which then ends."""
        if not self.running.settings.one_process:
            _possible()
        running, wiring = self.running, self.running.wiring
        assert wiring is not None
        running.room.hold(layout.files)
        first = len(self._every) == 1
        shard = self._other(number, layout, owned)
        await shard.__aenter__()
        sweep = ShardSweep(shard, self.moves.turns)
        if number < len(self._every):
            old = self.others[number - 1]
            await self._followers.drop(number)
            self._every[number], self.sweeps[number], self.others[number - 1] = shard, sweep, shard
            await old.__aexit__()
        else:
            wiring.add_shard(number)
            running.notices.add_shard(number)
            self._every.append(shard)
            self.sweeps.append(sweep)
            self.others.append(shard)
        self._followers.follow(shard)
        self._sweep()
        if first:
            self.grown()

    def _sweep(self) -> None:
        """Remove values that no run refers to, in all shards together."""
        if self._sweeping is None and len(self._every) > 1:
            if self.running.sweeping is not None:
                self.running.sweeping.cancel()
            sweeping = sweep_often(self.sweeps, self.running.views.core.ambient.now_ms)
            self._sweeping = asyncio.create_task(sweeping, name="aob-sweep")

    async def _deliver(self, delivery: Delivery) -> MessageMark:
        shard = self._every[self.moves.layout.owner(delivery.receiver)]
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
            begun = await asyncio.gather(*(shard.__aenter__() for shard in self.others), return_exceptions=True)
            if (failed := next((error for error in begun if isinstance(error, BaseException)), None)) is not None:
                raise failed
        except BaseException:
            await self.__aexit__()
            raise
        await self._followers.begin(self.others, wait=not self._clustered)
        self._sweep()
        return self

    def _moved(self) -> None:
        """Sum up opening progress: of the owners in the same phase as the first that is not up."""
        openings = [shard.opening for shard in self.owned if not shard.up]
        if openings:
            same = [each for each in openings if each.phase == openings[0].phase]
            self._opening.begin(same[0].phase, sum(each.of for each in same))
            self._opening.done = sum(each.done for each in same)

    async def __aexit__(self, *exc: object) -> None:
        await self.moves.close()
        await end_tasks(self._sweeping)
        await self._followers.close()
        await asyncio.gather(*(shard.__aexit__() for shard in self.others))


def _possible() -> None:
    if sys.platform == "win32":
        raise Unavailable("owner processes need a Unix", code="shards_unavailable", hint="a home of one shard works")


def _handlers(running: App) -> HandlerVerbs:
    core, gateway = running.views.core, running.shared.gateway
    told = gateway.hub.told if gateway is not None else lambda tenant: []
    rules = partial(_rules, running)
    return HandlerVerbs(running.shared.paused, core.handlers, core.handlers.own, told, core.time_ms, rules)


def _rules(running: App) -> int:
    """The newest rules that all processes of the home know; asked anew each time."""
    return running.views.core.newest_rules()
