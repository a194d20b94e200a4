"""A bounded buffer between a feed and one reader: a full buffer stops the feed, a silent feed gives heartbeats."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final, Self

import msgspec

from aob.core.errors import Busy
from aob.fanout.frame import HEARTBEAT


class Limits(msgspec.Struct, frozen=True):
    """`buffer_bytes_max` a reader, `readers_max` a server, `readers_key_max` of them with one key; `heartbeat_s` of
    silence give a comment; a reader that takes nothing for `stall_s` is disconnected and may resume from its
    last position."""

    buffer_bytes_max: int = 256 * 1024
    readers_max: int = 1_000
    readers_key_max: int = 64
    heartbeat_s: float = 15.0
    stall_s: float = 30.0


DEFAULT: Final = Limits()


class Reader:
    """One reader of one feed. Enter it to begin; `take` returns the next block, then `None` at the end of the feed."""

    def __init__(self, feed: AsyncIterator[bytes], limits: Limits = DEFAULT, key: str = "", tenant: str = "") -> None:
        self._feed, self._limits, self.key, self.tenant = feed, limits, key, tenant
        self._frames: list[bytes] = []
        self._size = 0
        self._ended = self._beat = False
        self.finished = False
        """Whether the feed was read to its end; false when the reader was ended or the feed failed."""
        self._error: Exception | None = None
        self._filled, self._drained = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._fill())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def end(self) -> None:
        """Makes `take` return the buffered frames and then `None`, for a server that stops."""
        self._ended = True
        self._filled.set()

    async def take(self, wait_s: float | None = None) -> bytes | None:
        """All buffered frames; a heartbeat after `wait_s` of silence; `None` at the end.

        Raises the feed's error after the frames before it.
        """
        if not self._frames and not self._ended:
            silence_s = self._limits.heartbeat_s if wait_s is None else wait_s
            timer = asyncio.get_running_loop().call_later(silence_s, self._silent)
            try:
                await self._filled.wait()
            finally:
                timer.cancel()
            if self._beat and not self._frames and not self._ended:
                self._beat = False
                self._filled.clear()
                return HEARTBEAT
        self._beat = False
        if self._frames:
            block = b"".join(self._frames)
            self._frames.clear()
            self._size = 0
            if not self._ended:
                self._filled.clear()
            self._drained.set()
            return block
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return None

    def _silent(self) -> None:
        """No frame arrived in time. A plain timer costs a fifth of `asyncio.timeout`, and one runs for each block."""
        self._beat = True
        self._filled.set()

    async def _fill(self) -> None:
        try:
            async for frame in self._feed:
                self._frames.append(frame)
                self._size += len(frame)
                self._filled.set()
                if self._size >= self._limits.buffer_bytes_max:
                    self._drained.clear()
                    await self._drained.wait()
            self.finished = True
        except Exception as error:
            self._error = error
        finally:
            await _close(self._feed)
            self.end()


class Readers:
    """All readers of one server: counts them against the limits and ends them when the server stops. When all places
    are taken, a reader of the tenant that holds most is ended for a tenant that holds fewer."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self._open: set[Reader] = set()
        self._of_key: Counter[str] = Counter()
        self._of_tenant: Counter[str] = Counter()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, feed: AsyncIterator[bytes], key: str = "", tenant: str = "") -> Reader:
        """A reader of this feed for a key of a tenant, counted until `leave`. Raises Busy over a limit,
        or when the server stops."""
        if self._of_key[key] >= self.limits.readers_key_max:
            why = f"{self.limits.readers_key_max} readers are connected with this key"
            hint = "share one stream, or end others: GET /v1/runs/events follows all runs"
            raise Busy(why, code="readers_full", retry_after_s=5.0, hint=hint)
        if self._stopped or (len(self._open) >= self.limits.readers_max and not self._made_room(tenant)):
            why = "the server is stopping" if self._stopped else f"{self.limits.readers_max} readers are connected"
            hint = "come again with the last position, or read with GET /v1/runs/{run_id}/timeline"
            raise Busy(why, code="readers_full", retry_after_s=5.0, hint=hint)
        reader = Reader(feed, self.limits, key, tenant)
        self._open.add(reader)
        self._of_key[key] += 1
        self._of_tenant[tenant] += 1
        return reader

    def _made_room(self, tenant: str) -> bool:
        """Ends a reader of a tenant that holds more, which resumes from its last position; whether there was one."""
        [(most, held)] = self._of_tenant.most_common(1)
        if held <= self._of_tenant[tenant] + 1:
            return False
        reader = next(each for each in self._open if each.tenant == most)
        reader.end()
        self.leave(reader)
        return True

    def leave(self, reader: Reader) -> None:
        """Forgets a reader. Idempotent."""
        if reader in self._open:
            self._open.discard(reader)
            self._of_key[reader.key] -= 1
            self._of_tenant[reader.tenant] -= 1
            # Zero counts are dropped, so that former keys and tenants take no memory.
            self._of_key, self._of_tenant = +self._of_key, +self._of_tenant

    def end_dead(self, alive: Callable[[str], bool]) -> None:
        """Ends the readers of keys that are no longer valid."""
        dead = {key for key in self._of_key if key and not alive(key)}
        for reader in self._open:
            if reader.key in dead:
                reader.end()

    def stop(self) -> None:
        """Ends every reader and admits no more, so that a server stops without waiting for them."""
        self._stopped = True
        self.end()

    def end(self) -> None:
        """Ends every reader; each comes again with its position."""
        for reader in self._open:
            reader.end()


async def _close(feed: AsyncIterator[bytes]) -> None:
    close = getattr(feed, "aclose", None)
    if close is not None:
        await close()
