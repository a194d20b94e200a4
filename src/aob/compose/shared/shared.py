"""What all shards of one process share: handlers, tools of work and their limits, blobs, topics, logs, HTTP clients,
the page of marks, the watch over the disk. Made once for a process, before its first shard."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from aob.backends.marks_page import MarksPage
from aob.compose.deferred import DeferredLog, DeferredReader
from aob.compose.files import Room, opened
from aob.compose.parts import make_tools, open_blobs, open_log
from aob.compose.settings import Settings
from aob.compose.shared.clock import Clock, now_ms
from aob.ports.blobs import Blobs
from aob.ports.log import Log
from aob.runs import Core
from aob.work import HandlerTable, Logs
from aob.work.pool import Limits
from aob.work.tools import Tools


class Shared(NamedTuple):
    """The parts. `cores` are the running shards, in the order in which they were opened; `log` and `reader` are
    provided once by whoever has the gate and the numbers."""

    home: Path
    settings: Settings
    handlers: HandlerTable
    page: MarksPage
    blobs: Blobs
    logs: Logs
    log: DeferredLog
    reader: DeferredReader
    tools: Tools
    topics: Log
    room: Room
    limits: Limits
    cores: list[Core]

    def holds(self, core: Core) -> None:
        """A shard is opened here."""
        self.cores.append(core)
        self.room.writes.append(core.journal)

    def gave_up(self, core: Core) -> None:
        """A shard is closed. Idempotent."""
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
    stack: AsyncExitStack, home: Path, settings: Settings, handlers: HandlerTable, shards: int, partitions: int
) -> Shared:
    """Make and enter the parts, for a home of so many shards."""
    page = stack.enter_context(opened(home, shards))
    blobs = open_blobs(settings, home)
    logs = Logs(home / "logs", now_ms)
    stack.callback(logs.close)
    cores = list[Core]()
    clock = Clock(cores, now_ms)
    log, reader = DeferredLog(), DeferredReader()
    tools = await make_tools(stack, settings, home, handlers, blobs, clock, log, reader, partitions)
    topics = open_log(settings, home, clock, page, partitions)
    stack.push_async_callback(topics.close)
    room = Room(home, page, [])
    stack.callback(asyncio.create_task(room.watch(), name="aob-room").cancel)
    return Shared(
        home, settings, handlers, page, blobs, logs, log, reader, tools, topics, room, Limits(settings.concurrency),
        cores,
    )  # fmt: skip
