"""One life of a shard with agents, and the list of its running jobs, which outlives it."""

import asyncio
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from aob.compose.agents import PausedAgents, agent_laws, make_agents
from aob.compose.layout.place import Place
from aob.core.policy import PatchRules
from aob.ports.pages import OwnedPages
from aob.ports.store import Store
from aob.ports.workers import Done
from aob.runs import Ambient, Core
from aob.testing.world.store import SimStore, SpoiltPages
from aob.work.handlers import HandlerTable
from aob.work.pool import Running
from aob.work.visit_logs import Logs
from tests.sim.live_moves import Killed


class AtWork(Running):
    """The list of running jobs of a shard, as it outlives its process: in memory."""

    def __init__(self, before: "AtWork | None") -> None:
        data = bytes(before._map) if before is not None else bytes(512 * 65)
        self._map = bytearray(data)
        self.crashed = before is not None
        slots = (data[at : at + 512] for at in range(512, len(data), 512))
        self.before = frozenset(slot[: slot.index(10)] for slot in slots if slot[0] not in (0, 10) and 10 in slot)
        self.holders = {}
        self._free = list(range(512, len(data), 512))


class Owner:
    """One life of a shard's owner."""

    def __init__(self, world: Any, shard: int, before: AtWork | None) -> None:
        self.context, self.shard = world.lives.begin(), shard
        self.life, self.up, self.world = world.lives.count, False, world
        sim = SimStore(world.stores[shard], Random(f"{world.seed} store {self.life}"), world.options, world.told)
        self.sim = sim
        kill, fail = lambda: world.kill(self), lambda: None
        self.store = Killed(cast(Any, sim), Random(f"{world.seed} kills {self.life}"), world.rate, kill, fail)
        self.running = AtWork(before)
        handlers = HandlerTable()
        handlers.agents = world.agents
        law, *more = agent_laws(handlers)
        self.core = Core(
            cast(Store, self.store), world.blobs, {}, lambda dispatch: self._performed, place=lambda job: "loop",
            rules=PatchRules(), ambient=Ambient(world.now_ms, world.dice.getrandbits), concurrency=16,
            logs=Logs(Path("never-written"), world.now_ms), laws=[law, *more], running=self.running,
        )  # fmt: skip
        no: Any = None
        paused: Any = PausedAgents(no)
        paused.has = lambda tenant, name: name in world.paused
        tools: Any = SimpleNamespace(telemetry=None)
        self.agents = make_agents(self.core, law, handlers, tools, world.topics, no, paused, lambda: True)
        self.core.others = self.agents
        self.core.journal.shard, self.core.journal.post = shard, world.line.post
        pages = SpoiltPages(world.pages[shard], Random(f"{world.seed} pages {self.life}"), world.options.page_spoilt)
        self.core.journal.keep_pages(OwnedPages(pages))
        self.place: Place

    def wake(self) -> None:
        """Its agents look what they may read."""
        self.agents.look()

    async def _performed(self, job: Any) -> Any:
        """A job, and sometimes what a late worker says of it."""
        dice, options = Random(f"{self.world.seed} {job.key} {job.attempt} late"), self.world.options
        loop, agents = asyncio.get_running_loop(), self.agents
        result = await agents.performed(job)
        if dice.random() < options.duplicate / 2:
            loop.call_later(dice.random() * options.late_ms / 1_000, agents.report, job, Done(b"null"))
        return result
