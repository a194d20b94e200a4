"""The server's end of the DuckDB processes: a bounded set, one per tenant with queries, so that a tenant's memory, time
or crash affects no other. When one dies all its callers get an error."""

import asyncio
import contextlib
import hashlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.duckdb_serving.wire import (
    FRAME_BYTES_MAX,
    HEAD,
    Begin,
    Fault,
    Message,
    Reply,
    Said,
    Sent,
    Stop,
    error_of,
    framed,
)
from aob.core.errors import Unavailable

START_S: Final = 20.0  # how long it may take to be ready
END_S: Final = 2.0  # how long it may take to end by itself
RETRY_S: Final = 1.0
PROCESSES_MAX: Final = 4
"""Tenants with a process at the same time. The least recently used one is ended for a new one."""
PROCESS_MB: Final = 1_024  # memory limit of one tenant's process; beyond it an allocation fails, or the process ends


class DuckProcess:
    """One instance of the process. Created by `started`; `end` is idempotent."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._last = 0
        self._spent = False
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def started(cls, begin: Begin) -> "DuckProcess":
        """Starts it and waits until it is ready. Raises Unavailable `serving_lost`."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "aob.backends.duckdb_serving", stdin=PIPE, stdout=PIPE
            )
        except OSError as error:
            raise lost(f"the process of SQL cannot be started: {error}") from error
        made = cls(process)
        try:
            await made.call(begin, START_S)
        except BaseException:
            await made.end(kill=True)
            raise
        return made

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still accepts messages."""
        return not self._spent and not self._reading.done()

    async def call(self, message: Message, limit_s: float) -> Reply:
        """Sends a message and waits for its reply. Raises the error of the reply, Unavailable `serving_lost` when the
        process dies, TimeoutError after `limit_s`. Cancelling the call interrupts its statement."""
        if not self.alive or self._process.stdin is None:
            raise lost("the process of SQL has ended")
        self._last += 1
        id, future = self._last, asyncio.get_running_loop().create_future()
        self._waiting[id] = future
        try:
            self._process.stdin.write(framed(Sent(id, message)))
            async with asyncio.timeout(limit_s):
                await self._process.stdin.drain()
                reply: Reply = await future
        except asyncio.CancelledError:
            with contextlib.suppress(OSError, RuntimeError):
                self._process.stdin.write(framed(Sent(0, Stop(id))))
            raise
        except (OSError, RuntimeError) as error:  # uvloop says RuntimeError of a pipe that was closed meanwhile
            if isinstance(error, TimeoutError):
                raise
            raise lost("the process of SQL has ended") from error
        finally:
            self._waiting.pop(id, None)
        if isinstance(reply, Fault):
            raise error_of(reply)
        return reply

    async def end(self, *, kill: bool = False) -> None:
        """Lets it end, or kills it."""
        process = self._process
        if not kill and process.stdin is not None:
            process.stdin.close()
        if process.returncode is None and (not kill or self._reading.done()):  # it is ending or has ended
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await process.wait()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        await asyncio.gather(self._reading, return_exceptions=True)
        if process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(OSError):
                await process.stdin.wait_closed()

    async def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        try:
            while True:
                size = HEAD.unpack(await pipe.readexactly(HEAD.size))[0]
                if size > FRAME_BYTES_MAX:
                    return
                said = msgspec.msgpack.decode(await pipe.readexactly(size), type=Said)
                self._spent = self._spent or said.last
                future = self._waiting.pop(said.id, None)
                if future is not None and not future.done():
                    future.set_result(said.reply)
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
            return
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(lost("the process of SQL died while it answered"))
            self._waiting.clear()


def lost(detail: str) -> Unavailable:
    """The error of a process that has died. The next query starts it again."""
    return Unavailable(detail, code="serving_lost", hint="ask again: it is started again", retry_after_s=RETRY_S)


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
