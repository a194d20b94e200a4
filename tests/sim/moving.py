"""A home whose partitions move between shards at random moments, with crashes, from a seed; and what outsiders know.

One shard lives at a time, as its owner process would; between two lives partitions move. Any commit of either may be
the last one. People ask the shard that the layout names, and now and then one that had the run before.
"""

import asyncio
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.store import MemoryStore
from aob.compose.layout.layout import Layout, ShardIds
from aob.compose.layout.moving import AtRest, Move, planned
from aob.core.errors import AobError, Unavailable
from aob.core.policy import LOCAL, PatchRules
from aob.ports.store import Batch, Store
from aob.runs import Ambient, Core, keyed_id
from aob.testing.world.loop import VirtualLoop, run_virtual
from aob.views import Views
from aob.work.visit_logs import Logs

SHARDS: Final = 3
PARTITIONS: Final = 16
STEPS: Final = 14
KEYS: Final = 24
T0_MS: Final = 1_700_000_000_000
FLOW: Final = {
    "workflow": "flow",
    "nodes": {
        "w": {"kind": "wait", "config": {"message": "go"}},
        "t": {"kind": "timer", "config": {"for": "2s"}},
        "v": {"kind": "wait", "config": {"message": "on"}},
    },
    "edges": {"wt": {"from": "w", "to": "t"}, "tv": {"from": "t", "to": "v"}},
}


class Doomed:
    """A store of which the process ends at one of its commits, before or after it; 0: at none."""

    def __init__(self, inner: MemoryStore, left: int, after: bool) -> None:
        self._inner, self._left, self._after, self.dead = inner, left, after, False

    def __getattr__(self, name: str) -> Any:
        if self.dead and name != "close":
            raise Unavailable("this process was killed", code="killed")
        return getattr(self._inner, name)

    async def commit(self, batch: Batch) -> Any:
        """Perhaps the last one."""
        self._left -= 1
        self.dead = self.dead or (not self._left and not self._after)
        if not self.dead:
            answer = await self._inner.commit(batch)
            self.dead = not self._left
            if not self.dead:
                return answer
        raise Unavailable("this process was killed", code="killed")

    async def close(self) -> None:
        """Nothing is let go of."""


