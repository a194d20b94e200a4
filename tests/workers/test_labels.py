"""A job is only ever at a worker with all its labels: as it leaves, where a worker that comes back presents it, where a
shard has gone to another process, and in a home that has the handler itself."""

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import aob
from aob.compose import App
from aob.core.policy import Caller
from aob.ports.workers import Done, Fault, Job, Lane, Result
from aob.rpc import worker_pb2 as pb
from aob.testing.world.loop import VirtualLoop, run_virtual
from aob.work import Facts
from aob.work.remote import Guard, Hub, RemoteWorkers, Sending
from tests.runs.home import flow, fn
from tests.work.jobs import calls
from tests.workers.client import Raw, hello
from tests.workers.home import HANDLERS, comes, home, key_of, where

WHO = Caller("acme", "w", frozenset({"work"}), "key_1")
RUNS = {"run_0": {}, "run_1": {"gpu": "1"}, "run_2": {"gpu": "1", "zone": "x"}, "run_3": {"zone": "x"}}
LABELS = [{}, {"gpu": "1"}, {"zone": "x"}, {"gpu": "2", "zone": "x"}, {"gpu": "1", "zone": "x"}]
Key = tuple[str, int]


async def passed(loop: asyncio.AbstractEventLoop, delay_s: float) -> None:
    """So much virtual time."""
    event = asyncio.Event()
    loop.call_later(delay_s, event.set)
    await event.wait()


class Line:
    """A stream of a worker to one hub."""

    def __init__(self, worker: "Person", hub: Hub) -> None:
        self.person, self.hub, self.known, self.behind = worker, hub, None, False

    def put(self, item: pb.ServerItem) -> None:
        what = item.WhichOneof("item")
        if self.person.lines.get(self.hub) is self and what in ("job", "keep", "drop", "cancel", "ack"):
            told = getattr(item, what)
            self.person.hears(self.hub, what, (told.run, told.attempt))

    def end(self, error: Exception) -> None:
        """What follows is nobody's."""


class Person:
    """A worker: what it has, what it has done, and with which labels it began that."""

    def __init__(self, name: str) -> None:
        self.name, self.life, self.labels = name, 1, dict[str, str]()
        self.lines: dict[Hub, Line] = {}
        self.has: dict[Key, Hub | None] = {}
        """With the process that it is from; None: that one has it no more, as a relay remembers it."""
        self.done, self.seen = set[Key](), set[Key]()

    def hears(self, hub: Hub, what: str, key: Key) -> None:
        fits = RUNS[key[0]].items() <= self.labels.items()
        if what == "job":
            assert fits, f"{key} begins at a worker with {self.labels}"
            self.has[key] = hub
            self.seen.add(key)
        elif what == "keep":
            assert fits or (key in self.done and key in self.seen), f"{key} goes on at a worker with {self.labels}"
            self.has[key] = hub
        elif self.has.get(key) is hub:
            if what == "drop":
                self.has[key] = None
            else:
                del self.has[key]
                self.done.discard(key)


