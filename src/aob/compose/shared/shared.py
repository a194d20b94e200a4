"""What all shards of one process share: handlers, tools of work and their limits, storage, blobs, topics, logs, HTTP
clients, the watch over the disk. Made once for a process, before its first shard."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from aob.compose.agents import PausedAgents
from aob.compose.cluster import Right
from aob.compose.deferred import DeferredLog, DeferredReader
from aob.compose.files import Room, opened
from aob.compose.handlers import DeclaredHandlers, PausedHandlers
from aob.compose.live_settings import NAME, LiveSettings, stated
from aob.compose.logging import open_telemetry
from aob.compose.parts import make_tools
from aob.compose.secrets import HomeSecrets, home_secrets
from aob.compose.settings import Settings
from aob.compose.shared.clock import Clock, now_ms
from aob.compose.storage import Claim, Files, Following, InDatabase, Storage
from aob.compose.topics import HomeTopics
from aob.compose.workers import Gateway, queues_of, workers_of
from aob.core.answers import JsonObject
from aob.core.attached import FrontStatus
from aob.ports.blobs import Blobs
from aob.ports.telemetry import Telemetry
from aob.ports.visit_logs import VisitLogs
from aob.runs import Core
from aob.work import HandlerTable
from aob.work.pool import Limits
from aob.work.tools import Tools


class Shared(NamedTuple):
    """The parts. `cores` are the running shards, in the order in which they were opened; `log` and `reader` are
    provided once by whoever has the gate and the numbers; `topics` are served by whoever knows the shards."""

    home: Path
    settings: Settings
    handlers: HandlerTable
    storage: Storage
    blobs: Blobs
    logs: VisitLogs
    log: DeferredLog
    reader: DeferredReader
    tools: Tools
    topics: HomeTopics
    room: Room
    limits: Limits
    cores: list[Core]
    secrets: HomeSecrets
    paused: PausedHandlers
    paused_agents: PausedAgents
    following: Following
    live: LiveSettings
    telemetry: Telemetry
    fronts: list[Callable[[], list[FrontStatus]]]  # who asks this process for others, by each port that it is asked at
    gateway: Gateway | None = None  # where workers of other processes come to; only the main process has one

    @property
    def claim(self) -> Claim | None:
        """By what this process holds a home in a database."""
        return self.storage.claim if isinstance(self.storage, InDatabase) else None

    @property
    def right(self) -> Right | None:
        """By what it has every shard of one; None for a home in files, and for a process that has a part of the
        shards."""
        claim = self.claim
        return None if claim is None else Right(claim.tenure, claim.permit, claim.clock)

    async def cut_off(self) -> None:
        """Another process has the home: what is at work here ends at once."""
        await asyncio.gather(*(core.pool.stop(0.0) for core in self.cores))

    def holds(self, core: Core, stack: AsyncExitStack) -> None:
        """A shard is opened here, until the stack is left."""
        stack.callback(self.gave_up, core)
        self.cores.append(core)
        core.dispatch.pause(self.paused.names)
        self.room.writes.append(core.journal)

    def attached(self) -> JsonObject:
        """What is attached to this process."""
        fronts = [each for told in self.fronts for each in told()]
        return {"workers": workers_of(self.gateway), "queues": queues_of(self.gateway), "fronts": fronts}

    def gave_up(self, core: Core) -> None:
        """A shard is closed. Idempotent."""
        self.paused_agents.leaves(core.others)
        if core in self.cores:
            self.cores.remove(core)
            self.room.writes.remove(core.journal)

    def continued(self) -> None:
        """This process was stopped and continues."""
        for core in self.cores:
            core.pool.continued()

    def written(self) -> int:
        """A number that grows with the commits of all shards here."""
        return sum(core.journal.row for core in self.cores)


async def share(
    stack: AsyncExitStack, home: Path, settings: Settings, handlers: HandlerTable, shards: int, partitions: int,
    database: InDatabase | None = None, *, states: bool = True,
) -> Shared:  # fmt: skip
    """Make and enter the parts, for a home of so many shards in its files, or in a database. Raises Conflict
    `settings_differ` when this process states other settings than all share; not for one that `states` none itself."""
    page = stack.enter_context(opened(home, 0 if database is not None else shards))
    storage: Storage = database.with_files(page) if database is not None else Files(home, settings, page)
    secrets = await home_secrets(home, settings, storage)
    following = Following(storage.records())
    live = LiveSettings(settings, stated(home, settings, os.environ) if states else {})
    if secrets.stored is not None:
        following.hears.append(secrets.stored.refresh)
    cores = list[Core]()
    paused = PausedHandlers(following.records, cores)
    resting = PausedAgents(following.records)
    declared = DeclaredHandlers(following.records, handlers.facts)
    following.hears += [paused.refresh, declared.refresh, resting.refresh]
    following.hears.append(partial(_settings, following, live))
    await following.look()
    stack.callback(asyncio.create_task(following.run(), name="aob-records").cancel)
    stack.callback(asyncio.create_task(declared.later.run(), name="aob-declared").cancel)
    stack.callback(asyncio.create_task(resting.later.run(), name="aob-paused-agents").cancel)
    blobs = storage.blobs()
    logs = await stack.enter_async_context(storage.logs(now_ms))
    clock = Clock(cores, now_ms)
    log, reader = DeferredLog(), DeferredReader()
    telemetry = open_telemetry()
    stack.push_async_callback(telemetry.close)
    tools = await make_tools(stack, live, home, handlers, blobs, clock, log, reader, partitions, secrets.vault)
    tools = msgspec.structs.replace(tools, telemetry=telemetry)
    room = Room(home, page, [])
    stack.callback(asyncio.create_task(room.watch(), name="aob-room").cancel)
    return Shared(
        home, settings, handlers, storage, blobs, logs, log, reader, tools, HomeTopics(), room,
        Limits(settings.concurrency), cores, secrets, paused, resting, following, live, telemetry, [],
    )  # fmt: skip


async def _settings(following: Following, live: LiveSettings) -> None:
    live.take(await following.records.read(NAME))