class Moves:
    """Make it with a seed, `await live()` on a virtual loop; `wrong` is the first rule that did not hold."""

    def __init__(self, seed: int) -> None:
        self.dice, self.wrong, self.moved, self.killed = Random(seed), "", 0, 0
        self.blobs, self.began = MemoryBlobs(), set[int]()
        first = Layout.of(1, PARTITIONS)
        self.stores = {shard: MemoryStore(first.first(shard)) for shard in range(SHARDS)}
        self.promised: set[str] = set()

    def now_ms(self) -> int:
        """Time as this world has it."""
        return T0_MS + int(asyncio.get_running_loop().time() * 1_000)

    @property
    def layout(self) -> Layout:
        """As the shards say together."""
        return Layout.read({shard: store._holding for shard, store in self.stores.items()}, 1, PARTITIONS)

    def core(self, store: Any, shard: int) -> Core:
        """The owner of a shard."""
        core = Core(
            store, self.blobs, {}, lambda dispatch: _nothing, place=lambda job: "loop", rules=PatchRules(),
            ambient=Ambient(self.now_ms, self.dice.getrandbits), logs=Logs(Path("never-written"), self.now_ms),
        )  # fmt: skip
        core.journal.shard, core.ids = shard, ShardIds(core.ambient, core.journal)
        return core

    def doomed(self, shard: int, rate: float, within: int) -> Any:
        """A handle of a store."""
        left = self.dice.randint(1, within) if self.dice.random() < rate else 0
        return Doomed(self.stores[shard], left, self.dice.random() < 0.5)

    # -- what happens -----------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Lives and moves; then all is brought together, and comes to its end."""
        for _ in range(STEPS):
            await self.life(self.dice.randrange(SHARDS), 0.3)
            self.check()
            if self.dice.random() < 0.7:
                await self.move(self.dice.randint(1, SHARDS), 0.6)
                self.check()
        await self.move(1, 0.0)
        self.check()
        await self.life(0, 0.0, to_the_end=True)
        self.check()
        heads = {name: [shard for shard in self.stores if self.holds(shard, name)] for name in self.promised}
        self.say(*(f"{name} has heads in {where}" for name, where in heads.items() if len(where) != 1))
        ends = {name: self.stores[where[0]]._heads[name].status for name, where in heads.items() if where}
        self.say(*(f"{name} is {status}" for name, status in ends.items() if status != "COMPLETED"))

    async def life(self, shard: int, rate: float, *, to_the_end: bool = False) -> None:
        """An owner of one shard: people start runs and send messages; time passes."""
        if self.layout.moving:
            await self.finish(0.0)
        handle, engine = self.doomed(shard, rate, 12), None
        try:
            async with self.core(handle, shard) as core:
                engine = Views(core)
                if shard not in self.began:
                    await engine.push(LOCAL, FLOW)
                    self.began.add(shard)
                for _ in range(KEYS if to_the_end else self.dice.randint(1, 10)):
                    await self.asked(engine, shard)
                    await asyncio.sleep(self.dice.choice([0.0, 0.1, 3.0]))
                for message in ("go", "on") if to_the_end else ():
                    live = [row["run_id"] for row in (await engine.runs(LOCAL, status="WAITING", limit=100))["runs"]]
                    for run_id in live:
                        await engine.message(LOCAL, run_id, message)
                    await asyncio.sleep(10.0)
        except AobError as error:
            if error.code != "killed":
                self.say(f"{error.code}: {error.detail}")

        self.killed += handle.dead

    def holds(self, shard: int, run_id: str) -> bool:
        """Whether a shard has a run, and not only a part of its history."""
        head = self.stores[shard]._heads.get(run_id)
        return head is not None and head.kind == "run"

    async def asked(self, engine: Views, shard: int) -> None:
        """A start or a message, mostly to the shard that a home would ask."""
        key = f"k{self.dice.randrange(KEYS)}"
        run_id = keyed_id(LOCAL.tenant, "flow", key)
        before = [number for number in self.layout.shards_of(run_id) if self.holds(number, run_id)]
        owner = self.layout.shard_of(run_id)
        asked = (before or [owner])[0]
        if asked != shard and (shard == owner or self.dice.random() < 0.6):
            return  # a home looks where a run has ended before it asks the owner
        try:
            if self.dice.random() < 0.6:
                await engine.start(LOCAL, "flow", {}, key=key)
                self.promised.add(run_id)
            else:
                await engine.message(LOCAL, run_id, self.dice.choice(["go", "on"]))
        except AobError as error:
            if error.code not in ("killed", "partition_moved", "not_found", "run_finished"):
                self.say(f"{error.code}: {error.detail}")

    async def move(self, shards: int, rate: float) -> None:
        """Partitions go to another number of shards, until all have, or a crash."""
        await self.finish(rate)
        if not self.layout.moving:
            await self.moving(rate, shards)

    async def finish(self, rate: float) -> None:
        """What was cut off goes on."""
        await self.moving(rate, 0)

    async def moving(self, rate: float, shards: int) -> None:
        """One process that moves partitions."""
        handles: dict[int, Any] = {}
        kill = self.dice.randint(1, 30) if self.dice.random() < rate else 0

        async def store(number: int) -> Store:
            handles[number] = Doomed(self.stores[number], kill if not handles else 0, self.dice.random() < 0.5)
            found: Store = handles[number]
            return found

        def resting(opened: Store) -> Core:
            return self.core(opened, 0)

        layout = self.layout
        try:
            async with AtRest(store, resting, lambda source, target: None) as places:
                if not shards:
                    await Move(places.place).finish(layout)
                for partition, to in planned(layout, shards) if shards else ():
                    self.moved += await Move(places.place).move(layout, partition, to)
        except AobError as error:
            if error.code != "killed":
                self.say(f"{error.code}: {error.detail}")

        self.killed += any(handle.dead for handle in handles.values())

    # -- what must hold ---------------------------------------------------------------------------------------------

    def say(self, *rules: str) -> None:
        """Rules that do not hold."""
        for rule in rules:
            self.wrong = self.wrong or rule

    def check(self) -> None:
        """Each partition has one owner; each event of a run was written once, in its place; each run lives once."""
        going: dict[int, list[int]] = defaultdict(list)
        for shard, store in self.stores.items():
            for extent in store._holding.extents:
                if not extent.last_row:
                    going[extent.partition].append(shard)
        self.say(*(f"partition {number} is in {shards}" for number, shards in going.items() if len(shards) > 1))
        seen: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for store in self.stores.values():
            for row in store.durable(0):
                for name, seq, events, _ in msgspec.json.decode(row.data):
                    if name.startswith("run_"):
                        seen[name].append((seq, seq + len(events)))
        for name, parts in seen.items():
            at = 0
            for seq, end in sorted(parts):
                if seq != at:
                    self.say(f"{name}: event {seq} stands where {at} should")
                at = end
        self.say(*(f"{name} was acknowledged and is lost" for name in self.promised if name not in seen))
        if not self.layout.moving:
            for shard, store in self.stores.items():
                for name, head in store._heads.items():
                    if head.kind == "run" and not head.ended_ms and self.layout.shard_of(name) != shard:
                        self.say(f"{name} lives in {shard}, and its partition is {self.layout.shard_of(name)}'s")


async def _nothing(job: Any) -> Any:
    raise AssertionError("no flow of this world has work")


def simulate_moves(seed: int) -> Moves:
    """A world from its seed to its end."""
    world = Moves(seed)
    run_virtual(VirtualLoop(), world.live())
    return world
