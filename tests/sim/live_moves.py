"""Shards that live while partitions move between them, from a seed: kills at any commit, and what outsiders know.

Runs work, wait, sleep and send messages to one another's partitions; people and a router that finds the owner as a home
does go on meanwhile. `python -m tests.sim.live_moves SEED [COUNT]` prints what broke.
"""

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, cast

import msgspec
import structlog

from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.store import MemoryStore
from aob.compose.layout.layout import Layout
from aob.compose.layout.moving import Move, planned
from aob.compose.layout.place import Place
from aob.core.errors import AobError, NotFound, Unavailable
from aob.core.event import MessageMark, partition_of
from aob.core.policy import LOCAL, PatchRules
from aob.journal.messages import Delivery
from aob.ports.store import Batch, Store
from aob.runs import Ambient, Core, keyed_id
from aob.testing.flows import Known
from aob.testing.world.__main__ import silent
from aob.testing.world.exchange import Letter, LetterLaw, Write
from aob.testing.world.lives import Lives, within
from aob.testing.world.loop import VirtualLoop, run_virtual
from aob.views import Views
from aob.work.visit_logs import Logs
from tests.sim.live_topics import Traffic

SHARDS: Final = 3
PARTITIONS: Final = 8
TICKS: Final = 30
KEYS: Final = 16
ROUTED_S: Final = 8.0
T0_MS: Final = 1_700_000_000_000
FLOW: Final = {
    "workflow": "flow",
    "nodes": {
        "a": {"kind": "function", "config": {"handler": "work"}},
        "w": {"kind": "wait", "config": {"message": "go"}},
        "t": {"kind": "timer", "config": {"for": "2s"}},
        "b": {"kind": "function", "config": {"handler": "work"}},
        "v": {"kind": "wait", "config": {"message": "on"}},
        "c": {"kind": "function", "config": {"handler": "work"}},
    },
    "edges": {
        name: {"from": name[0], "to": name[1]} for name in ("aw", "wt", "tb", "bv", "vc")
    },
}  # fmt: skip


class Killed:
    """A store of one life. A commit may be the last of its process, before or after it; or fail, written or not."""

    def __init__(
        self, inner: MemoryStore, dice: Random, rate: float, kill: Callable[[], None], fail: Callable[[], None]
    ) -> None:
        self._inner, self._dice, self.rate, self._kill, self._fail, self.dead = inner, dice, rate, kill, fail, False

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)

        async def relayed(*args: Any, **named: Any) -> Any:
            await self._alive()
            return await inner(*args, **named)

        return relayed

    async def _alive(self) -> None:
        if self.dead:
            await asyncio.get_running_loop().create_future()

    async def commit(self, batch: Batch) -> Any:
        """Perhaps the last one."""
        await self._alive()
        fate = self._dice.choice(["before", "after", "fails", "unknown"]) if self._dice.random() < self.rate else ""
        if batch.extents and self.rate and self._dice.random() < 0.15:  # a step of a move
            fate = self._dice.choice(["before", "after", "fails", "unknown"])
        if fate == "before":
            self._kill()
            await self._alive()
        if fate in ("fails", "unknown"):
            self._fail()
        if fate == "fails":
            raise Unavailable("not written", code="store_failed")
        answer = await self._inner.commit(batch)
        if fate == "after":
            self._kill()
            await self._alive()
        if fate == "unknown":
            raise Unavailable("written, and not answered", code="store_failed")
        return answer


class Owner:
    """One life of a shard's owner."""

    def __init__(self, world: "LiveMoves", shard: int) -> None:
        self.context, self.shard = world.lives.begin(), shard
        self.life, self.up = world.lives.count, False
        self.store = Killed(world.stores[shard], world.dice, world.rate, lambda: world.kill(self),
                            lambda: world.ended.add(self.life))  # fmt: skip
        self.core = Core(
            cast(Store, self.store), world.blobs, {"work": Known()["work"]}, lambda dispatch: world.performer(self),
            place=lambda job: "loop", rules=PatchRules(), ambient=Ambient(world.now_ms, world.dice.getrandbits),
            concurrency=8, logs=Logs(Path("never-written"), world.now_ms), laws=[LetterLaw()],
        )  # fmt: skip
        self.core.journal.shard, self.core.journal.post = shard, world.deliver
        self.views = Views(self.core)
        self.place: Place


