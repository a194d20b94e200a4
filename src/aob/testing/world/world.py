"""One simulated world: real core, journal, runs and pool over a simulated store, clock, workers and people. The same
seed gives the same trace and the same first broken rule, if any. Two phases: first faults, and every rule must hold;
then they stop, and within a bounded time every run must be over."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, cast

import msgspec

from aob.backends.memory.blobs import MemoryBlobs
from aob.backends.memory.pages import MemoryPages
from aob.backends.memory.store import MemoryStore
from aob.core.errors import AobError
from aob.core.policy import LOCAL, PatchRules
from aob.core.run import Run, bodies
from aob.journal import deciding, exchange, journal, kept, pages
from aob.journal.recovery import load_stream
from aob.ports.pages import OwnedPages
from aob.ports.store import Store
from aob.runs import Ambient, Core, Engine
from aob.testing.flows import HANDLER, PURE, Known, purer, random_flow
from aob.testing.run_checks import picture
from aob.testing.world.ledger import Ledger
from aob.testing.world.lives import Lives, within
from aob.testing.world.loop import VirtualLoop, replaced, run_virtual
from aob.testing.world.options import Options, calm, draw
from aob.testing.world.people import People
from aob.testing.world.store import SimStore, SpoiltPages
from aob.testing.world.work import performer
from aob.work.visit_logs import Logs

T0_MS: Final = 1_700_000_000_000
CALM_TICKS: Final = 600
OPENING_TRIES: Final = 60


class BrokenError(AssertionError):
    """A broken rule of this world."""


class Report(msgspec.Struct):
    """The result of a world: the broken rule (empty for none), its trace, and counts of what happened."""

    seed: int
    options: Options
    broken: str
    trace: list[str]
    events: dict[str, int]


class Process:
    """One life of a home: a core on its own handle of the store, and the tasks that end with it."""

    def __init__(self, lives: Lives, core: Core, handle: SimStore) -> None:
        self.context = lives.begin()
        self.life, self.core, self.handle = lives.count, core, handle
        self.engine = Engine(core)

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of this process; all tasks it starts belong to this process too."""
        return within(self.context, work)