class Cluster:
    """Two processes whose shard, with all runs, is at one of them; the jobs are those of the runs that are not over."""

    def __init__(self) -> None:
        self.hubs = [Hub(Sending(self._put, lambda work: None), Facts({})) for _ in range(2)]
        self.at, self.over, self.attempts = 0, set[str](), dict[str, int]()
        self.guard = Guard(lambda job: None, lambda job: None)  # type: ignore[arg-type, return-value]
        for number, hub in enumerate(self.hubs):
            hub.here = lambda run, number=number: self.at == number  # type: ignore[misc]
            hub.clock()
        self.workers = RemoteWorkers(self.hubs[0], self)
        self.people = [Person("a"), Person("b"), Person("c")]

    async def _put(self, tenant: str, data: bytes) -> Any:
        raise AssertionError("nothing is large")

    def job(self, run: str) -> Job:
        return calls(
            "work", 1, run=run, attempt=self.attempts.setdefault(run, 1), worker=tuple(sorted(RUNS[run].items()))
        )

    def report(self, job: Job, result: Result) -> None:
        if job.run in self.over or job.attempt != self.attempts[job.run]:
            return
        if isinstance(result, Done):
            self.over.add(job.run)
            asyncio.get_running_loop().call_soon(self.hub.committed, job.run, [job.visit])
        else:
            assert isinstance(result, Fault)
            self.attempts[job.run] += 1
            asyncio.get_running_loop().call_soon(self.begin, job.run)

    @property
    def hub(self) -> Hub:
        return self.hubs[self.at]

    def begin(self, run: str) -> None:
        if run not in self.over:
            self.workers.submit(self.job(run))

    def stands(self, run: str, visit: str, attempt: int, tenant: str) -> bool:
        return run in self.attempts and run not in self.over and self.attempts[run] == attempt

    def lane_of(self, job: Job) -> Lane:
        return Lane("work", job.task.spec.worker)

    def look(self) -> None:
        """Nothing is parked."""

    def parked(self) -> list[Any]:
        return []

    async def pin(self, job: Job, build: str) -> None:
        raise AssertionError("nothing is pinned")

    # -- what happens -----------------------------------------------------------------------------------------------

    def attach(self, who: Person, hub: Hub, claims: set[Key]) -> None:
        """It comes (back) to a process, with what it has, and with what it only says it has."""
        held = [pb.Held(run=run, visit="n", attempt=attempt, done=(run, attempt) in who.done)
                for run, attempt in sorted(who.has.keys() | claims)]  # fmt: skip
        first = hello(who.name, str(who.life), HANDLERS, labels=who.labels, held=held).hello
        who.lines[hub] = Line(who, hub)
        who.lines[hub].known = hub.attach(first, WHO, who.lines[hub])
        hub.wants(who.lines[hub].known, 4)

    def detach(self, who: Person, hub: Hub) -> None:
        line = who.lines.pop(hub, None)
        if line is not None:
            hub.detached(line.known, line, False)  # type: ignore[arg-type]

    def relabel(self, who: Person, labels: dict[str, str], again: bool, claims: set[Key]) -> None:
        """It has other labels from now on, in the same process (what no worker of ours does) or in the next one."""
        attached = [*who.lines]
        for hub in attached:
            self.detach(who, hub)
        who.labels = labels
        if again:
            who.life += 1
            who.has, who.done, who.seen = {}, set(), set()
        for hub in attached:
            self.attach(who, hub, claims)

    def finish(self, who: Person) -> None:
        who.done |= who.has.keys()
        for hub, line in who.lines.items():
            mine = [key for key in sorted(who.done) if who.has.get(key) in (None, hub)]
            for run, attempt in mine:
                hub.reported(line.known, (run, "n"), attempt, Done(b"1"), False)  # type: ignore[arg-type]

    async def moves(self, comes_back: bool) -> None:
        """The shard goes to the other process, which may ask workers before it judges what had begun."""
        await self.workers.stop()
        self.at = 1 - self.at
        self.workers = RemoteWorkers(self.hub, self)
        for run in sorted(self.attempts.keys() - self.over):
            if comes_back:
                self.hub.awaits(run, "n", self.attempts[run], f"key-{run}-n")
            self.begin(run)

    async def passes(self, seconds: float) -> None:
        """Time, in which workers that are attached give signs of life."""
        for _ in range(max(1, round(seconds / 5))):
            await passed(asyncio.get_running_loop(), min(seconds, 5))
            for who in self.people:
                for line in who.lines.values():
                    line.known.seen_s = asyncio.get_running_loop().time()  # type: ignore[attr-defined]
            self.check()

    def check(self) -> None:
        for hub in self.hubs:
            for worker in hub.workers.values():
                for key, lease in worker.leases.items():
                    fits = RUNS[key[0]].items() <= worker.labels.items()
                    assert fits or lease.answered or self._did(worker.name, key[0], lease.job.attempt), (
                        worker.name,
                        key,
                    )

    def _did(self, name: str, run: str, attempt: int) -> bool:
        return any((run, attempt) in who.done & who.seen for who in self.people if who.name == name)


async def lived(world: Cluster, steps: list[str], dice: random.Random) -> None:
    for step in steps:
        who, hub = dice.choice(world.people), dice.choice(world.hubs)
        claims = {(run, world.attempts.get(run, 1)) for run in RUNS if dice.random() < 0.3}
        if step == "begin":
            world.begin(dice.choice([*RUNS]))
        elif step == "attach":
            world.attach(who, hub, claims)
        elif step == "detach":
            world.detach(who, hub)
        elif step in ("relabel", "next"):
            world.relabel(who, dice.choice(LABELS), step == "next", claims)
        elif step == "finish":
            world.finish(who)
        elif step == "move":
            await world.moves(dice.random() < 0.5)
        await world.passes(dice.choice([0.01, 0.01, 1, 40]))


