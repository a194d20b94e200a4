"""The shards that this process has, and the way to all others: opens what the leases give it, and says for each request
who performs it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgspec

from aob.compose.api import HomeRoom
from aob.compose.app import App, assemble
from aob.compose.cluster import Guard, Held, Right, StoreClock
from aob.compose.cluster.owning import DRAIN_S
from aob.compose.coordinator.directory import HOME, LeaseDirectory
from aob.compose.coordinator.part import Part
from aob.compose.coordinator.placed import Placed
from aob.compose.coordinator.routed import Main, RoutedLog, RoutedReader
from aob.compose.layout import Layout
from aob.compose.lock import usable
from aob.compose.network import Peers, RemoteShard, not_owner
from aob.compose.network.remote import REPEATABLE
from aob.compose.shards import Owners, table_of
from aob.compose.shared import Shared
from aob.core.answers import JsonObject
from aob.core.cluster import ALONE, MAIN, Standing
from aob.core.errors import CallerError, Conflict
from aob.core.event import MessageMark
from aob.core.opening import Opening
from aob.core.policy import Caller
from aob.core.rules import RULES
from aob.journal.messages import Delivery
from aob.ports.logger import Logger
from aob.server import loopback_key

OF_MAIN: Final = frozenset(("admit", "append", "request_topic", "read_metric", "read_through", "value"))
"""What the owners of other shards ask of the main process."""
log: Final = Logger("aob.cluster")


class Coordinator:
    """Give `opens` to a `Holder`, and `told` each standing. `clock` is the holder's."""

    def __init__(
        self, shared: Shared, layout: Layout, directory: LeaseDirectory, peers: Peers, clock: StoreClock,
        vitals: Callable[[], dict[str, Any]] = dict,
    ) -> None:  # fmt: skip
        self._shared, self._layout, self._directory, self._clock = shared, layout, directory, clock
        self._vitals = vitals
        self.parts: dict[int, Part] = {}
        self.home: HomeRoom | None = None
        self.main: App | None = None
        self.placed = [Placed(self.parts, RemoteShard(shard, directory, peers)) for shard in range(layout.files)]
        self.opening: dict[int, Opening] = {}
        self._alone = ""
        far = self.placed[MAIN]
        shared.log.provide(RoutedLog(self._here, far))
        shared.reader.provide(RoutedReader(self._here, far))
        shared.topics.serve(self.placed, self.layout)
        if shared.gateway is not None:
            shared.gateway.hub.here = self.has
            shared.gateway.hub.acts = lambda: any(part.acts for part in self.parts.values())

    def _here(self) -> Main | None:
        main = self.parts.get(MAIN)
        return main.routes if main is not None and main.acts else None

    def told(self, standing: Standing) -> None:
        """One reading of members and leases."""
        self._directory.told(standing)
        alone = next((member.address for member in standing.members if ALONE in member.roles), "")
        if alone and alone != self._alone:
            log.warning("stands_by", by=alone, hint="one process has the whole home: end it, and the members take over")
        self._alone = alone

    # -- who performs what ------------------------------------------------------------------------------------------

    def find(self, shard: int) -> "Part | HomeDoor":
        """Who performs what is asked of a shard (-1: of the home). Raises Unavailable `not_owner`."""
        if shard == HOME:
            return HomeDoor(self)
        part = self.parts.get(shard)
        if part is None:
            route = self._directory.elsewhere(shard)
            raise not_owner(shard, route.address, route.epoch)
        return part

    def home_room(self) -> HomeRoom:
        """What answers for the home. Raises Unavailable `not_owner`."""
        main = self.parts.get(MAIN)
        if self.home is None or main is None or not main.acts:
            route = self._directory.elsewhere(MAIN)
            if main is not None and not main.acts and not route.address:
                raise main.refusing(HOME)
            raise not_owner(HOME, route.address, route.epoch)
        return self.home

    def has(self, run_id: str) -> bool:
        """Whether the shard of a run is open here."""
        return self._layout.shard_of(run_id) in self.parts

    def authenticate(self, secret: str) -> Caller | None:
        """The caller that a secret belongs to; None also while another has the keys of the home."""
        return None if self.main is None else self.main.views.authenticate(secret)

    def members(self) -> list[JsonObject]:
        """The members of the cluster, and the shards of each, with the terms of their leases."""
        owners: dict[str, dict[int, int]] = {}
        for lease in self._directory.held:
            if lease.counts:
                owners.setdefault(lease.owner, {})[lease.shard] = lease.term
        return [
            {"id": each.id, "address": each.address, "grpc": each.grpc, "roles": list(each.roles),
             "release": each.release, "rules": each.rules, "leaving": each.leaving,
             "shards": [*owners.get(each.id, {})], "terms": [*owners.get(each.id, {}).values()]}
            for each in self._directory.members
        ]  # fmt: skip

    def layout(self) -> Layout:
        """Which shard has which partition. Partitions of a cluster do not move while a member is at work."""
        return self._layout

    def newest_rules(self) -> int:
        """The newest rules number that documents may use: every member knows it, and so does whoever may come back
        until the upgrade is finished."""
        known = (self._directory.rules, *(each.rules for each in self._directory.members))
        return min((each for each in known if each), default=RULES)

    # -- shards -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def opens(self, held: Held[Part]) -> AsyncIterator[Part]:
        """A shard that was taken, until it is given up: in order, or at once when it is lost."""
        number, opening = held.lease.shard, Opening()
        self.opening[number] = opening
        async with AsyncExitStack() as stack:
            stack.callback(self.opening.pop, number, None)
            guard, shared = Guard(number, held.tenure), self._shared
            running = await assemble(
                stack, shared.home, shared.settings, (), self._layout, number, opening, shared,
                right=Right(held.tenure, guard.permit, self._clock),
            )  # fmt: skip
            core = running.views.core
            core.vitals, core.newest_rules = self._vitals, self.newest_rules
            core.dispatch.left_behind.most = shared.settings.concurrency if held.cut_off else 0
            await stack.enter_async_context(running.working())
            core.pool.contain()
            if number == MAIN:
                part = await self._opens_main(stack, running, guard, opening)
            else:
                part = Part(number, running, guard)
                self._joins(running, number, guard)
            stack.callback(self._gives_up, part)
            self.parts[number] = part
            self.opening.pop(number, None)
            log.info("shard_open", shard=number, term=held.lease.term)
            try:
                yield part
            finally:
                self._gives_up(part)
                shared.gave_up(core)  # else whoever watches the disk would let it take more
                core.journal.refusing = not_owner(number)
                await core.pool.stop(0.0 if held.lost else DRAIN_S)
                if not held.lost:
                    await shared.logs.flush()  # before the next owner writes lines of the same runs

    def _gives_up(self, part: Part) -> None:
        """Idempotent."""
        part.close()
        if self.parts.get(part.number) is part:
            del self.parts[part.number]
            if part.number == MAIN:
                self.home = self.main = None
                self._shared.topics.serve(self.placed, self.layout)

    def _joins(self, running: App, number: int, guard: Guard) -> None:
        """What a shard after the first asks of others."""
        core, main = running.views.core, self.placed[MAIN]

        async def read_through(tenant: str) -> int:
            return int(await main.call("read_through", None, tenant, number, core.journal.durable_row))

        async def document(tenant: str, digest: bytes) -> bytes | None:
            found: bytes | None = await main.call("value", None, tenant, digest.hex())
            return found

        core.journal.post = guard.posts(self._deliver)
        core.followed.append(read_through)
        core.values.elsewhere = document
        core.run_law.carried = set()

    async def _opens_main(self, stack: AsyncExitStack, running: App, guard: Guard, opening: Opening) -> Part:
        """The rooms of the main process."""
        shared = self._shared
        owners = Owners(running, (), self._layout, opening, self.placed[1:])
        owners.moves.refusal = Conflict(
            "partitions do not move while members of a cluster are at work", code="cluster_at_work",
            hint="end all coordinators, then: aob shards set",
        )  # fmt: skip
        running.views.core.journal.post = guard.posts(self._deliver)
        await stack.enter_async_context(owners)
        running.notices.base_url = shared.settings.public_url.rstrip("/")
        wiring = running.wiring
        assert wiring is not None
        table = {name: verb for name, verb in table_of(owners.room).items() if name in OF_MAIN}
        part = Part(MAIN, running, guard, table, Main(wiring.gated_log, wiring.answers))
        rooms = (running.views if self._layout.files == 1 else owners.verbs, running.metrics, owners.home)
        self.home = HomeRoom(
            lambda: rooms, running.views.active_keys, shared.secrets.links, acts=lambda: part.acts,
            settings=lambda: shared.live.record, resolves=running.views.resolved,
            answers=lambda: guard.tenure.acts,
        )  # fmt: skip
        self.main = running
        with usable(shared.home):
            await loopback_key(shared.home, running.views)
        return part

    async def _deliver(self, delivery: Delivery) -> MessageMark:
        to = self.placed[self._layout.owner(delivery.receiver)]
        return msgspec.convert(await to.call("deliver", None, delivery), MessageMark)


class HomeDoor:
    """What is asked of the home at this process: who the members are, and all else if it has shard 0."""

    number = HOME

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    async def call(self, verb: str, who: Caller | None, *args: object, **named: object) -> Any:
        """Perform a verb. Raises Unavailable `not_owner` with the address of the main process."""
        if verb in ("members", "layout"):
            if args or named:
                raise CallerError(f"{verb} takes no arguments", code="unknown_verb")
            return self._coordinator.members() if verb == "members" else self._coordinator.layout()
        room = self._coordinator.home_room()
        try:
            return await room.call(verb, who, *args, **named)
        except Exception as error:
            if verb in REPEATABLE and self._coordinator.home is not room:
                raise not_owner(HOME) from error  # it read what is being closed
            raise

    def stream(self, verb: str, who: Caller, *args: object, **named: object) -> AsyncIterator[Any]:
        """Items of a streaming verb."""
        return self._coordinator.home_room().stream(verb, who, *args, **named)