class World:
    """Make it with a seed, `await live()` on a virtual loop."""

    def __init__(self, seed: int, options: Options | None = None) -> None:
        self.seed = seed
        self.dice, self._rests = Random(seed), Random(f"{seed} rests")
        self.options = options or draw(self.dice)
        self.trace: list[str] = []
        self.store, self.blobs, self.pages = MemoryStore(), MemoryBlobs(), MemoryPages()
        self.ledger = Ledger(self.store, Known(), self.told)
        self.effects: Counter[tuple[str, str, int]] = Counter()
        self.people = People(Random(f"{seed} people"), self.ledger, self.told)
        self.problem = ""
        self.skew_ms = 0
        self.process: Process
        self._old: list[tuple[float, Process]] = []
        self.lives = Lives()
        self._life = 0

    # -- shared by all -----------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The wall clock of the world, which may jump."""
        return T0_MS + self.skew_ms + int(asyncio.get_running_loop().time() * 1_000)

    def told(self, line: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():.6f} {line}")

    def wrong(self, rule: str) -> None:
        """Report a broken rule; the first one counts."""
        self.problem = self.problem or rule

    def check(self, wrong: list[str]) -> None:
        """Ends the world when a rule is broken."""
        for rule in wrong:
            self.wrong(rule)
        if self.problem:
            raise BrokenError(self.problem)

    # -- processes --------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begins a life of the home: recovers what is durable, and continues."""
        self._life += 1
        for attempt in range(OPENING_TRIES):
            handle = SimStore(self.store, Random(f"{self.seed} store {self._life} {attempt}"), self.options, self.told)
            core = self._core(handle)
            process = Process(self.lives, core, handle)
            try:
                await process.begin(core.__aenter__())
            except AobError as error:
                self.told(f"cannot open: {error.code}")
                self._kill(process)
                await asyncio.sleep(0.2)
                continue
            self.process = process
            self.told(f"life {self._life} begins at row {core.journal.row}, epoch {core.journal.epochs.now}")
            return
        raise BrokenError("the home cannot be opened")

    def _core(self, handle: SimStore) -> Core:
        dice = Random(f"{self.seed} ids {self._life}")
        facts = {name: Known()[name] for name in (HANDLER, PURE)}
        logs = Logs(Path("never-written"), self.now_ms)
        rules = PatchRules(trusted_kinds=("agent",) if self.seed % 3 == 0 else ())
        core = Core(
            cast(Store, handle), self.blobs, facts, lambda dispatch: performer(self, dispatch), rules=rules,
            place=lambda job: "loop", ambient=Ambient(self.now_ms, dice.getrandbits), logs=logs, concurrency=4,
            bare=lambda task: performer(self, core.dispatch) if self.seed % 2 else None,
        )  # fmt: skip
        core.dispatch.pure = {PURE}
        spoilt = SpoiltPages(self.pages, Random(f"{self.seed} pages {self._life}"), self.options.page_spoilt)
        core.journal.keep_pages(OwnedPages(spoilt))
        return core

    def _kill(self, process: Process) -> None:
        """SIGKILL: nothing is drained or reported; calls to the store never return."""
        process.handle.dead = True
        process.core.journal.timers.stop()
        self.lives.end(process.life)

    async def _crash(self) -> None:
        self.told("crash")
        self._kill(self.process)
        await asyncio.sleep(0)
        await self.open()

    async def _usurp(self) -> None:
        """Another process takes the shard while this one still runs: this one must notice and stop."""
        self.told("another process takes over")
        self._old.append((asyncio.get_running_loop().time() + 2 * self.dice.random(), self.process))
        await self.open()

    def _reap(self) -> None:
        now = asyncio.get_running_loop().time()
        for until, process in [each for each in self._old if each[0] <= now]:
            self._kill(process)
            self._old.remove((until, process))

    # -- its life ---------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Both phases. Raises BrokenError at the first broken rule."""
        asyncio.get_running_loop().set_task_factory(self.lives.new_task)
        faulty, self.options = self.options, calm(self.options)
        await self.open()
        await self._push_flows()
        self.options = self.process.handle.options = faulty
        for _ in range(self.options.ticks):
            await self._tick()
        self.told("faults stop")
        for _, process in self._old:
            self._kill(process)
        self._old.clear()
        self.options = calm(self.options)
        self.process.handle.options = self.options
        if self.process.core.journal.closing:
            await self._crash()
        await self._calm()
        await self._end()

    async def _push_flows(self) -> None:
        for number in range(self.options.flows):
            document = random_flow(self.dice, f"w{number}", size=self.options.flow_size)
            document = purer(Random(f"{self.seed} pure {number}"), document, self.options.pure)
            told = await self.process.engine.push(LOCAL, document)
            self.ledger.documents[told["artifact"]] = document
            self.people.flows.append(f"w{number}")

    def _let_go(self) -> None:
        """Evict some resting streams, at any moment."""
        journal = self.process.core.journal
        if journal.broken is None and not journal.closing and journal.let_go(0, self._rests.choice([1, 4, 1_000])):
            journal._wake.set()

    async def _tick(self) -> None:
        options, dice = self.options, self.dice
        for _ in range(4 if self._rests.random() < options.rests else 0):
            asyncio.get_running_loop().call_later(self._rests.choice([0.0, 0.001, 0.3, 5.0]), self._let_go)
        for _ in range(dice.choice([0, 1, 1, 2, 4])):
            self._do(self.people.move(self.process.engine, options))
        await asyncio.sleep(dice.choice([0.0005, 0.02, 0.3, 0.3, 2.0, 20.0]) * dice.random())
        if dice.random() < options.clock_forward:
            self._jump(dice.choice([1_000, 60_000, 7_200_000]))
        if dice.random() < options.clock_back:
            self._jump(-dice.choice([100, 5_000, 60_000]))
        self._reap()
        if dice.random() < options.crash:
            await self._crash()
        elif dice.random() < options.usurp:
            await self._usurp()
        elif self.process.core.journal.closing:
            await self._crash()  # fenced: a person restarts it
        self.checks()

    def _do(self, move: Any) -> None:
        if move is not None:
            self.process.begin(self.people.moves(move, self.wrong))

    def _jump(self, by_ms: int) -> None:
        self.told(f"the clock jumps by {by_ms} ms")
        self.skew_ms += by_ms

    async def _calm(self) -> None:
        """No more faults, and people answer their tickets: every run must end."""
        for tick in range(CALM_TICKS):
            if self._rests.random() < self.options.rests:
                self._let_go()
            engine = self.process.engine
            live = {name: run for name, run in self.ledger.runs.items() if not run.final}
            if not live and tick:
                return
            for name, run in sorted(live.items()):
                for ticket in run.tickets.values():
                    if not ticket.answer:
                        choice = "reject" if ticket.subject == "patch" else ticket.choices[0]
                        self._do(self.people.answering(engine, name, ticket.id, choice))
                for message, key in sorted(set(run.waits.values())):
                    self._do(self.people.sending(engine, name, message, key))
            busy = any(now.jobs or now.tickets for now in self.ledger.pending().values())
            await asyncio.sleep(20.0 if busy or not tick else 1_800.0)
            self.checks()
        left = {name: sorted(run.tokens) for name, run in self.ledger.runs.items() if not run.final}
        raise BrokenError(f"after {CALM_TICKS} calm ticks these runs are not over: {left}")

    # -- checks -----------------------------------------------------------------------------------------------------

    def checks(self) -> None:
        """Everything that must hold between two ticks."""
        journal = self.process.core.journal
        self.check(self.ledger.catch_up())
        if journal.broken is not None and journal.broken.code == "journal_stopped":
            self.check([f"the journal stopped: {journal.broken.detail}"])
        if journal.broken is None and journal.durable_row == self.ledger.row:
            self.check([*self._live_states()])
        if self._quiet():
            self.check([*self._standing()])

    def _live_states(self) -> list[str]:
        """The memory of each run equals its log, unless a batch is in flight."""
        wrong = []
        streams = self.process.core.journal.streams
        for name in sorted(self.ledger.changed):
            stream = streams.get(name)
            if stream is None or (stream.chunks and stream.chunks[-1].row > self.ledger.row):
                continue
            if stream.seq != self.ledger.seqs[name]:
                wrong.append(f"{name} is at {stream.seq} in memory and at {self.ledger.seqs[name]} in the log")
            elif picture(stream.state) != picture(self.ledger.runs[name]):
                wrong.append(
                    f"{name} in memory is not what its log says: {difference(stream.state, self.ledger.runs[name])}"
                )
        self.ledger.changed.clear()
        return wrong

    def _quiet(self) -> bool:
        journal = self.process.core.journal
        on_its_way = (journal._inbox, journal._rung, journal._draft, journal._writing, journal._waiting, journal._aside)
        return journal.broken is None and not journal.closing and not any(on_its_way)

    def _standing(self) -> list[str]:
        """Jobs, timers and open tickets are exactly the pending ones; a live run is in memory, or evicted."""
        core, wrong = self.process.core, []
        for name, known in self.ledger.runs.items():
            here, away = name in core.journal.streams, name in core.journal.away
            if (here and away) or (away and known.final) or not (here or away or known.final):
                wrong.append(f"{name} is {known.status}, in memory: {here}, away: {away}")
        held = core.pool.held()
        for name, now in self.ledger.pending().items():
            jobs = {visit: attempt for (run, visit), attempt in held.items() if run == name}
            if jobs != now.jobs:
                wrong.append(f"{name} has {now.jobs} pending and the pool holds {jobs}")
            if now.goes_on:
                wrong.append(f"{name} goes on by itself, and does not")
            timers = core.journal.timers.of(name)
            if set(timers) != set(now.timers):
                wrong.append(f"{name} has timers {sorted(now.timers)} pending and {sorted(timers)} exist")
        for run, visit in held:
            if self.ledger.runs[run].final:
                wrong.append(f"{run} is over and the pool still holds {visit}")
        rows = self.store.timer_rows()
        pending = {(name, id): due for name, now in self.ledger.pending().items() for id, due in now.timers.items()}
        if rows != pending:
            wrong.append(f"the store keeps timers {sorted(rows)} and {sorted(pending)} are pending")
        kept = {key: (row.due_ms, row.roles) for key, row in self.store.ticket_rows().items()}
        asked = {
            (name, ticket.id): (ticket.due_ms, "\n".join(ticket.needed))
            for name, run in self.ledger.runs.items() if not run.final
            for ticket in run.tickets.values() if not ticket.answer
        }  # fmt: skip
        open_now = {(row.stream, row.id): (row.due_ms, row.roles) for row in core.journal.tickets.rows()}
        if kept != asked or open_now != asked:
            wrong.append(f"tickets {asked} are open, rows say {kept}, memory says {open_now}")
        return wrong

    async def _end(self) -> None:
        """An orderly stop; then every run is read back from its segments, and every promise is checked again."""
        core = self.process.core
        await core.__aexit__(None, None, None)
        self.check(self.ledger.catch_up())
        self.check(
            [f"acknowledged and lost: {sentence}" for sentence, holds in self.people.acknowledged if not holds()]
        )
        for name, run in sorted(self.ledger.runs.items()):
            stream = await load_stream(self.store, core.run_law, name)
            if stream is None or picture(stream.state) != picture(run):
                self.check([f"{name} read back from its segments is another run"])


