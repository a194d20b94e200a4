"""The end of a wire that asks: sends numbered requests and returns answers and streams to their callers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from aob.compose.loop import end_tasks
from aob.compose.wire.asks import LOST, Answer, Asks, answered, ask_of
from aob.compose.wire.frames import WINDOW, Ask, Frame, Kind, Wire, encode, value_of
from aob.core.errors import Unavailable
from aob.core.opening import Opening
from aob.core.policy import Caller

DOWN: Final = "shard_down"
RETRY_S: Final = 1.0


class Channel:
    """Requests to one process while it lives. `shard` is the one that it owns, if it was started for one; `answer`
    performs its own requests."""

    def __init__(self, wire: Wire, shard: int, answer: Answer | None = None) -> None:
        self._wire, self._shard, self._answer = wire, shard, answer
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._asks = Asks(wire, 1, lambda: lost(shard))
        self._streams: dict[int, asyncio.Queue[Frame | None]] = {}
        self._task = asyncio.create_task(self._read(), name=f"aob-shard-{shard}")
        self.ended = asyncio.Event()
        self.told: Callable[[Opening], None] = lambda opening: None
        """Called each time the owner reports its opening's progress."""

    async def open(self, hello: object) -> int:
        """Send the hello and wait until the owner has recovered its shard: its process id. Raises its error."""
        return int(await self.ask(hello, 0))

    async def call(self, verb: str, who: Caller | None, *args: object, **named: object) -> Any:
        """Perform a verb. Raises the owner's error, or Unavailable `shard_lost` when it ends before it has answered."""
        return await self.ask(ask_of(verb, who, args, named))

    def stream(self, verb: str, who: Caller, *args: object, **named: object) -> AsyncIterator[Any]:
        """Items of a streaming verb; as many as the reader takes, plus a window."""
        return self.feed(ask_of(verb, who, args, named))

    async def feed(self, ask: Ask) -> AsyncIterator[Any]:
        """Items of a request for a stream."""
        if self.ended.is_set():
            raise lost(self._shard)
        number, taken, over = next(self._asks.numbers), 0, False
        queue = self._streams[number] = asyncio.Queue()
        self._wire.send(number, Kind.ASK, encode(ask))
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

    async def ask(self, ask: object, number: int | None = None) -> Any:
        """Send a request and await its answer. Raises as `call` does."""
        if self.ended.is_set():
            raise lost(self._shard)
        return await self._asks.ask(ask, number)

    async def _read(self) -> None:
        try:
            while (frame := await self._wire.receive()) is not None:
                queue = self._streams.get(frame.number)
                if frame.kind in (Kind.ASK, Kind.CANCEL):
                    self._take(frame)
                elif frame.kind == Kind.OPENING:
                    self.told(msgspec.json.decode(frame.body, type=Opening))
                elif queue is not None:
                    queue.put_nowait(frame)
                else:
                    self._asks.take(frame)
        finally:
            self.ended.set()
            for task in self._answering.values():
                task.cancel()
            self._asks.lost()
            for queue in self._streams.values():
                queue.put_nowait(None)

    def _take(self, frame: Frame) -> None:
        """A request of the other end, or its end."""
        number = frame.number
        if frame.kind == Kind.CANCEL:
            if number in self._answering:
                self._answering[number].cancel()
        elif self._answer is not None:
            task = self._answering[number] = asyncio.create_task(answered(self._wire, frame, self._answer))
            task.add_done_callback(lambda _: self._answering.pop(number, None))


def lost(shard: int) -> Unavailable:
    """The owner ended before it answered."""
    return Unavailable(
        f"the process of shard {shard} ended before it answered: what was asked may or may not have happened",
        code=LOST,
        hint="ask again: commands with a key or an id happen once",
        shard=shard,
        retry_after_s=RETRY_S,
    )