class Remote:
    """A shard's `Place` as the main process has it: asks whatever life its owner has now."""

    def __init__(self, world: "LiveMoves", shard: int) -> None:
        self._world, self.number = world, shard

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any, **named: Any) -> Any:
            return await self._world.at(self.number, lambda owner: getattr(owner.place, name)(*args, **named))

        return ask


class LiveMoves:
    """Make it with a seed, `await live()` on a virtual loop; `wrong` is the first rule that did not hold."""

    def __init__(self, seed: int) -> None:
        self.dice, self.wrong, self.trace = Random(f"{seed} live moves"), "", list[str]()
        self.moved = self.killed = self.busy = self.letters = 0
        self.rate = 0.0
        self.topics = Traffic(self, seed, SHARDS, PARTITIONS)
        self.lives, self.blobs = Lives(), MemoryBlobs()
        first = Layout.of(1, PARTITIONS)
        self.stores = {shard: MemoryStore(first.first(shard)) for shard in range(SHARDS)}
        self.owners: dict[int, Owner] = {}
        self.promised: set[str] = set()
        self.said: set[tuple[str, str]] = set()
        self.worked: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.ended: set[int] = set()
        """Lives whose work may be done again: they were killed, or a commit of theirs failed."""

    def now_ms(self) -> int:
        """Time as this world has it."""
        return T0_MS + int(asyncio.get_running_loop().time() * 1_000)

    def say(self, *rules: str) -> None:
        """Rules that do not hold."""
        for rule in rules:
            self.wrong = self.wrong or rule

    @property
    def layout(self) -> Layout:
        """As the shards say together."""
        return Layout.read({shard: store._holding for shard, store in self.stores.items()}, 1, PARTITIONS)

    # -- the processes ----------------------------------------------------------------------------------------------

    async def open(self, shard: int) -> None:
        """A new life of a shard's owner."""
        owner = self.owners[shard] = Owner(self, shard)
        opening = within(owner.context, self._opened(owner))
        await asyncio.wait({opening})
        if not opening.cancelled() and (error := opening.exception()) is not None:
            self.trace.append(f"shard {shard} cannot open: {error}")
            self.kill(owner)

    async def _opened(self, owner: Owner) -> None:
        core = owner.core
        await core.journal.__aenter__()
        await core.pool.__aenter__()
        owner.place = Place(core, self.reading, owner.shard)
        with suppress(NotFound):
            await owner.views.push(LOCAL, FLOW)
        await core.dispatch.begin(None)
        owner.up = True

    @asynccontextmanager
    async def reading(self, shard: int) -> AsyncIterator[Store]:
        """The file of another shard."""
        yield cast(Store, self.stores[shard])

    def kill(self, owner: Owner) -> None:
        """SIGKILL; a new life begins some time later."""
        if owner.store.dead:
            return
        self.killed += 1
        self.ended.add(owner.life)
        owner.store.dead, owner.up = True, False
        owner.core.journal.timers.stop()
        self.lives.end(owner.life)
        within(self.root, self._again(owner.shard))

    async def _again(self, shard: int) -> None:
        await asyncio.sleep(self.dice.random())
        await self.open(shard)

    async def at(self, shard: int, ask: Callable[[Owner], Coroutine[Any, Any, Any]]) -> Any:
        """Ask the present life of a shard. Raises Unavailable `shard_lost` when it ends before it answers."""
        owner = self.owners[shard]
        if not owner.up:
            await asyncio.sleep(0.1)
            raise Unavailable("it is starting", code="shard_down")
        task = within(owner.context, ask(owner))
        await asyncio.wait({task})
        if task.cancelled():
            raise Unavailable("it was killed", code="shard_lost")
        return task.result()

    async def routed(self, name: str, ask: Callable[[Owner], Coroutine[Any, Any, Any]]) -> Any:
        """Ask the owner of a stream's partition, as a home routes."""
        until = asyncio.get_running_loop().time() + ROUTED_S
        while True:
            try:
                return await self.at(self.layout.owners[partition_of(name, PARTITIONS)], ask)
            except Unavailable as error:
                if error.code != "partition_moved" or asyncio.get_running_loop().time() > until:
                    raise
            await asyncio.sleep(0.05)

    async def deliver(self, delivery: Delivery) -> MessageMark:
        """A message to another shard, in the context of its sender: it ends with it."""
        shard = self.layout.owners[delivery.receiver]
        answer: MessageMark = await self.at(shard, lambda owner: owner.core.journal.receive(delivery))
        return answer

    def performer(self, owner: Owner) -> Any:
        """Work that the world counts when it begins."""

        async def perform(job: Any) -> Any:
            self.worked[job.run, job.visit].append(owner.life)
            await asyncio.sleep(self.dice.choice([0.0, 0.0, 0.3, 3.0]) * self.dice.random())
            return {"n": 1}

        return perform

    # -- what happens -----------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Faults, then none: all comes to its end."""
        asyncio.get_running_loop().set_task_factory(self.lives.new_task)
        self.root = self.lives.begin()
        await asyncio.gather(*(self.open(shard) for shard in range(SHARDS)))
        self.rate = self.dice.choice([0.0, 0.02, 0.05])
        self._rates()
        mover = within(self.root, self._mover())
        for _ in range(TICKS):
            for _ in range(self.dice.randint(0, 3)):
                within(self.root, self._asked())
                within(self.root, self.topics.asked())
            await asyncio.sleep(self.dice.choice([0.01, 0.2, 2.0]) * self.dice.random())
            for owner in list(self.owners.values()):
                if owner.up and owner.core.journal.broken is None and self.dice.random() < 0.2:
                    owner.core.journal.let_go(0)
                    owner.core.journal._wake.set()
            self.check()
        self.rate = 0.0
        self._rates()
        mover.cancel()
        await asyncio.sleep(2.0)
        await self._move(1)
        await self._move(SHARDS)
        for _ in range(4):
            for message in ("go", "on"):
                for run_id in self.promised:
                    with suppress(AobError):
                        await self.routed(run_id, partial(_sent, run_id=run_id, message=message))
            await asyncio.sleep(30.0)
        self.check(done=True)
        await self.topics.done()

    def _rates(self) -> None:
        for owner in self.owners.values():
            owner.store.rate = self.rate

    async def _asked(self) -> None:
        key, dice = f"k{self.dice.randrange(KEYS)}", self.dice
        run_id, other = keyed_id(LOCAL.tenant, "flow", key), keyed_id(LOCAL.tenant, "flow", f"k{dice.randrange(KEYS)}")
        what = dice.random()
        try:
            if what < 0.4:
                await self.routed(run_id, lambda owner: owner.views.start(LOCAL, "flow", {}, key=key))
                self.promised.add(run_id)
            elif what < 0.7:
                message = dice.choice(["go", "on"])
                await self.routed(run_id, lambda owner: owner.views.message(LOCAL, run_id, message))
            else:
                self.letters += 1
                source, target = f"s_{key}", f"s_{other[-4:]}"
                letter = Letter(f"{self.letters}.", [f"s_k{dice.randrange(KEYS)}"] * dice.randint(0, 2))
                await self.routed(source, lambda owner: _written(owner, source, Write([(target, letter)])))
        except AobError as error:
            known = ("shard_lost", "shard_down", "store_failed", "not_found", "run_finished", "closing")
            if error.code not in known and not (error.code == "partition_moved" and self.rate):
                self.say(f"{error.code}: {error.detail}")

    async def _mover(self) -> None:
        while True:
            await self._move(self.dice.randint(1, SHARDS))
            await asyncio.sleep(self.dice.random())

    async def _move(self, shards: int) -> None:
        """Partitions go to another number of shards; what is cut off goes on."""

        async def place(number: int) -> Any:
            return Remote(self, number)

        move = Move(place)
        for _ in range(40):
            try:
                await move.finish(self.layout)
                for partition, to in planned(self.layout, shards):
                    await move.move(self.layout, partition, to)
                    self.moved += 1
            except AobError as error:
                self.busy += error.code == "partition_busy"
                if error.code not in ("shard_lost", "shard_down", "store_failed", "partition_busy", "closing"):
                    self.say(f"move: {error.code}: {error.detail}")
                await asyncio.sleep(0.5)
            else:
                return
        if not self.rate:
            self.say(f"not moved to {shards}: {planned(self.layout, shards)}, moving {self.layout.moving}")

    # -- what must hold ---------------------------------------------------------------------------------------------

    def check(self, *, done: bool = False) -> None:
        """Each partition has at most one owner; each event stands once in its place; nothing acknowledged is lost."""
        going = Counter(
            extent.partition
            for store in self.stores.values()
            for extent in store._holding.extents
            if not extent.last_row
        )
        self.say(*(f"partition {number} has {count} owners" for number, count in going.items() if count > 1))
        seen: dict[str, list[tuple[int, Any]]] = defaultdict(list)
        for store in self.stores.values():
            for row in store.durable(0):
                for name, seq, events, _ in msgspec.json.decode(row.data):
                    if name.startswith(("run_", "s_")):
                        seen[name] += [(seq + at, event) for at, event in enumerate(events)]
        for name, events in seen.items():
            if sorted(seq for seq, _ in events) != list(range(len(events))):
                self.say(f"{name}: events {sorted(seq for seq, _ in events)}")
        self.say(*(f"{name} was acknowledged and is lost" for name in self.promised if name not in seen))
        for key, lives in self.worked.items():
            again = [life for life in lives[:-1] if life not in self.ended]
            if again:
                self.say(f"{key} was worked on in {lives}, and {again} had not ended")
        if done:
            self._done({name: [event for _, event in sorted(events)] for name, events in seen.items()})

    def _done(self, seen: dict[str, list[Any]]) -> None:
        heads = {name: [store._heads[name] for store in self.stores.values() if name in store._heads] for name in seen}
        for name in self.promised:
            live = [head for head in heads.get(name, ()) if head.kind == "run"]
            if [head.status for head in live] != ["COMPLETED"]:
                self.say(f"{name} is {[(head.kind, head.status) for head in heads.get(name, ())]}")
        sent: dict[tuple[str, str], list[str]] = defaultdict(list)
        got: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, events in seen.items():
            for what, other, letter in events if name.startswith("s_") else ():
                if letter.endswith(("7", "13")):  # refused, and sent back
                    continue
                if what == "sent":
                    sent[name, other].append(letter)
                elif what == "got":
                    got[other, name].append(letter)
        for pair in {*sent, *got}:
            if sent[pair] != got[pair]:
                self.say(f"{pair} sent {sent[pair]} and took {got[pair]}")


