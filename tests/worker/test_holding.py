"""What a worker holds, against a model of its server: streams are cut at any moment, what was under way is lost, and in
the end each job has exactly one answer and each request has happened once."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("grpc")

from aob.rpc import worker_pb2 as pb
from aob.worker import Holding
from aob.worker.holding import UNACKED, Held
from tests.worker.model import Home

SLOTS = 3


class Handlers:
    """What the holding has begun, until the script finishes it."""

    def __init__(self, holding: Holding) -> None:
        self.running: list[Held] = []
        self.begun: list[tuple[str, str, int]] = []
        self.asking: dict[tuple[str, str, int], list[asyncio.Task[Any]]] = {}
        self._holding = holding
        holding.performer = self

    def begin(self, held: Held) -> None:
        self.running.append(held)
        self.begun.append(held.key)

    def end(self, held: Held) -> None:
        if held in self.running:
            self.running.remove(held)
        self._holding.finish(held, answer(held, failed=True))

    def drop(self, held: Held) -> None:
        if held in self.running:
            self.running.remove(held)


def answer(held: Held, *, failed: bool = False) -> pb.WorkerItem:
    run, visit, attempt = held.key
    if failed:
        return pb.WorkerItem(fail=pb.Fail(run=run, visit=visit, attempt=attempt, code="cancelled"))
    return pb.WorkerItem(done=pb.Done(run=run, visit=visit, attempt=attempt, output=b"1"))


async def turns(count: int = 4) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Line:
    """The stream between both, which may be cut."""

    def __init__(self, home: Home, holding: Holding) -> None:
        self.home, self.holding = home, holding
        self.open()

    def open(self) -> None:
        self.home.anew()
        self.number, self.out, hello = self.holding.opens()
        self.home.from_worker.append(hello)

    def up(self, most: int = 1_000) -> int:
        while not self.out.empty():
            items = self.out.get()
            assert items is not None
            self.home.from_worker.extend(items)
        count = 0
        while self.home.from_worker and count < most:
            self.home.takes(self.home.from_worker.popleft())
            count += 1
        return count

    def down(self, most: int = 1_000) -> int:
        items = [self.home.to_worker.popleft() for _ in range(min(most, len(self.home.to_worker)))]
        if items:
            self.holding.arrives(self.number, pb.ServerFrame(items=items))
        return len(items)

    async def settled(self) -> None:
        """Lets everything arrive that is under way."""
        while True:
            await turns()
            if not self.up() + self.down():
                await turns()
                if not self.up() + self.down():
                    return


async def lives(seed: int) -> None:
    dice = random.Random(seed)
    home, holding = Home(), Holding(pb.Hello(worker="w", slots=SLOTS), asyncio.get_running_loop())
    handlers = Handlers(holding)
    line = Line(home, holding)
    waiting: list[asyncio.Task[Any]] = []
    settled: dict[tuple[str, str, int], set[int]] = {}

    async def settles(held: Held, number: int) -> None:
        run, visit, attempt = held.key
        await holding.ask(held, lambda ask: pb.WorkerItem(
            settle=pb.Settle(run=run, visit=visit, attempt=attempt, ask=ask, number=number)))  # fmt: skip
        settled.setdefault(held.key, set()).add(number)

    for step in range(dice.randint(20, 120)):
        match dice.choice(["up", "up", "down", "down", "give", "give", "finish", "ask", "cut", "cancel", "turn"]):
            case "up":
                line.up(dice.randint(1, 4))
            case "down":
                line.down(dice.randint(1, 4))
            case "give":
                home.give()
            case "finish" if handlers.running:
                held = handlers.running.pop(dice.randrange(len(handlers.running)))
                holding.finish(held, answer(held))
            case "ask" if handlers.running:
                held = dice.choice(handlers.running)
                waiting.append(asyncio.create_task(settles(held, step)))
            case "cut":
                line.open()
            case "cancel":
                home.cancel(dice)
            case _:
                await turns()
        assert holding.running <= SLOTS
    drains = dice.random() < 0.5
    if drains:
        holding.drain()
    for _ in range(1_000):
        await line.settled()
        if not handlers.running and not home.open(drains):
            break
        if handlers.running:
            held = handlers.running.pop()
            holding.finish(held, answer(held))
    await line.settled()
    assert not home.open(drains), "a job has no answer"
    assert all(len(kinds) == 1 for kinds in home.answers.values())
    assert len(handlers.begun) == len(set(handlers.begun)), "a job was begun twice"
    assert holding.running == 0
    assert not holding.unfinished()
    assert await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60) is not None
    for key, numbers in settled.items():
        assert numbers <= home.asked.get(key, set())


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_each_job_has_one_answer_and_each_request_happens_wherever_the_stream_is_cut(seed: int) -> None:
    asyncio.run(lives(seed))


async def test_what_comes_from_an_earlier_stream_is_ignored() -> None:
    holding = Holding(pb.Hello(worker="w", slots=SLOTS), asyncio.get_running_loop())
    handlers = Handlers(holding)
    first, _, _ = holding.opens()
    holding.arrives(first, pb.ServerFrame(items=[pb.ServerItem(job=pb.Job(run="r", visit="v", attempt=1))]))
    holding.opens()  # its Hello does not list the job: the server gives it to somebody else
    await turns()
    assert handlers.begun == []


async def test_an_ack_of_what_has_no_result_yet_ends_nothing() -> None:
    home, holding = Home(), Holding(pb.Hello(worker="w", slots=SLOTS), asyncio.get_running_loop())
    handlers, line = Handlers(holding), Line(home, holding)
    await line.settled()
    home.give()
    await line.settled()
    (held,) = handlers.running
    ack = pb.Ack(run=held.key[0], visit=held.key[1], attempt=held.key[2])
    holding.arrives(line.number, pb.ServerFrame(items=[pb.ServerItem(ack=ack)]))
    await turns()
    assert (holding.of(*held.key), holding.running) == (held, 1)
    holding.finish(held, answer(held))
    await line.settled()
    assert (home.answers, holding.of(*held.key)) == ({held.key: ["done"]}, None)


async def test_a_newer_attempt_of_a_visit_ends_the_one_before_it_which_still_has_its_answer() -> None:
    home, holding = Home(), Holding(pb.Hello(worker="w", slots=SLOTS), asyncio.get_running_loop())
    handlers, line = Handlers(holding), Line(home, holding)
    await line.settled()
    for attempt in (1, 2):
        job = pb.Job(run="r", visit="v", attempt=attempt)
        holding.arrives(line.number, pb.ServerFrame(items=[pb.ServerItem(job=job)]))
        await turns()
    assert handlers.begun == [("r", "v", 1), ("r", "v", 2)]
    assert [held.key for held in handlers.running] == [("r", "v", 2)]
    assert [held.key for held in holding.unfinished()] == [("r", "v", 2)]
    before = holding.of("r", "v", 1)
    assert before is not None
    assert before.result is not None
    assert before.result.WhichOneof("item") == "fail"


async def test_a_worker_with_many_results_that_nobody_acknowledges_asks_for_no_more_jobs() -> None:
    holding, wants = Holding(pb.Hello(worker="w", slots=SLOTS), asyncio.get_running_loop()), 0
    handlers = Handlers(holding)
    number, out, _ = holding.opens()
    holding.arrives(number, pb.ServerFrame(items=[pb.ServerItem(welcome=pb.Welcome(lease_ms=30_000))]))
    for run in range(10 * SLOTS):
        await turns()
        while not out.empty():
            wants += sum(item.want.jobs for item in out.get() or () if item.WhichOneof("item") == "want")
        if run == wants:
            break
        holding.arrives(number, pb.ServerFrame(items=[pb.ServerItem(job=pb.Job(run=f"r{run}", visit="v", attempt=1))]))
        await turns()
        held = handlers.running.pop()
        holding.finish(held, answer(held))
    assert UNACKED * SLOTS < wants <= (UNACKED + 1) * SLOTS


async def test_a_worker_that_drains_gives_back_what_comes_and_is_empty_after_the_last_ack() -> None:
    home, holding = Home(), Holding(pb.Hello(worker="w", slots=SLOTS), asyncio.get_running_loop())
    handlers, line = Handlers(holding), Line(home, holding)
    await line.settled()
    home.give()
    await line.settled()
    home.give()
    holding.drain()
    await line.settled()
    assert home.answers == {("r", "v2", 1): ["decline"]}
    assert not holding.empty.is_set()
    held = handlers.running.pop()
    holding.finish(held, answer(held))
    await line.settled()
    assert home.answers["r", "v1", 1] == ["done"]
    assert holding.empty.is_set()


async def test_a_job_that_is_dropped_is_stopped_and_its_requests_are_over() -> None:
    home, holding = Home(), Holding(pb.Hello(worker="w", slots=SLOTS), asyncio.get_running_loop())
    handlers, line = Handlers(holding), Line(home, holding)
    await line.settled()
    home.give()
    await line.settled()
    held = handlers.running[0]
    asked = asyncio.create_task(holding.ask(held, lambda ask: pb.WorkerItem(graph=pb.Graph(ask=ask))))
    await turns()
    home.leased.clear()  # lost, and given to somebody else
    line.open()
    await line.settled()
    assert handlers.running == []
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert holding.counts.dropped == 1


async def test_a_pause_that_each_process_of_a_cluster_tells_is_told_once() -> None:
    holding, told = Holding(pb.Hello(slots=SLOTS), asyncio.get_running_loop()), list[tuple[str, bool]]()
    holding.paused = lambda handler, paused: told.append((handler, paused))
    for _ in range(2):  # a new stream is told anew
        number, *_ = holding.opens()
        for paused in (True, True, False, False, False):
            item = pb.ServerItem(pause=pb.Pause(handler="ship", paused=paused))
            holding.arrives(number, pb.ServerFrame(items=[item]))
        await turns()
    assert told == [("ship", True), ("ship", False)] * 2
