"""Workers of a simulated world: a job's behaviour is drawn from the seed, its run, visit and attempt alone."""

import asyncio
from collections import Counter
from random import Random
from typing import Any, Final, Protocol

from aob.core.value import INLINE_MAX, ROW_MAX, canonical, decode, digest_of
from aob.ports.workers import Done, Fault, Job
from aob.runs.dispatch import Dispatcher
from aob.testing.flows import PURE, random_patch
from aob.testing.world.ledger import Ledger, Thought
from aob.testing.world.options import Options
from aob.work import UNCERTAIN, Context, WorkError
from aob.work.pool import Perform

LATE_REPORTS: Final = 4  # how often a late worker tries to report


class Surroundings(Protocol):
    """The workers' view of their world."""

    seed: int
    options: Options
    ledger: Ledger
    effects: Counter[tuple[str, str, int]]

    def told(self, line: str) -> None:
        """A line of the trace."""

    def wrong(self, rule: str) -> None:
        """Report a broken rule."""


def performer(world: Surroundings, dispatch: Dispatcher) -> Perform:
    """The function that the pool of one process calls for each job."""

    async def perform(job: Job) -> object:
        attempt = _Attempt(world, dispatch, job)
        return await (attempt.think() if job.task.config.handler == PURE else attempt.run())

    return perform


class _Attempt:
    def __init__(self, world: Surroundings, dispatch: Dispatcher, job: Job) -> None:
        self.world, self.dispatch, self.job = world, dispatch, job
        self.dice = Random(f"{world.seed} {job.run} {job.visit} {job.attempt}")
        self.options = world.options
        self.ctx: Context = dispatch.context(job)

    async def run(self) -> Done:
        """One attempt from its beginning to its result."""
        job, dice, options = self.job, self.dice, self.options
        self._committed()
        self.world.told(f"work {job.run} {job.visit} attempt {job.attempt}")
        try:
            await self._pause()
            if dice.random() < options.checkpoint:
                await self.ctx.heartbeat({"at": job.attempt})
            if job.task.spec.effect == "once" or dice.random() < options.acts:
                await self._act()
            if dice.random() < options.proposes:
                await self._propose()
            await self._pause()
            done = self._outcome()
        except (asyncio.CancelledError, WorkError):
            if dice.random() < options.late:
                for _ in range(LATE_REPORTS):
                    self._report_later(Done(self._output(late=True)))
            raise
        if dice.random() < options.duplicate:
            self._report_later(done)
        return done

    async def think(self) -> Done:
        """One attempt of a handler without effect: it may begin before its commit, in a fast run."""
        job, dice, world = self.job, self.dice, self.world
        if job.mode != "fast":
            self._committed()
        world.told(f"think {job.run} {job.visit} attempt {job.attempt}")
        done = None
        try:
            for _ in range(dice.choice([0, 0, 1])):
                await self._pause()
            done = self._outcome()
            thought = Thought(len(world.ledger.thoughts) + 1, numbers(job.input), mark(job.input))
            done.data = canonical({**decode(done.data), "number": thought.number, "mark": thought.mark})
            world.ledger.thoughts[digest_of(done.data)] = thought
            for _ in range(dice.choice([0, 0, 1])):
                await self._pause()
        except asyncio.CancelledError:
            if done is not None:
                self._report_later(done)
            raise
        if dice.random() < self.options.duplicate:
            self._report_later(done)
        return done

    def _committed(self) -> None:
        job, world = self.job, self.world
        for rule in world.ledger.catch_up():
            world.wrong(rule)
        if (job.run, job.visit, job.attempt) not in world.ledger.ready:
            world.wrong(f"{job.run} {job.visit}: attempt {job.attempt} began before its token was committed")

    async def _pause(self) -> None:
        await asyncio.sleep(self.dice.random() * self.options.delay_ms / 1_000)

    async def _act(self) -> None:
        """An effect in the world, under an intent."""
        job, world = self.job, self.world
        effect = job.task.spec.effect
        intended = await self.ctx.intend("effect", {"effect": effect, "visit": job.visit})
        if not intended.granted:
            return
        for rule in world.ledger.catch_up():
            world.wrong(rule)
        if (job.run, job.visit, 1, job.attempt) not in world.ledger.intents:
            world.wrong(f"{job.run} {job.visit} acts and its intent is not committed")
        key = (job.run, job.visit, 1)
        world.effects[key] += 1
        world.told(f"effect {effect} {job.run} {job.visit} attempt {job.attempt}")
        if effect == "once" and world.effects[key] > 1 + world.ledger.repeats[key]:
            world.wrong(f"{job.run} {job.visit}: an effect that happens once has happened {world.effects[key]} times")
        await self._pause()
        if self.dice.random() < self.options.cut_off:
            raise WorkError("the worker died after it acted", code=UNCERTAIN)
        await self.ctx.settle({"acted": job.attempt}, usage={"acts": 1})

    async def _propose(self) -> None:
        told = await self.ctx.graph()
        if told:
            await self.ctx.propose(random_patch(self.dice, told["document"]), "an idea")

    def _outcome(self) -> Done:
        dice, options = self.dice, self.options
        if dice.random() < options.permanent:
            raise WorkError("this will never work", code="never", transient=False)
        if dice.random() < options.transient:
            raise WorkError("not now", code="busy", transient=True, detail={"retry_after_ms": dice.choice([0, 10])})
        if dice.random() < options.large:
            return Done(self._output(blob="x" * dice.choice([INLINE_MAX, ROW_MAX])))
        return Done(self._output())

    def _output(self, **more: Any) -> bytes:
        """Names its attempt, so that the ledger can tell whose result was taken."""
        job = self.job
        return canonical({"n": self.dice.randint(0, 4), "visit": job.visit, "attempt": job.attempt, **more})

    def _report_later(self, result: Done | Fault) -> None:
        """A thread that could not be stopped, or a line that delivers twice."""
        loop = asyncio.get_running_loop()
        wait_s = self.dice.random() * self.options.late_ms / 1_000
        loop.call_later(wait_s, self.dispatch.report, self.job, result)


def numbers(value: Any) -> list[int]:
    """The numbered outputs that an input was made of."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value["number"]] if isinstance(value, dict) and "number" in value else []
    return own + [number for each in inner for number in numbers(each)]


def mark(value: Any) -> str:
    """The mark of the inputs of a run, if an input or a part of it has it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = value.get("mark") if isinstance(value, dict) else None
    return own if isinstance(own, str) and own else next(filter(None, map(mark, inner)), "")
