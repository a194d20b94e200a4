"""Shards with agents, from a seed: callers append, agents act, ask, remind themselves and fail, and partitions move,
while processes are killed at any commit, stores fail, and the line between shards loses, repeats and reorders. Then the
faults stop, and all comes to its end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final, cast

from msgspec import Raw

from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.pages import MemoryPages
from aob.backends.memory.store import MemoryStore
from aob.compose.layout.layout import Layout
from aob.compose.layout.moving import Move, planned
from aob.compose.layout.place import Place
from aob.compose.topics import HomeTopics
from aob.core.agent.record import commands as cmd
from aob.core.agent_name import agent_stream
from aob.core.errors import AobError, Unavailable
from aob.core.event import MessageMark, partition_of
from aob.journal.messages import Delivery
from aob.ports.log import Record
from aob.ports.store import Store
from aob.testing.world.line import Line
from aob.testing.world.lives import Lives, within
from aob.testing.world.loop import VirtualLoop, replaced, run_virtual
from aob.testing.world.options import Options, calm, draw
from aob.testing.world.world import BrokenError, bounds, lived
from tests.sim.agents.owner import Owner
from tests.sim.agents.rules import Rules
from tests.sim.agents.work import KEYS, Deeds, agents_of
from tests.sim.live_moves import Remote
from tests.sim.live_topics import ShardOfWorld

TENANT: Final = "default"
SHARDS: Final = 3
PARTITIONS: Final = 4
TICKS: Final = 18
CALM_TICKS: Final = 90
T0_MS: Final = 1_700_000_000_000
TROUBLE: Final = frozenset(
    ("shard_lost", "shard_down", "store_failed", "closing", "partition_moved", "disk_full", "partition_busy", "busy")
)
HELD: Final = ("not_held", "not_dead", "not_in_hand", "busy")


class AgentsWorld:
    """Make it with a seed, `await live()` on a virtual loop; `wrong` is the first rule that did not hold."""

    def __init__(self, seed: int, options: Options | None = None) -> None:
        self.seed, self.dice, self.lives, self.trace = seed, Random(f"{seed} agents"), Lives(), list[str]()
        self.wrong, self.skew_ms, self.rate, self.moves = "", 0, 0.0, True
        self.drawn = self.options = options or draw(Random(seed))
        self.blobs, self.deeds, self.paused = MemoryBlobs(), Deeds(), set[str]()
        self.agents = agents_of(self)
        first = Layout.of(1, PARTITIONS)
        self.stores = {shard: MemoryStore(first.first(shard)) for shard in range(SHARDS)}
        self.pages = {shard: MemoryPages() for shard in range(SHARDS)}
        self.owners: dict[int, Owner] = {}
        self.met: Counter[str] = Counter()
        self.line = Line(Random(f"{seed} line"), self._deliver, self.told)
        self.topics = HomeTopics()
        self.topics.serve([ShardOfWorld(self, number) for number in range(SHARDS)], lambda: self.layout)
        self.sets_back = False
        self.promised: dict[tuple[str, str], int] = {}
        self.rules = Rules(self)

    def now_ms(self) -> int:
        """The wall clock of the world, which may jump."""
        return T0_MS + self.skew_ms + int(asyncio.get_running_loop().time() * 1_000)

    def told(self, line: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():.6f} {line}")

    def say(self, *rules: str) -> None:
        """Rules that do not hold."""
        for rule in rules:
            if not self.wrong:
                self.told(f"BROKEN: {rule}")
            self.wrong = self.wrong or rule

    async def life_of(self, journal: Any) -> int:
        """The life of the process that has this journal. Of one that was killed nothing goes on."""
        owner = next((each for each in self.owners.values() if each.core.journal is journal), None)
        if owner is None or owner.store.dead:
            await asyncio.get_running_loop().create_future()
        assert owner is not None
        return owner.life

    @property
    def layout(self) -> Layout:
        """As the shards say together."""
        return Layout.read({shard: store._holding for shard, store in self.stores.items()}, 1, PARTITIONS)

    # -- the processes ----------------------------------------------------------------------------------------------

    async def open(self, shard: int) -> None:
        """A new life of a shard's owner."""
        before = self.owners.get(shard)
        owner = self.owners[shard] = Owner(self, shard, before.running if before is not None else None)
        opening = within(owner.context, self._opened(owner))
        await asyncio.wait({opening})
        if opening.cancelled():
            return
        if (error := opening.exception()) is not None:
            if not isinstance(error, AobError):
                self.say(f"shard {shard} cannot open: {type(error).__name__}: {error}")
            self.told(f"shard {shard} cannot open: {error}")
            self.kill(owner)

    async def _opened(self, owner: Owner) -> None:
        core = owner.core
        await core.journal.__aenter__()
        await core.pool.__aenter__()
        owner.place = Place(core, self.reading, owner.shard)
        await core.dispatch.begin(owner.running)
        await core.others.begin(owner.running)
        owner.up = True
        self.told(f"shard {owner.shard} begins life {owner.life} at row {core.journal.row}")

    @asynccontextmanager
    async def reading(self, shard: int) -> AsyncIterator[Store]:
        """The file of another shard."""
        yield cast(Store, self.stores[shard])

    def kill(self, owner: Owner) -> None:
        """SIGKILL; a new life begins some time later."""
        if owner.store.dead:
            return
        self.told(f"shard {owner.shard} is killed")
        self.met["kills"] += 1
        owner.store.dead = owner.sim.dead = True
        owner.up = False
        owner.core.journal.timers.stop()
        self.lives.end(owner.life)
        self.deeds.held.difference_update([each for each in self.deeds.held if each[0] == owner.life])
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
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever asked may have ended
        await asyncio.wait({task})
        if task.cancelled():
            raise Unavailable("it was killed", code="shard_lost")
        return task.result()

    async def _deliver(self, delivery: Delivery) -> MessageMark:
        shard = self.layout.owners[delivery.receiver]
        mark: MessageMark = await self.at(shard, lambda owner: owner.core.journal.receive(delivery))
        return mark

    # -- what happens -----------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Faults, then none. Raises BrokenError at the first broken rule."""
        asyncio.get_running_loop().set_task_factory(self.lives.new_task)
        self.root = self.lives.begin()
        self.options = calm(self.drawn)
        await asyncio.gather(*(self.open(shard) for shard in range(SHARDS)))
        self._set(self.drawn, self.dice.choice([0.0, 0.01, 0.03]), self.dice.choice([0.0, 0.0, 0.2, 0.5]))
        await self._move(SHARDS)
        mover = within(self.root, self._mover()) if self.dice.random() < 0.5 else None
        self.sets_back = mover is None
        for _ in range(TICKS):
            await self._tick()
        self.told("faults stop")
        self.paused.clear()
        self._set(calm(self.drawn), 0.0, 0.0)
        self.moves = False
        if mover is None:
            within(self.root, self._move(SHARDS))  # what was cut off in the middle of a move goes on
        for owner in list(self.owners.values()):
            owner.wake()
            if owner.up and owner.core.journal.broken is not None:
                self.kill(owner)
        for _ in range(CALM_TICKS):
            await asyncio.sleep(20.0)
            await self._free()
            if all(owner.up for owner in self.owners.values()) and await self.rules.at_rest():
                self.check()
                await self.rules.done()
                if self.wrong:
                    raise BrokenError(self.wrong)
                return
            self.check()
        raise BrokenError(f"it never rested: {await self.rules.left()}")

    def _set(self, options: Options, kills: float, lost: float) -> None:
        self.options, self.rate, self.line.rate = options, kills, lost
        for owner in self.owners.values():
            owner.sim.options, owner.store.rate = options, kills

    def check(self) -> None:
        """Everything that must hold at any moment."""
        self.rules.check()
        for owner in self.owners.values():
            broken = owner.core.journal.broken
            if broken is not None and broken.code == "journal_stopped":
                self.say(f"the journal of shard {owner.shard} stopped: {broken.detail}")
        if self.wrong:
            raise BrokenError(self.wrong)

    async def _tick(self) -> None:
        dice, options = self.dice, self.options
        for _ in range(dice.choice([0, 1, 2, 4])):
            within(self.root, self._appends())
        if dice.random() < 0.3:
            within(self.root, self._asks())
        if self.sets_back and dice.random() < 0.15:
            within(self.root, self._sets_back())
        await asyncio.sleep(dice.choice([0.0005, 0.02, 0.3, 2.0, 8.0]) * dice.random())
        if dice.random() < options.clock_forward:
            self.skew_ms += dice.choice([1_000, 60_000])
            self.told("the clock jumps")
        if dice.random() < 0.1:
            self._pauses(dice.choice(sorted(self.agents)))
        for owner in list(self.owners.values()):
            if not owner.up:
                continue
            if dice.random() < options.crash / 2 or owner.core.journal.broken is not None:
                self.kill(owner)
            elif dice.random() < options.rests:
                owner.core.journal.let_go(0, dice.choice([1, 4, 1_000]))
                owner.core.journal._wake.set()
        self.check()

    def _pauses(self, agent: str) -> None:
        self.told(f"{agent} is {'resumed' if agent in self.paused else 'paused'}")
        self.paused ^= {agent}
        for owner in self.owners.values():
            owner.wake()

    async def _appends(self) -> None:
        """A caller that appends some records, and says it again until it is told."""
        dice, key = self.dice, self.dice.choice(KEYS)
        self.met["appends"] += 1
        number = self.met["appends"]
        topic = dice.choice(["in", "in", "mid"])
        records = [
            Record(f"r{number}.{n}", "/world", "plain", TENANT, key, Raw(b'{"n":%d,"r":%d}' % (n, number)))
            for n in range(dice.choice([1, 1, 2, 5]))
        ]  # fmt: skip
        for _ in range(dice.choice([1, 3, 30])):
            try:
                told = await self.topics.append(TENANT, topic, partition_of(key, PARTITIONS), records, keyed=True)
            except AobError as error:
                if error.code not in TROUBLE:
                    self.say(f"append: {error.code}: {error.detail}")
                await asyncio.sleep(dice.random())
                continue
            for record, each in zip(records, told, strict=True):
                self.promised[topic, record.id] = each.offset
            return

    async def _asks(self) -> None:
        """A person pauses a key, lets it go on, or replays a dead letter of it."""
        dice = self.dice
        name = agent_stream(TENANT, dice.choice(sorted(self.agents)), dice.choice(KEYS))
        dead = sorted(self.rules.dead_of(name))
        command: Any = dice.choice(
            [cmd.Hold("me"), cmd.Free("pause", "me"), cmd.Free("poison", "me", dice.random() < 0.3)]
        )
        if dead and dice.random() < 0.4:
            command = cmd.Replay(dice.choice(dead), "me")
        await self._told_to(name, command)

    async def _sets_back(self) -> None:
        """A person sets the group of an agent to an earlier offset."""
        dice, agent = self.dice, self.dice.choice(sorted(self.agents))
        topic, partition = dice.choice(self.agents[agent].consumes), dice.randrange(PARTITIONS)
        store = self.stores[self.layout.owners[partition]]
        mark = store._marks.get((TENANT, agent, topic, partition))
        low = dice.randint(0, mark.low if mark is not None else 0)
        try:
            await self.topics.move_mark(TENANT, agent, topic, partition, low, None, reset=True)
        except AobError as error:
            if error.code not in TROUBLE and error.code != "no_such_offset":
                self.say(f"set back: {error.code}: {error.detail}")
        else:
            self.met["set back"] += 1

    async def _told_to(self, name: str, command: Any) -> None:
        shard = self.layout.owners[partition_of(name, PARTITIONS)]
        try:
            await self.at(shard, lambda owner: _asked(owner, name, command))
        except AobError as error:
            if error.code not in TROUBLE and error.code not in HELD and error.code != "not_found":
                self.say(f"{name}: {error.code}: {error.detail}")
        else:
            self.met[type(command).__name__] += 1

    async def _free(self) -> None:
        """Nobody holds a key any more."""
        for name, reasons in self.rules.holds().items():
            for reason in reasons:
                if reason != "fault":
                    await self._told_to(name, cmd.Free(reason, "me"))

    # -- partitions move --------------------------------------------------------------------------------------------

    async def _mover(self) -> None:
        while self.moves:
            await self._move(self.dice.randint(1, SHARDS))
            await asyncio.sleep(4 * self.dice.random())
        await self._move(SHARDS)

    async def _move(self, shards: int) -> None:
        async def place(number: int) -> Any:
            return Remote(cast(Any, self), number)

        move = Move(place)
        for _ in range(40):
            try:
                await move.finish(self.layout)
                for partition, to in planned(self.layout, shards):
                    await move.move(self.layout, partition, to)
                    self.met["moves"] += 1
                    self.told(f"partition {partition} has moved to shard {to}")
            except AobError as error:
                self.told(f"move: {error.code}: {error.detail}")
                if error.code not in TROUBLE:
                    self.say(f"move: {error.code}: {error.detail}")
                await asyncio.sleep(0.5)
            else:
                return


async def _asked(owner: Owner, name: str, command: Any) -> None:
    await owner.core.journal.ask(name, command)


def simulate_agents(seed: int, options: Options | None = None) -> AgentsWorld:
    """A world from its seed to its end."""
    world = AgentsWorld(seed, options)
    loop, problems = VirtualLoop(), list[str]()
    loop.set_exception_handler(lambda _, context: problems.append(str(context.get("exception") or context["message"])))
    with replaced(*bounds(world.drawn)):
        world.wrong = run_virtual(loop, lived(world.live())) or world.wrong
    if problems and not world.wrong:
        world.wrong = f"a task died unseen: {problems[0]}"
    return world
