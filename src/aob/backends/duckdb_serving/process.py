"""The server's end of the DuckDB process: matches replies to messages. When it dies all callers get an error."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
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
        except OSError as error:
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
                await asyncio.wait_for(process.wait(), END_S)
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