def difference(one: Run, other: Run) -> str:
    """The first field in which two runs differ."""
    mine, theirs = picture(one), picture(other)
    return next((f"{key}: {mine[key]} / {theirs[key]}" for key in mine if mine[key] != theirs.get(key)), "nothing")


def bounds(options: Options) -> tuple[tuple[object, str, object], ...]:
    """Bounds of the journal as this world has them."""
    return (
        (journal, "CUT_ROWS", options.cut_rows), (journal, "CUT_EVENTS", options.cut_events),
        (kept, "ENDED_KEPT", options.ended_kept),
        (exchange, "INBOX_MAX", options.inbox_max), (deciding, "SEGMENT_EVENTS", options.segment_events),
        (bodies, "EVENTS_MAX", options.pass_events),
        (pages, "PAGE_EVENTS", options.page_events), (pages, "PAGE_AGAIN", min(options.page_events, pages.PAGE_AGAIN)),
    )  # fmt: skip


async def lived(life: Coroutine[Any, Any, None]) -> str:
    """The broken rule that ends a world, empty for none. A world that cannot continue is broken too, for any reason."""
    try:
        await life
    except BrokenError as broken:
        return str(broken)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


class Living(Protocol):
    """A world of which one life is simulated."""

    seed: int
    options: Options
    trace: list[str]
    problem: str

    async def live(self) -> None:
        """Its life. Raises BrokenError."""


def simulated(world: Living) -> str:
    """Runs a world to its end; returns its broken rule, empty for none."""
    loop, problems = VirtualLoop(), list[str]()
    loop.set_exception_handler(lambda _, context: problems.append(str(context.get("exception") or context["message"])))
    with replaced(*bounds(world.options)):
        broken = run_virtual(loop, lived(world.live())) or world.problem
    return broken or (f"a task died unseen: {problems[0]}" if problems else "")


def simulate(seed: int, options: Options | None = None) -> Report:
    """Runs one world to its end."""
    world = World(seed, options)
    return Report(seed, world.options, simulated(world), world.trace, dict(world.ledger.events))
