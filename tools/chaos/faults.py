"""Faults done to a cluster: processes killed, stopped, without room on the disk or with another time; the way to the
database and to the workers cut, held or slow. Every fault that lasts is taken back."""

import asyncio
import contextlib
import resource
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Self

from aob.testing.proxy import Proxy, Way
from tools.chaos.schedule import Fault
from tools.cluster import Cluster
from tools.cluster.plan import LOOPBACK, Plan
from tools.cluster.process import NotReadyError

COMMIT: Final = b"commit_runs"
"""What a commit of runs looks like on its way to the database."""
ROOM: Final = 512
"""How many bytes a file may have on a disk that counts as full."""
BOTH: Final[tuple[Way, Way]] = ("up", "down")


class Detours:
    """Proxies between the processes: one before the database for each that opens it, one for each worker."""

    def __init__(self) -> None:
        self.databases: dict[str, Proxy] = {}
        self.workers: dict[str, Proxy] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def lay(self, plan: Plan) -> None:
        """Put the proxies into the plan."""
        for name in plan.names():
            if plan.opens_database(name):
                proxy = await self._stack.enter_async_context(Proxy(LOOPBACK, plan.folder.port("postgres")))
                self.databases[name] = proxy
                plan.database_of[name] = f"{LOOPBACK}:{proxy.port}"
            if port := plan.gateway_port(name):
                proxy = await self._stack.enter_async_context(Proxy(LOOPBACK, port))
                self.workers[name] = proxy
                plan.gateway_of[name] = proxy.port


class Faults:
    """Does them. `tell` hears of each as it begins and ends."""

    def __init__(self, cluster: Cluster, detours: Detours, clock: Path, tell: Callable[[str], None]) -> None:
        self._cluster, self._detours, self._clock, self._tell = cluster, detours, clock, tell
        self.done: list[str] = []
        self.missed: list[str] = []
        """What could not be done: the process was away just then."""

    async def do(self, fault: Fault) -> None:
        """Do one, and take it back after its time."""
        self._tell(str(fault))
        act = getattr(self, f"_{fault.kind}")
        done = await act(fault) if not fault.target or fault.target in self._cluster.processes else False
        (self.missed if done is False else self.done).append(str(fault))

    async def _kill(self, fault: Fault) -> bool:
        return self._cluster[fault.target].send(signal.SIGKILL)

    async def _end(self, fault: Fault) -> bool:
        return self._cluster[fault.target].send(signal.SIGTERM)

    async def _kill_owners(self, fault: Fault) -> bool:
        sent = [self._cluster[name].send(signal.SIGKILL) for name in self._cluster.plan.members()]
        return all(sent)

    async def _roll(self, fault: Fault) -> None:
        """End each that owns shards in order, the next one when the one before is there again."""
        for name in self._cluster.plan.members():
            process = self._cluster[name]
            if process.send(signal.SIGTERM):
                await process.ended()
            with contextlib.suppress(NotReadyError):
                await process.ready()

    async def _stop(self, fault: Fault) -> bool:
        process = self._cluster[fault.target]
        born = process.born
        if not process.send(signal.SIGSTOP):
            return False
        await asyncio.sleep(fault.for_s)
        return process.born == born and process.send(signal.SIGCONT)

    _pause = _stop

    async def _full_disk(self, fault: Fault) -> bool:
        tree = _tree(self._cluster[fault.target].pid)
        for pid in tree:
            _room(pid, ROOM)
        await asyncio.sleep(fault.for_s)
        for pid in tree:
            _room(pid, resource.RLIM_INFINITY)
        return bool(tree)

    async def _clock_step(self, fault: Fault) -> None:
        file = self._clock / fault.target
        file.write_text(f"{fault.amount:g}")
        await asyncio.sleep(fault.for_s)
        file.unlink()

    async def _cut_worker(self, fault: Fault) -> None:
        proxy = self._detours.workers[fault.target]
        proxy.cut_after(BOTH[int(fault.amount) % 2], int(fault.amount))

    async def _database_restart(self, fault: Fault) -> bool:
        return self._cluster["postgres"].send(signal.SIGINT)

    async def _database_kill(self, fault: Fault) -> bool:
        return self._cluster["postgres"].send(signal.SIGKILL)

    async def _database_away(self, fault: Fault) -> None:
        for proxy in self._detours.databases.values():
            proxy.refusing = True
            proxy.cut()
        await asyncio.sleep(fault.for_s)
        for proxy in self._detours.databases.values():
            proxy.refusing = False

    async def _database_slow(self, fault: Fault) -> None:
        for proxy in self._detours.databases.values():
            proxy.delay_s = dict.fromkeys(BOTH, fault.amount)
        await asyncio.sleep(fault.for_s)
        for proxy in self._detours.databases.values():
            proxy.delay_s = dict.fromkeys(BOTH, 0.0)

    async def _database_silent(self, fault: Fault) -> None:
        proxy = self._detours.databases[fault.target]
        proxy.hold("down")
        await asyncio.sleep(fault.for_s)
        proxy.release()

    async def _commit_cut(self, fault: Fault) -> None:
        proxy = self._detours.databases[fault.target]
        proxy.watch = Commits(int(fault.amount)).watch


class Commits:
    """Cuts the way to the database in a commit: an even number cuts before the server has it, an odd one before its
    answer is back, after `number // 2` others."""

    def __init__(self, number: int) -> None:
        self._left, self._answer = number // 2, bool(number % 2)
        self._asked = self._over = False

    def watch(self, way: Way, chunk: bytes) -> bool:
        """Whether to cut before this chunk goes through."""
        if self._over:
            return False
        if way == "up" and COMMIT in chunk:
            self._left -= 1
            self._asked = self._left < 0
            self._over = self._asked and not self._answer
            return self._over
        self._over = way == "down" and self._asked
        return self._over


def _tree(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid] if pid else []
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def _room(pid: int, size: int) -> None:
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
