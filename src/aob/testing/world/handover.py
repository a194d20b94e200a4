"""A simulated cluster: processes that own shards by leases, over a bad line to one database. They come, leave, crash,
and are stopped for longer than a lease and go on. Outside people ask whichever process they believe in. At most one
process acts for a shard; what was acknowledged is durable; nobody reads what is older than what was read before; when
the faults stop, every shard has an owner, all have as many, and every run ends."""

import asyncio
from collections import Counter
from random import Random
from typing import Final, cast

import msgspec

from aob.backends.memory.leases import MemoryLeases
from aob.core.errors import AobError, NotFound
from aob.core.policy import LOCAL, PatchRules
from aob.core.run import Run
from aob.journal.recovery import load_stream
from aob.ports.store import Store
from aob.runs import Core, Engine
from aob.runs.graphs import Graphs
from aob.runs.laws.run import RunLaw
from aob.runs.values import Values
from aob.testing.flows import Known, purer, random_flow
from aob.testing.run_checks import picture
from aob.testing.world.database import outside
from aob.testing.world.hosts import LEASE_S, Host, Reach, Side
from aob.testing.world.lives import Lives
from aob.testing.world.loop import VirtualLoop
from aob.testing.world.options import Options, calm, draw
from aob.testing.world.world import BrokenError, Report, simulated

SHARDS: Final = 3
HOSTS_MAX: Final = 4
T0_MS: Final = 1_700_000_000_000
TICKS: Final = 60
CALM_TICKS: Final = 400
SETTLED_TICKS: Final = 12  # calm ticks until the shards must be spread
LONG_S: Final = 20_000
READS: Final = 3  # at a tick


