"""The agents of the world: what each does with a record is drawn from the seed, its name and the id of the record
alone, so that the rules know it too; whether an attempt fails is drawn for each."""

import asyncio
from collections import Counter, defaultdict
from random import Random
from types import SimpleNamespace
from typing import Any, Final, Protocol

import msgspec

import aob
from aob.work import WorkError
from aob.work.topic_agents import Agent, scan_agents

KEYS: Final = tuple(f"k{number}" for number in range(7))
TOPICS: Final = ("in", "mid", "asks", "out")
DEPTH: Final = 4  # records of this depth are answered by no others
ATTEMPTS: Final = 4


class World(Protocol):
    """What agents see of their world."""

    seed: int
    deeds: "Deeds"
    options: Any

    def say(self, *rules: str) -> None: ...

    def told(self, line: str) -> None: ...

    async def life_of(self, journal: Any) -> int: ...


class Plan(msgspec.Struct, frozen=True):
    """What an agent does with a record. `outputs` are topics and keys of what it emits; `asks` is whom it asks about
    which key; `later` are the names of reminders that it sets."""

    poison: bool
    acts: int
    asks: str
    outputs: tuple[tuple[str, str], ...]
    later: tuple[str, ...]
    large: bool


def plan_of(seed: int, agent: str, id: str, topic: str, depth: int) -> Plan:
    """The plan of a record."""
    dice = Random(f"{seed} {agent} {id}")
    poison = dice.random() < 0.06
    acts = dice.choice([0, 0, 1, 1, 2])
    asks = dice.choice(KEYS) if agent == "splits" and dice.random() < 0.3 else ""
    sends = {"splits": ("mid", "out"), "pays": ("in", "out"), "answers": ("out",)}[agent]
    count = dice.choice([0, 1, 1, 2]) if depth < DEPTH and topic != "reminder" else 0
    outputs = tuple((dice.choice(sends), dice.choice(KEYS)) for _ in range(count))
    later = tuple(dice.choice(["", "soon"]) for _ in range(dice.choice([0, 0, 0, 1, 2])))
    return Plan(poison, acts, asks, outputs, later if topic != "reminder" else (), dice.random() < 0.04)


class Deeds:
    """What has happened outside: it survives every crash. `acted` are the lives that did an effect."""

    def __init__(self) -> None:
        self.acted: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.settled: set[tuple[str, int]] = set()
        self.held: set[tuple[int, str, str]] = set()
        self.met: Counter[str] = Counter()


def agents_of(world: World) -> dict[str, Agent]:
    """The agents, as an application has them."""

    @aob.agent(consumes=["in"], produces=["mid", "out"], attempts=ATTEMPTS, backoff="200ms", backoff_max="2s",
               on_uncertain="repeat", concurrency=3)  # fmt: skip
    async def splits(record: Any, ctx: Any) -> None:
        await _Handling(world, record, ctx).done()

    @aob.agent(consumes=["mid"], produces=["in", "out"], attempts=ATTEMPTS, backoff="10ms", on_uncertain="fail")
    async def pays(record: Any, ctx: Any) -> None:
        await _Handling(world, record, ctx).done()

    @aob.agent(consumes=["asks", "mid"], produces=["out"], attempts=ATTEMPTS, backoff="50ms", on_uncertain="fail",
               concurrency=2)  # fmt: skip
    async def answers(record: Any, ctx: Any) -> None:
        await _Handling(world, record, ctx).done()

    found = scan_agents(SimpleNamespace(splits=splits, pays=pays, answers=answers))
    parks = msgspec.structs.replace(found["pays"].rules, on_poison="park")
    return found | {"pays": msgspec.structs.replace(found["pays"], rules=parks)}


class _Handling:
    """One attempt."""

    def __init__(self, world: World, record: Any, ctx: Any) -> None:
        self.world, self.record, self.ctx = world, record, ctx
        self.plan = plan_of(world.seed, ctx.agent, record.id, record.topic, record.depth)
        self.dice = Random(f"{world.seed} {ctx.idempotency} {ctx.attempt}")
        self.place = 0, ctx.agent, ctx.key

    async def done(self) -> None:
        """From its beginning to its end."""
        world, held = self.world, self.world.deeds.held
        await asyncio.sleep(1e-4)  # what this key's other handling was cancelled for has ended by then
        self.place = await world.life_of(self.ctx._journal), self.ctx.agent, self.ctx.key
        world.told(f"work {self.ctx.idempotency} attempt {self.ctx.attempt} in life {self.place[0]}")
        if self.place in held:
            world.say(f"{self.place[1:]} is handled twice at the same time")
        held.add(self.place)
        try:
            await self._work()
        finally:
            held.discard(self.place)
            world.told(f"over {self.ctx.idempotency} attempt {self.ctx.attempt}")

    async def _work(self) -> None:
        ctx, plan, dice, met = self.ctx, self.plan, self.dice, self.world.deeds.met
        await self._pause()
        if dice.random() < 0.1:
            await ctx.heartbeat({"attempt": ctx.attempt})
        for number in range(plan.acts):
            await self._act(number)
        if plan.poison:
            met["poison"] += 1
            raise WorkError("this will never work", code="never", transient=False)
        if plan.asks:
            met["asks"] += 1
            told = await ctx.ask("answers", plan.asks, {"of": self.record.id}, timeout="60s")
            if told != {"said": self.record.id}:
                self.world.say(f"{self.record.id} has asked and was told {told}")
        if dice.random() < self.world.options.transient / 2:
            met["transient"] += 1
            raise WorkError("not now", code="busy")
        for at, (topic, key) in enumerate(plan.outputs):
            ctx.emit(topic, "made", {"of": self.record.id, "n": at}, subject=key)
        for name in plan.later:
            ctx.later(dice.choice(["50ms", "3s"]), {"of": self.record.id}, name=name)
        if self.record.type == "ask":
            ctx.reply({"said": self.record.data["of"]})
        ids = [*(ctx.state or {"ids": []})["ids"], self.record.id]
        ctx.set_state({"ids": ids, "pad": "x" * 70_000 if plan.large else ""})
        await self._pause()

    async def _act(self, number: int) -> None:
        """An effect outside, under an intent."""
        ctx, world = self.ctx, self.world
        intended = await ctx.intend("act", {"n": number})
        if not intended.granted:
            return
        lives = world.deeds.acted[ctx._job.run + "/" + ctx._job.visit, number]
        if lives and (ctx.agent != "splits" or self.place[0] in lives):
            world.say(f"{ctx.idempotency} acts {number} in life {self.place[0]}, and did in {lives}")
        if (ctx.idempotency, number) in world.deeds.settled:
            world.say(f"{ctx.idempotency} acts {number} again, and its result was kept")
        lives.append(self.place[0])
        world.told(f"effect {number} of {ctx.idempotency} attempt {ctx.attempt}")
        await self._pause()
        await ctx.settle({"by": ctx.attempt})
        world.deeds.settled.add((ctx.idempotency, number))

    async def _pause(self) -> None:
        await asyncio.sleep(self.dice.choice([0.0, 0.0, 0.1, 2.0]) * self.dice.random())
        await self.world.life_of(self.ctx._journal)
