"""A shard owned by another process: started, watched, restarted with growing pauses, and ended with this one."""

import asyncio
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from aob.compose.layout import Layout
from aob.compose.loop import end_tasks
from aob.compose.wire import DOWN, LOST, RETRY_S, Answer, Channel, Wire
from aob.core.errors import AobError, Unavailable
from aob.core.opening import Opening
from aob.core.policy import Caller
from aob.ports.logger import Logger

PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 5.0
STEADY_S: Final = 30.0  # an owner that lived this long is restarted with the first pause
LINGER_S: Final = 2.0  # how long a process may live on without its wire
STOP_S: Final = 20.0  # how long an owner may take to write its last cut

log: Final = Logger("aob.compose")


class Hello(msgspec.Struct):
    """The first request: which shard of which home, its layout, settings and handlers. `path` is Python's module search
    path."""

    home: str
    shard: int
    settings: dict[str, Any]
    app: list[str]
    path: list[str]
    layout: Layout


class OwnedShard:
    """One shard owned by another process. `answer` serves its requests to the main process; `moved` is called each time
    it reports its opening's progress."""

    owned = True

    def __init__(self, hello: Hello, answer: Answer, moved: Callable[[], None] = lambda: None) -> None:
        self.number = hello.shard
        self.pid = 0
        self.opening = Opening()
        self._hello, self._answer, self._moved = hello, answer, moved
        self._process: Process | None = None
        self._channel: Channel | None = None
        self._up = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._error: AobError | None = None

    @property
    def up(self) -> bool:
        return self._up.is_set() and self._channel is not None and not self._channel.ended.is_set()

    @property
    def state(self) -> str:
        if self.up:
            return "ok"
        return "starting" if self._error is None else f"{self._error.code}: {self._error.detail}"

    async def __aenter__(self) -> "OwnedShard":
        await self._launch()
        self._watching = asyncio.create_task(self._watch(), name=f"aob-owner-{self.number}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(self._watching)
        if self._channel is not None:
            self._channel.stop()
        await self._reap(STOP_S)

    async def ready(self) -> None:
        while not self.up:
            await self._up.wait()
            await asyncio.sleep(0)  # the watcher may not have noticed yet that it ended

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb. Raises the owner's error, Unavailable `shard_down` or `shard_lost`."""
        return await self._open().call(verb, who, *args, **named)

    def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a streaming verb. Raises as `call` does."""
        return self._open().stream(verb, who, *args, **named)

    def _open(self) -> Channel:
        if not self.up or self._channel is None:
            raise Unavailable(
                f"shard {self.number} is being started again",
                code=DOWN,
                hint="ask again in a moment; GET /v1/health says how it is",
                shard=self.number,
                retry_after_s=RETRY_S,
            )
        return self._channel

    # -- its process ------------------------------------------------------------------------------------------------

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            handle = theirs.fileno()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "aob.compose.shards", str(handle), pass_fds=(handle,), stdin=DEVNULL
            )
        self._channel = Channel(await Wire.over(ours), self.number, self._answer)
        self._channel.told = self._told
        try:
            self.pid = await self._channel.open(self._hello)
        except BaseException as error:
            await self._channel.close()
            await self._reap(LINGER_S)
            if isinstance(error, Unavailable) and error.code == LOST:
                raise Unavailable(
                    f"the process of shard {self.number} ended before it was ready", code="shard_failed",
                    hint="its own lines above say why",
                ) from error  # fmt: skip
            raise
        self._error = None
        self._up.set()

    def _told(self, opening: Opening) -> None:
        self.opening = opening
        self._moved()

    async def _watch(self) -> None:
        pause_s = PAUSE_FIRST_S
        while True:
            since = time.monotonic()
            assert self._channel is not None
            await self._channel.ended.wait()
            self._up.clear()
            status = await self._reap(LINGER_S)
            log.warning("owner_ended", shard=self.number, pid=self.pid, status=status)
            pause_s = PAUSE_FIRST_S if time.monotonic() - since > STEADY_S else min(2 * pause_s, PAUSE_MAX_S)
            while not self.up:
                await asyncio.sleep(pause_s)
                try:
                    await self._launch()
                except (AobError, OSError) as error:
                    pause_s = min(2 * pause_s, PAUSE_MAX_S)
                    known = error if isinstance(error, AobError) else Unavailable(str(error), code="shard_failed")
                    self._error = known
                    log.warning("owner_not_started", shard=self.number, code=known.code, detail=known.detail)
            log.info("owner_is_back", shard=self.number, pid=self.pid)

    async def _reap(self, wait_s: float) -> int | None:
        """Wait a bounded time for the process, and close its wire: its exit status."""
        process, self._process = self._process, None
        status = None
        try:
            if process is not None:
                async with asyncio.timeout(wait_s):
                    status = await process.wait()
        except TimeoutError:
            if process is not None:
                process.kill()
                status = await process.wait()
        finally:
            if self._channel is not None:
                await self._channel.close()
        return status
