"""The main process's end of a wire: asks go out under numbers, answers and streams come back to whoever asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any, Final

import msgspec

from aob.compose.shards.upward import Answer, answered
from aob.compose.shards.wire import WINDOW, Ask, Frame, Hello, Kind, Wire, decode, encode, end_tasks
from aob.core.answers import JsonObject
from aob.core.errors import AobError, Unavailable
from aob.core.opening import Opening
from aob.core.policy import Caller
from aob.core.problem import error_of

LOST: Final = "shard_lost"
DOWN: Final = "shard_down"
RETRY_S: Final = 1.0


class Channel:
    """Asks to one owner process while it lives."""

    def __init__(self, wire: Wire, shard: int, answer: Answer) -> None:
        self._wire, self._shard, self._answer = wire, shard, answer
        self._answering: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[Frame]] = {}
        self._streams: dict[int, asyncio.Queue[Frame | None]] = {}
        self._task = asyncio.create_task(self._read(), name=f"aob-shard-{shard}")
        self.ended = asyncio.Event()
        self.told: Callable[[Opening], None] = lambda opening: None
        """Called each time the owner says how far its opening is."""

    async def open(self, hello: Hello) -> int:
        """Say which shard it is and wait until the owner has recovered it: its process id. Raises its error."""
        answer = await self._send(0, encode(hello))
        return int(self._value(answer))

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb. Raises the owner's error, or Unavailable `shard_lost` when it ends before it has answered."""
        return self._value(await self._send(next(self._numbers), encode(Ask(verb, who, list(args), named))))

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a verb that goes on; as many as the reader takes, and a window more."""
        if self.ended.is_set():
            raise lost(self._shard)
        number, taken, over = next(self._numbers), 0, False
        queue = self._streams[number] = asyncio.Queue()
        self._wire.send(number, Kind.ASK, encode(Ask(verb, who, list(args), named)))
        try:
            while True:
                frame = await queue.get()
                over = frame is None or frame.kind != Kind.ITEM
                if frame is None:
                    raise lost(self._shard)
                if frame.kind == Kind.END:
                    return
                yield self._value(frame)
                taken += 1
                if taken == WINDOW // 2:
                    self._wire.send(number, Kind.MORE, encode(taken))
                    taken = 0
        finally:
            self._streams.pop(number, None)
            if not over:
                self._wire.send(number, Kind.CANCEL)

    def stop(self) -> None:
        """Tell the owner to end in good order."""
        self._wire.send(0, Kind.STOP)

    async def close(self) -> None:
        """Hang up: the owner ends, and whoever waits is told that it is lost."""
        self._wire.close()
        await end_tasks(self._task)

    async def _send(self, number: int, body: bytes) -> Frame:
        if self.ended.is_set():
            raise lost(self._shard)
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        self._wire.send(number, Kind.ASK, body)
        try:
            return await future
        finally:
            self._asked.pop(number, None)

    @staticmethod
    def _value(frame: Frame) -> Any:
        if frame.kind == Kind.ERROR:
            raise _error(frame.body)
        return frame.body if frame.kind == Kind.BYTES else decode(frame.body)

    async def _read(self) -> None:
        try:
            while (frame := await self._wire.receive()) is not None:
                future, queue = self._asked.get(frame.number), self._streams.get(frame.number)
                if frame.kind == Kind.ASK:
                    task = asyncio.create_task(answered(self._wire, frame, self._answer))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
                elif frame.kind == Kind.OPENING:
                    self.told(msgspec.json.decode(frame.body, type=Opening))
                elif queue is not None:
                    queue.put_nowait(frame)
                elif future is not None and not future.done():
                    future.set_result(frame)
        finally:
            self.ended.set()
            for task in self._answering:
                task.cancel()
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(lost(self._shard))
            for queue in self._streams.values():
                queue.put_nowait(None)


def _error(body: bytes) -> AobError:
    told = msgspec.json.decode(body, type=JsonObject)
    return error_of(told, int(told.get("status", 500)))


def lost(shard: int) -> Unavailable:
    """The owner ended before it had answered."""
    return Unavailable(
        f"the process of shard {shard} ended before it answered: what was asked may or may not have happened",
        code=LOST,
        hint="ask again: commands with a key or an id happen once",
        shard=shard,
        retry_after_s=RETRY_S,
    )