class HandoverWorld:
    """Make it with a seed, `await live()` on a virtual loop."""

    def __init__(self, seed: int, options: Options | None = None) -> None:
        self.seed, self.dice, self.lives = seed, Random(f"{seed} handover"), Lives()
        drawn = options or draw(Random(seed))
        self.drawn = self.options = msgspec.structs.replace(drawn, runs=max(3, drawn.runs // 4))
        self.trace: list[str] = []
        self.problem = ""
        self.events: Counter[str] = Counter()
        self.leases = MemoryLeases(SHARDS, round(LEASE_S * 1_000), self.now_ms)
        self.sides = [Side(self, number) for number in range(SHARDS)]
        self.hosts: list[Host] = []
        self._named = 0
        self._loop: VirtualLoop

    def now_ms(self) -> int:
        """The clock of the database."""
        return T0_MS + int(asyncio.get_running_loop().time() * 1_000)

    def told(self, line: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():.6f} {line}")

    def wrong(self, rule: str) -> None:
        """Report a broken rule; the first one counts."""
        if not self.problem:
            self.told(f"BROKEN: {rule}")
        self.problem = self.problem or rule

    def acts(self, host: Host, shard: int, what: str) -> None:
        """A process acts for a shard: nobody else may be able to own it now."""
        lease = self.leases._lease(shard, self.now_ms())
        if not (lease.counts and lease.owner == host.name):
            self.wrong(f"{host.name} {what} of shard {shard}, which is free for {lease.owner or 'anybody'}")

    # -- processes --------------------------------------------------------------------------------------------------

    def _comes(self) -> None:
        self._named += 1
        host = Host(self, f"h{self._named}")
        host.line.rate, host.line.slow = self._rates
        self.hosts.append(host)
        self.told(f"{host.name} comes")
        host.begin(host.join())

    def _kill(self, host: Host) -> None:
        self.told(f"{host.name} is killed")
        self._loop.continue_life(host.life)
        for handle in host.handles:
            handle.dead = True
        for held in host.holder.held.values():
            if held.part is not None:
                held.part.core.journal.timers.stop()
        self.lives.end(host.life)
        self.hosts.remove(host)

    def _stop(self, host: Host) -> None:
        for_s = LEASE_S * self.dice.choice([0.2, 0.8, 1.1, 3.0, 10.0])
        self.told(f"{host.name} is stopped for {for_s} s")
        host.asleep = True
        self._loop.stop_life(host.life)
        asyncio.get_running_loop().call_later(for_s, self._continue, host)

    def _continue(self, host: Host) -> None:
        if host.asleep and host in self.hosts:
            self.told(f"{host.name} goes on")
            host.asleep = False
            self._loop.continue_life(host.life)

    async def _leaves(self, host: Host) -> None:
        self.told(f"{host.name} leaves")
        host.leaving = True
        leaving = host.begin(host.holder.__aexit__(None, None, None))
        await asyncio.wait({leaving})
        if not leaving.cancelled() and host in self.hosts:
            if (error := leaving.exception()) is not None:
                self.wrong(f"{host.name} could not leave: {error!r}")
            self.told(f"{host.name} has left")
            self.hosts.remove(host)

    # -- its life ---------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Faults, then none. Raises BrokenError at the first broken rule."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self._loop = loop
        loop.set_task_factory(self.lives.new_task)
        faulty, self._rates = self.options, (0.0, 0.0)
        self.options = calm(faulty)
        for _ in range(self.dice.choice([1, 2, 3])):
            self._comes()
        await self._push_flows()
        self._set(faulty, (self.dice.choice([0.0, 0.05, 0.3]), self.dice.choice([0.0, 0.1, 0.4])))
        for _ in range(TICKS):
            await self._tick()
        self.told("faults stop")
        self._set(calm(faulty), (0.0, 0.0))
        for host in self.hosts:
            self._continue(host)
        if all(host.leaving for host in self.hosts):
            self._comes()
        await self._calm()
        await self._end()

    def _set(self, options: Options, rates: tuple[float, float]) -> None:
        self.options, self._rates = options, rates
        for side in self.sides:
            side.options = options
        for host in self.hosts:
            host.line.rate, host.line.slow = rates
            for handle in host.handles:
                handle.options = options

    async def _push_flows(self) -> None:
        for side in self.sides:
            for number in range(2):
                document = random_flow(self.dice, f"w{number}", size=self.drawn.flow_size)
                document = purer(Random(f"{side.seed} pure {number}"), document, self.drawn.pure)
                told = None
                while told is None:
                    await asyncio.sleep(0.2)
                    told = await side.people.politely("push", Reach(self, side).push(LOCAL, document))
                side.ledger.documents[told["artifact"]] = document
                side.people.flows.append(f"w{number}")

    async def _tick(self) -> None:
        dice = self.dice
        for side in self.sides:
            for _ in range(dice.choice([0, 1, 2])):
                move = side.people.move(cast(Engine, Reach(self, side)), self.options)
                if move is not None:
                    outside(side.people.moves(move, side.wrong))
            for _ in range(READS):
                outside(self._reads(side))
        await asyncio.sleep(dice.choice([0.0005, 0.02, 0.3, 2.0, 5.0]) * dice.random())
        for host in list(self.hosts):
            chance = dice.random()
            if chance < 0.02:
                self._kill(host)
            elif chance < 0.10 and not host.asleep:
                self._stop(host)
            elif chance < 0.12 and not host.asleep and not host.leaving and host.holder._tasks:
                outside(self._leaves(host))
            elif chance < 0.2:
                host.skew_ms = dice.choice([0, -60_000, 3_600_000])
        if len(self.hosts) < HOSTS_MAX and (not self.hosts or dice.random() < 0.08):
            self._comes()
        self._checks()

    async def _reads(self, side: Side) -> None:
        """Somebody reads a run: never less of it than anybody had read before it was asked."""
        known = sorted(side.seen.keys() | side.ledger.runs.keys())
        if not known:
            return
        run_id = self.dice.choice(known)
        before = side.seen[run_id]

        async def read(core: Core) -> int:
            stream = await core.stream(LOCAL, run_id)
            seq = stream.seq
            await core.journal.settled(stream)
            return seq

        try:
            seq: int = await Reach(self, side).asked(read, f"a read of {run_id}")
        except NotFound:
            seq = 0
        except AobError:
            return
        if seq < before:
            side.wrong(f"{run_id} was read with {before} events, and then with {seq}")
        side.seen[run_id] = max(seq, side.seen[run_id])
        self.events["reads"] += 1

    # -- checks -----------------------------------------------------------------------------------------------------

    def _checks(self) -> None:
        for side in self.sides:
            for rule in side.ledger.catch_up():
                side.wrong(rule)
            acting = [
                host.name for host in self.hosts
                if not host.asleep and (held := host.holder.held.get(side.number)) is not None and held.tenure.acts
            ]  # fmt: skip
            if len(acting) > 1:
                side.wrong(f"{' and '.join(acting)} may act for it")
        if self.problem:
            raise BrokenError(self.problem)

    async def _calm(self) -> None:
        for tick in range(CALM_TICKS):
            busy = False
            for side in self.sides:
                live = {name: run for name, run in side.ledger.runs.items() if not run.final}
                busy |= bool(live)
                for name, run in sorted(live.items()):
                    self._helps(side, name, run)
            if not busy and tick > 5 and not self._uneven():
                return
            if tick >= SETTLED_TICKS:
                self._stretch()
            pending = any(now.jobs or now.tickets for side in self.sides for now in side.ledger.pending().values())
            await asyncio.sleep(5.0 if pending or tick < SETTLED_TICKS else 1_800.0)
            self._checks()
        left = {name: sorted(run.tokens) for side in self.sides for name, run in side.ledger.runs.items()
                if not run.final}  # fmt: skip
        raise BrokenError(self._uneven() or f"these runs are not over: {left}")

    def _stretch(self) -> None:
        """What is left waits for its timers, perhaps for hours: leases are long now, so that few renewals pass."""
        self.leases._lease_ms = LONG_S * 1_000
        for host in self.hosts:
            host.holder._lease_s = LONG_S
            for held in host.holder.held.values():
                held.tenure._acts_s = LONG_S / 2

    def _helps(self, side: Side, name: str, run: Run) -> None:
        """People answer what a run waits for."""
        engine = cast(Engine, Reach(self, side))
        for ticket in run.tickets.values():
            if not ticket.answer:
                choice = "reject" if ticket.subject == "patch" else ticket.choices[0]
                outside(side.people.moves(side.people.answering(engine, name, ticket.id, choice), side.wrong))
        for message, key in sorted(set(run.waits.values())):
            outside(side.people.moves(side.people.sending(engine, name, message, key), side.wrong))

    def _uneven(self) -> str:
        """What is wrong with how the shards are spread, if anything."""
        owners = [lease.owner for lease in (self.leases._lease(each, self.now_ms()) for each in range(SHARDS))]
        counts = Counter({host.name: 0 for host in self.hosts if not host.leaving})
        counts.update(owners)
        if "" in owners or max(counts.values()) - min(counts.values()) > 1:
            return f"the shards are owned by {owners}, and there are {sorted(counts)}"
        return ""

    async def _end(self) -> None:
        """All leave in order; every promise is checked again, and every run is read back from its segments."""
        await asyncio.gather(*(self._leaves(host) for host in list(self.hosts) if not host.leaving))
        self._checks()
        for side in self.sides:
            for sentence, holds in side.people.acknowledged:
                if not holds():
                    side.wrong(f"acknowledged and lost: {sentence}")
            law = RunLaw(
                Graphs(lambda tenant: Known()),
                Values(cast(Store, side.store), side.blobs),
                PatchRules(),
                lambda tenant: {},
            )
            for name, run in sorted(side.ledger.runs.items()):
                stream = await load_stream(side.store, law, name)
                if stream is None or picture(stream.state) != picture(run):
                    side.wrong(f"{name} read back from its segments is another run")
            self.events.update(side.ledger.events)
        self._checks()


def simulate_handover(seed: int, options: Options | None = None) -> Report:
    """Runs one cluster to its end."""
    world = HandoverWorld(seed, options)
    return Report(seed, world.drawn, simulated(world), world.trace, world.events)
