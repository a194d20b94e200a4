"""A bounded set of processes, one per tenant with queries: a tenant's memory, time or crash affects no other."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aob.backends.duckdb_serving.process import DuckProcess, lost
from aob.backends.duckdb_serving.wire import Begin

PROCESSES_MAX: Final = 4
"""Tenants with a process at the same time. The least recently used one is ended for a new one."""
PROCESS_MB: Final = 1_024  # memory limit of one tenant's process; beyond it an allocation fails, or the process ends


class Processes:
    """The processes by tenant. `folder` None: all in memory. Closing is idempotent."""

    def __init__(self, folder: Path | None, memory_mb: int) -> None:
        self._folder, self._memory_mb = folder, memory_mb
        self._live: dict[str, DuckProcess] = {}
        self._active: set[str] = set()
        self._turns = asyncio.Semaphore(PROCESSES_MAX)
        self._starting = asyncio.Lock()
        self._closed = False
        self.starts = 0

    @contextlib.asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Waits for a slot in order of arrival; while this is entered the tenant keeps its process."""
        async with self._turns:
            self._active.add(tenant)
            if tenant in self._live:
                self._live[tenant] = self._live.pop(tenant)
            try:
                yield
            finally:
                self._active.discard(tenant)

    async def of(self, tenant: str) -> DuckProcess:
        """The process of a tenant, started if it has none. Raises Unavailable `serving_lost`."""
        async with self._starting:
            if self._closed:
                raise lost("the server is stopping")
            process = self._live.get(tenant)
            if process is not None and process.alive:
                return process
            if process is not None:
                await self._ended(tenant, kill=True)
            await self._make_room()
            if self._folder is not None:
                await asyncio.to_thread(self._folder.mkdir, 0o700, parents=True, exist_ok=True)
            process = await DuckProcess.started(Begin(self._path(tenant), self._memory_mb, PROCESS_MB))
            self.starts += 1
            self._live[tenant] = process
            return process

    def running(self) -> list[DuckProcess]:
        """The processes that accept queries."""
        return [process for process in self._live.values() if process.alive]

    async def end_idle(self) -> None:
        """Ends processes of idle tenants."""
        async with self._starting:
            for tenant in list(self._live):
                if tenant not in self._active:
                    await self._ended(tenant)

    async def close(self) -> None:
        """Ends all."""
        self._closed = True
        async with self._starting:
            await asyncio.gather(*(self._ended(tenant) for tenant in list(self._live)))

    async def _make_room(self) -> None:
        for tenant in [tenant for tenant, process in self._live.items() if not process.alive]:
            await self._ended(tenant, kill=True)
        for tenant in [tenant for tenant in self._live if tenant not in self._active]:
            if len(self._live) >= PROCESSES_MAX:
                await self._ended(tenant)

    async def _ended(self, tenant: str, *, kill: bool = False) -> None:
        process = self._live.pop(tenant, None)
        if process is not None:
            await process.end(kill=kill)

    def _path(self, tenant: str) -> str:
        if self._folder is None:
            return ""
        return str(self._folder / f"{hashlib.sha256(tenant.encode()).hexdigest()[:32]}.duckdb")