STEPS = st.lists(st.sampled_from(["begin", "attach", "detach", "relabel", "next", "finish", "move"]), max_size=30)


@settings(max_examples=40)
@given(STEPS, st.integers(0, 2**32))
def test_whatever_comes_a_job_is_only_at_a_worker_with_all_its_labels_and_ends_once_there_is_one(
    steps: list[str], seed: int
) -> None:
    async def world() -> None:
        cluster = Cluster()
        await lived(cluster, steps, random.Random(seed))
        for run in RUNS:
            cluster.begin(run)
        able = cluster.people[0]
        cluster.relabel(able, {"gpu": "1", "zone": "x"}, True, set())
        for hub in cluster.hubs:
            cluster.attach(able, hub, set())
        for _ in range(8):
            for hub, line in able.lines.items():
                hub.wants(line.known, 4)  # type: ignore[arg-type]  # what went with jobs that were lost
            await cluster.passes(35)
            cluster.finish(able)
            cluster.finish(cluster.people[1])
            cluster.finish(cluster.people[2])
        assert cluster.over == RUNS.keys()
        for hub in cluster.hubs:
            hub.stop()

    run_virtual(VirtualLoop(), world())


async def attached(app: App, key: str, labels: dict[str, str], *held: pb.Held, incarnation: str = "1") -> Raw:
    """A worker with these labels that holds this and wants more, once it is welcome."""
    raw = Raw(where(app), key)
    await raw.send(hello(incarnation=incarnation, handlers=HANDLERS, labels=labels, held=held))
    await raw.items("welcome")
    return raw


async def test_a_worker_that_comes_back_with_other_labels_loses_what_has_begun_there(tmp_path: Path) -> None:
    async with home(tmp_path / "home") as app:
        key, gpu = await key_of(app), {"gpu": "1"}
        first = await attached(app, key, gpu)
        await app.push(flow("g", {"a": fn("work", worker=gpu)}))
        run = await app.start("g")
        await first.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        (job,) = await first.items("job")
        held = pb.Held(run=job.run, visit=job.visit, attempt=job.attempt)
        other = await attached(app, key, {"gpu": "2"}, held)
        (dropped,) = await other.items("drop")
        assert dropped.run == run.id
        last = await attached(app, key, gpu, incarnation="2")
        await last.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        (again,) = await last.items("job")
        assert again.attempt == job.attempt + 1
        await last.send(pb.WorkerItem(done=pb.Done(run=run.id, visit="a", attempt=again.attempt, output=b"1")))
        assert (await run.done())["status"] == "COMPLETED"
        for raw in (first, other, last):
            await raw.die()


async def test_a_home_that_has_the_handler_itself_leaves_what_asks_for_labels_to_workers(tmp_path: Path) -> None:
    took: list[str] = []

    @aob.node(name="work", effect="none")
    async def work() -> str:
        took.append("home")
        return "home"

    handlers = SimpleNamespace(work=work)
    nodes = {"a": fn("work"), "b": fn("work", worker={"gpu": "1"})}
    async with aob.open(tmp_path / "alone", app=handlers) as app:
        await app.push(flow("g", nodes, "a>b"))
        run = await app.start("g")
        await comes(lambda: took)
        await comes(lambda: "b" in app.views.core.journal.streams[run.id].state.tokens)
        why = (await app.views.why(app.who, run.id))["sentence"]
        assert "no worker with handler work has gpu=1" in why
    async with aob.open(tmp_path / "alone", app=handlers, grpc_port=0) as app:
        raw = await attached(app, await key_of(app), {"gpu": "1"})
        await raw.send(pb.WorkerItem(want=pb.Want(jobs=1)))
        (job,) = await raw.items("job")
        await raw.send(pb.WorkerItem(done=pb.Done(run=run.id, visit="b", attempt=job.attempt, output=b'"worker"')))
        ended = await app.views.wait(app.who, run.id, 10_000)
        assert (ended["status"], took) == ("COMPLETED", ["home"])
        await raw.die()