async def _sent(owner: Owner, run_id: str, message: str) -> None:
    await owner.views.message(LOCAL, run_id, message)


async def _written(owner: Owner, source: str, write: Write) -> None:
    await owner.core.journal.ask(source, write)


def simulate_live_moves(seed: int) -> LiveMoves:
    """A world from its seed to its end."""
    world = LiveMoves(seed)
    run_virtual(VirtualLoop(), world.live())
    return world


def main(arguments: list[str]) -> int:
    """Print the result of the worlds; 1 when a rule was broken in one."""
    structlog.configure(processors=[silent])
    first, count = int(arguments[0]) if arguments else 1, int(arguments[1]) if len(arguments) > 1 else 1
    worst, sums = 0, Counter[str]()
    for seed in range(first, first + count):
        world = simulate_live_moves(seed)
        sums += Counter(moves=world.moved, busy=world.busy, kills=world.killed, runs=len(world.promised),
                        letters=world.letters, records=world.topics.records,
                        works=sum(map(len, world.worked.values())))  # fmt: skip
        worst |= bool(world.wrong)
        if world.wrong or count == 1:
            print(f"seed {seed}: {world.wrong or 'every rule held'}; {world.moved} moves, {world.busy} busy, "
                  f"{world.killed} kills")  # fmt: skip
    print(dict(sums))
    return worst


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
