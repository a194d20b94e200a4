"""The processes of a simulated cluster, and its shards as people outside see them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, cast

from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.leases import MemoryLeases
from aob.backends.memory.store import MemoryStore
from aob.compose.cluster import Held, Holder, StoreClock, owned, tenured
from aob.compose.cluster.owning import OwnedCore
from aob.core.cluster import Member, Tenure
from aob.core.errors import AobError, Unavailable
from aob.core.policy import PatchRules
from aob.ports.store import Store
from aob.ports.workers import Job
from aob.runs import Ambient, Core, Engine
from aob.runs.dispatch import Dispatcher
from aob.testing.flows import HANDLER, PURE, Known
from aob.testing.world.database import Connection, LeaseLine, Shard
from aob.testing.world.ledger import Ledger
from aob.testing.world.lives import Lives, within
from aob.testing.world.options import Options
from aob.testing.world.people import People
from aob.testing.world.store import SimStore
from aob.testing.world.work import performer
from aob.work.pool import Perform
from aob.work.visit_logs import Logs

LEASE_S: Final = 2.0


class Cluster(Protocol):
    """What the processes know of their world."""

    seed: int
    dice: Random
    options: Options
    lives: Lives
    leases: MemoryLeases
    sides: "list[Side]"
    hosts: "list[Host]"

    def now_ms(self) -> int:
        """The clock of the database."""

    def told(self, line: str) -> None:
        """A line of the trace."""

    def wrong(self, rule: str) -> None:
        """Report a broken rule."""

    def acts(self, host: "Host", shard: int, what: str) -> None:
        """A process acts for a shard."""


class Side:
    """One shard as the world sees it from outside: what is durable, who asks, what was read."""

    def __init__(self, world: Cluster, number: int) -> None:
        self.world, self.number, self.seed = world, number, world.seed * 31 + number
        self.store, self.blobs = MemoryStore(), MemoryBlobs()
        self.shard = Shard(self.store, world.wrong)
        self.ledger = Ledger(self.store, Known(), self.told)
        self.people = People(Random(f"{self.seed} people"), self.ledger, self.told)
        self.options = world.options
        self.effects: Counter[tuple[str, str, int]] = Counter()
        self.seen: Counter[str] = Counter()  # by run, the events that somebody outside has read

    def told(self, line: str) -> None:
        """A line of the trace."""
        self.world.told(f"shard {self.number}: {line}")

    def wrong(self, rule: str) -> None:
        """Report a broken rule."""
        self.world.wrong(f"shard {self.number}: {rule}")


class Host:
    """One life of a process of the cluster."""

    def __init__(self, world: Cluster, name: str) -> None:
        self.world, self.name = world, name
        self.context = world.lives.begin()
        self.life = world.lives.count
        self.line = LeaseLine(world.leases, Random(f"{world.seed} line {name}"), LEASE_S, self.told)
        self.handles: list[SimStore] = []
        self.asleep = self.leaving = False
        self.skew_ms = 0
        clock = StoreClock(self.steady_s, lambda: world.now_ms() + self.skew_ms)
        self.holder: Holder[OwnedCore] = Holder(
            self.line, Member(name, f"{name}:1"), LEASE_S, self._opens, self.steady_s, clock
        )

    def steady_s(self) -> float:
        """A clock that also counts while this process is stopped."""
        return asyncio.get_running_loop().time()

    def told(self, line: str) -> None:
        """A line of the trace."""
        self.world.told(f"{self.name}: {line}")

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of this process."""
        return within(self.context, work)

    async def join(self) -> None:
        """Be a member as soon as the line lets it."""
        while True:
            try:
                await self.holder.__aenter__()
            except AobError:
                await asyncio.sleep(0.1)
            else:
                return

    def part(self, shard: int) -> OwnedCore | None:
        """Its open shard of this number."""
        held = self.holder.held.get(shard)
        return held.part if held is not None else None

    @asynccontextmanager
    async def _opens(self, held: Held[OwnedCore]) -> AsyncIterator[OwnedCore]:
        world, side = self.world, self.world.sides[held.lease.shard]
        name = f"{self.name} term {held.lease.term}"
        connection = cast(MemoryStore, Connection(side.shard, name))
        handle = SimStore(connection, Random(f"{world.seed} store {name}"), world.options, self.told)
        self.handles.append(handle)
        async with owned(self._core(side, handle, held.tenure), held) as part:
            self.told(f"owns shard {side.number} at row {part.core.journal.row}, epoch {part.core.journal.epochs.now}")
            yield part

    def _core(self, side: Side, handle: SimStore, tenure: Tenure) -> Core:
        clock, dice = self.holder.clock, Random(f"{self.world.seed} ids {self.name} {side.number}")
        return Core(
            cast(Store, handle), side.blobs, {name: Known()[name] for name in (HANDLER, PURE)},
            lambda dispatch: tenured(self._performer(side, dispatch), tenure), rules=PatchRules(),
            place=lambda job: "loop", ambient=Ambient(clock.now_ms, dice.getrandbits),
            logs=Logs(Path("never-written"), clock.now_ms), concurrency=4,
        )  # fmt: skip

    def _performer(self, side: Side, dispatch: Dispatcher) -> Perform:
        perform = performer(side, dispatch)

        def begin(job: Job) -> Coroutine[object, object, object]:
            self.world.acts(self, side.number, f"begins {job.run} {job.visit}")
            return perform(job)

        return begin


class Reach:
    """The verbs of a shard for somebody outside, through a process that may own it."""

    def __init__(self, world: Cluster, side: Side) -> None:
        self._world, self._side = world, side

    def __getattr__(self, verb: str) -> Any:
        async def ask(*args: Any, **named: Any) -> Any:
            return await self.asked(lambda core: getattr(Engine(core), verb)(*args, **named), verb)

        return ask

    async def asked(self, work: Callable[[Core], Coroutine[Any, Any, Any]], what: str) -> Any:
        """The answer of one process. Raises Unavailable when it ends, or none has the shard."""
        world, number = self._world, self._side.number
        having = [host for host in world.hosts if host.part(number) is not None]
        if not having:
            raise Unavailable("no process has it", code="shard_unowned")
        host = world.dice.choice(having)
        part = host.part(number)
        assert part is not None

        async def answered() -> Any:
            answer = await part.guard.answered(work(part.core))
            world.acts(host, number, f"answers {what}")
            return answer

        task = host.begin(answered())
        await asyncio.wait({task})
        if task.cancelled():
            raise Unavailable("the process ended", code="shard_lost")
        return task.result()
