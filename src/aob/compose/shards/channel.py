"""The main process's end of a wire: sends numbered requests and returns answers and streams to their callers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from aob.compose.loop import end_tasks
from aob.compose.shards.upward import Answer, answered
from aob.compose.shards.wire import WINDOW, Ask, Asks, Frame, Hello, Kind, Wire, encode, value_of
from aob.core.errors import Unavailable
from aob.core.opening import Opening
from aob.core.policy import Caller

LOST: Final = "shard_lost"
DOWN: Final = "shard_down"
RETRY_S: Final = 1.0


class Channel:
    """Requests to one owner process while it lives."""

    def __init__(self, wire: Wire, shard: int, answer: Answer) -> None:
        self._wire, self._shard, self._answer = wire, shard, answer
        self._answering: set[asyncio.Task[None]] = set()
        self._asks = Asks(wire, 1, lambda: lost(shard))
        self._streams: dict[int, asyncio.Queue[Frame | None]] = {}
        self._task = asyncio.create_task(self._read(), name=f"aob-shard-{shard}")
        self.ended = asyncio.Event()
        self.told: Callable[[Opening], None] = lambda opening: None
        """Called each time the owner reports its opening's progress."""

    async def open(self, hello: Hello) -> int:
        """Send the hello and wait until the owner has recovered its shard: its process id. Raises its error."""
        return int(await self._ask(hello, 0))

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb. Raises the owner's error, or Unavailable `shard_lost` when it ends before it has answered."""
        return await self._ask(Ask(verb, who, list(args), named))

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a streaming verb; as many as the reader takes, plus a window."""
        if self.ended.is_set():
            raise lost(self._shard)
        number, taken, over = next(self._asks.numbers), 0, False
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
                yield value_of(frame)
                taken += 1
                if taken == WINDOW // 2:
                    self._wire.send(number, Kind.MORE, encode(taken))
                    taken = 0
        finally:
            self._streams.pop(number, None)
            if not over:
                self._wire.send(number, Kind.CANCEL)

    def stop(self) -> None:
        """Ask the owner for an orderly stop."""
        self._wire.send(0, Kind.STOP)

    async def close(self) -> None:
        """Hang up: the owner ends, and waiting callers get `shard_lost`."""
        self._wire.close()
        await end_tasks(self._task)

    async def _ask(self, ask: Ask | Hello, number: int | None = None) -> Any:
        if self.ended.is_set():
            raise lost(self._shard)
        return await self._asks.ask(ask, number)

    async def _read(self) -> None:
        try:
            while (frame := await self._wire.receive()) is not None:
                queue = self._streams.get(frame.number)
                if frame.kind == Kind.ASK:
                    task = asyncio.create_task(answered(self._wire, frame, self._answer))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
                elif frame.kind == Kind.OPENING:
                    self.told(msgspec.json.decode(frame.body, type=Opening))
                elif queue is not None:
                    queue.put_nowait(frame)
                else:
                    self._asks.take(frame)
        finally:
            self.ended.set()
            for task in self._answering:
                task.cancel()
            self._asks.lost()
            for queue in self._streams.values():
                queue.put_nowait(None)


def lost(shard: int) -> Unavailable:
    """The owner ended before it answered."""
    return Unavailable(
        f"the process of shard {shard} ended before it answered: what was asked may or may not have happened",
        code=LOST,
        hint="ask again: commands with a key or an id happen once",
        shard=shard,
        retry_after_s=RETRY_S,
    )
