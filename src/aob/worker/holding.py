"""What a worker holds: attempts without a result, and results without an Ack. Items of the protocol come in and go out;
what a new stream must be told first is decided here. Performs nothing and knows no network.

Two threads meet here, under one lock: the loop of the handlers, and the thread of the stream, which asks for the first
frame of each new stream. What arrives from an earlier stream is ignored.
"""

import asyncio
import threading
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import Final, Protocol, TypeAlias

import msgspec

from aob.rpc import VALUE_MAX
from aob.worker.wire import pb

UNACKED: Final = 4  # results without an Ack, times the slots, at which no more jobs are asked for
LINES_MAX: Final = 1_000  # lines of handlers that are kept while there is no stream

Key: TypeAlias = tuple[str, str, int]
Out: TypeAlias = "SimpleQueue[list[pb.WorkerItem] | None]"


class Held(msgspec.Struct, eq=False):
    """An attempt. `live`: this stream's server has given or kept it; only then anything is sent about it. `result`: its
    answer, kept until the Ack. `asks` are requests without an answer. `said`: its handler has said how it failed."""

    job: pb.Job
    live: bool = True
    result: pb.WorkerItem | None = None
    ended: bool = False
    said: bool = False
    asks: "dict[int, tuple[pb.WorkerItem, asyncio.Future[pb.ServerItem]]]" = {}

    @property
    def key(self) -> Key:
        """Its name in every item."""
        return self.job.run, self.job.visit, self.job.attempt


class Performer(Protocol):
    """Performs what is held; called on the loop, and returns at once."""

    def begin(self, held: Held) -> None:
        """Perform it, then `finish` it."""

    def end(self, held: Held) -> None:
        """Stop it, then `finish` it as always."""

    def drop(self, held: Held) -> None:
        """Stop it. Nobody waits for an answer."""


class Counts(msgspec.Struct):
    """What has come of the jobs so far, for people."""

    done: int = 0
    failed: int = 0
    declined: int = 0
    dropped: int = 0


class Holding:
    """`hello` is the first item of a stream, without what is held."""

    def __init__(self, hello: pb.Hello, loop: asyncio.AbstractEventLoop) -> None:
        self._hello, self._loop = hello, loop
        self._thread = threading.get_ident()
        self._turn = threading.RLock()
        self._held: dict[Key, Held] = {}
        self._visits: dict[tuple[str, str], Held] = {}
        self._numbers = count(1)
        self._stream = 0
        self._out: Out | None = None
        self._items: list[pb.WorkerItem] = []
        self._lines: list[tuple[Held, pb.WorkerItem]] = []
        self._flushes = self._draining = False
        self._asked_for = 0
        self.running = 0
        """How many attempts have no result yet."""
        self.performer: Performer
        self.welcome: pb.Welcome | None = None
        self.secrets: dict[str, str] = {}
        self.empty = asyncio.Event()
        self.counts = Counts()
        self.welcomed: Callable[[pb.Welcome, int], None] = lambda welcome, held: None
        self.paused: Callable[[str, bool], None] = lambda handler, paused: None
        self._paused = set[str]()  # each process of a cluster says so of them
        self.settings: Callable[[int, bytes], None] = lambda version, data: None
        """Hears what counts at the home for built-in kinds."""

    # -- for the thread of the stream

    def opens(self) -> tuple[int, Out, pb.WorkerItem]:
        """A new stream: its number, the items that are to be sent on it, and its Hello."""
        with self._turn:
            self._stream += 1
            self._out = SimpleQueue()
            self._items, self._asked_for, self.welcome, self._paused = [], 0, None, set()
            hello = pb.Hello()
            hello.CopyFrom(self._hello)
            for held in self._held.values():
                held.live = False
                run, visit, attempt = held.key
                hello.held.append(pb.Held(run=run, visit=visit, attempt=attempt, done=held.result is not None))
            return self._stream, self._out, pb.WorkerItem(hello=hello)

    def arrives(self, stream: int, frame: pb.ServerFrame) -> None:
        """A frame of the server has come."""
        self._loop.call_soon_threadsafe(self._receive, stream, frame)

    # -- for the loop

    def send(self, item: pb.WorkerItem) -> None:
        """Send an item with the next frame: what one turn of the loop makes goes together. From any thread."""
        with self._turn:
            self._items.append(item)
            if self._flushes:
                return
            self._flushes = True
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self._flush)
        else:
            self._loop.call_soon_threadsafe(self._flush)

    def finish(self, held: Held, item: pb.WorkerItem) -> None:
        """An attempt has its answer: Done, Fail or Decline. A second one is ignored."""
        with self._turn:
            if held.result is not None or held.ended:
                return
            held.result = item
            self.running -= 1
            self._count(item)
            self._close(held)
            if held.live:
                self.send(item)

    async def ask(self, held: Held, make: Callable[[int], pb.WorkerItem]) -> pb.ServerItem:
        """Send a request of a handler, again on each new stream, and wait for its answer. Raises CancelledError when
        the attempt is no longer wanted."""
        if held.ended or held.result is not None:
            raise asyncio.CancelledError
        number = next(self._numbers)
        answer: asyncio.Future[pb.ServerItem] = self._loop.create_future()
        item = make(number)
        with self._turn:
            held.asks[number] = item, answer
            if held.live:
                self.send(item)
        try:
            return await answer
        finally:
            held.asks.pop(number, None)

    def tell(self, held: Held, item: pb.WorkerItem, *, keep: bool = False) -> None:
        """Send what has no answer. Without a stream it is dropped; with `keep` it waits for the next. From any
        thread."""
        with self._turn:
            if held.live and self._out is not None:
                self.send(item)
            elif keep and not held.ended and len(self._lines) < LINES_MAX:
                self._lines.append((held, item))

    def drain(self) -> None:
        """Take no more jobs. `empty` is set once every result has its Ack."""
        with self._turn:
            if not self._draining:
                self._draining = True
                self.send(pb.WorkerItem(draining=pb.Draining()))
            self._look()

    def value_max(self) -> int:
        """How large a value in a frame may be; until a server says so, the usual."""
        return self.welcome.value_max if self.welcome is not None else VALUE_MAX

    def of(self, run: str, visit: str, attempt: int) -> Held | None:
        """What is held of an attempt."""
        return self._held.get((run, visit, attempt))

    def unfinished(self) -> list[Held]:
        """All attempts without a result."""
        return [held for held in self._held.values() if held.result is None]

    def wanted(self) -> None:
        """A slot may have become free: ask for jobs with the next frame."""
        with self._turn:
            if not self._flushes:
                self._flushes = True
                self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        with self._turn:
            self._flushes = False
            items, self._items = self._items, []
            jobs = self._credit()
            if jobs:
                self._asked_for += jobs
                items.append(pb.WorkerItem(want=pb.Want(jobs=jobs)))
            if items and self._out is not None:
                self._out.put(items)

    def _credit(self) -> int:
        if self._draining or self.welcome is None:
            return 0
        running, slots = self.running, self._hello.slots
        if len(self._held) - running > UNACKED * slots:
            return 0
        return max(0, slots - running - self._asked_for)

    # -- what comes

    def _receive(self, stream: int, frame: pb.ServerFrame) -> None:
        with self._turn:
            if stream != self._stream:
                return  # the server has been told anew what is here, without this
            for item in frame.items:
                kind = item.WhichOneof("item")
                if kind is not None:
                    self._TAKES[kind](self, item)
            self.wanted()

    def _take_welcome(self, item: pb.ServerItem) -> None:
        self.welcome, self.secrets = item.welcome, dict(item.welcome.secrets)
        if self._draining:
            self.send(pb.WorkerItem(draining=pb.Draining()))
        self.welcomed(item.welcome, len(self._held))

    def _take_job(self, item: pb.ServerItem) -> None:
        job = item.job
        self._asked_for = max(0, self._asked_for - 1)
        known = self._held.get((job.run, job.visit, job.attempt))
        if known is not None:
            self._keep(known)
            return
        held = self._held[job.run, job.visit, job.attempt] = Held(job)
        self.running += 1
        before = self._visits.get((job.run, job.visit))
        self._visits[job.run, job.visit] = held
        if before is not None and before.result is None:
            self.performer.end(before)
        if self._draining:
            self.finish(held, decline(held, "draining"))
        else:
            self.performer.begin(held)

    def _take_keep(self, item: pb.ServerItem) -> None:
        held = self._held.get((item.keep.run, item.keep.visit, item.keep.attempt))
        if held is not None:
            self._keep(held)

    def _keep(self, held: Held) -> None:
        if held.live:
            return
        held.live = True
        for each in [line for line in self._lines if line[0] is held]:
            self._lines.remove(each)
            self.send(each[1])
        if held.result is not None:
            self.send(held.result)
        for asked, _ in list(held.asks.values()):
            self.send(asked)

    def _take_drop(self, item: pb.ServerItem) -> None:
        held = self._held.get((item.drop.run, item.drop.visit, item.drop.attempt))
        if held is None:
            return
        self.counts.dropped += held.result is None
        self._forget(held)
        self.performer.drop(held)

    def _take_answer(self, item: pb.ServerItem) -> None:
        told = getattr(item, str(item.WhichOneof("item")))
        held = self._held.get((told.run, told.visit, told.attempt))
        asked = held.asks.pop(told.ask, None) if held is not None else None
        if asked is not None and not asked[1].done():
            asked[1].set_result(item)

    def _take_cancel(self, item: pb.ServerItem) -> None:
        held = self._held.get((item.cancel.run, item.cancel.visit, item.cancel.attempt))
        if held is not None and held.result is None:
            self.performer.end(held)

    def _take_ack(self, item: pb.ServerItem) -> None:
        held = self._held.get((item.ack.run, item.ack.visit, item.ack.attempt))
        if held is not None and held.result is not None:
            self._forget(held)

    def _take_pause(self, item: pb.ServerItem) -> None:
        handler, paused = item.pause.handler, item.pause.paused
        if (handler in self._paused) != paused:
            self._paused ^= {handler}
            self.paused(handler, paused)

    def _take_settings(self, item: pb.ServerItem) -> None:
        self.settings(item.settings.version, item.settings.data)

    _TAKES: Final[dict[str, Callable[["Holding", pb.ServerItem], None]]] = {
        "welcome": _take_welcome, "job": _take_job, "keep": _take_keep, "drop": _take_drop, "granted": _take_answer,
        "recorded": _take_answer, "answer": _take_answer, "refused": _take_answer, "cancel": _take_cancel,
        "ack": _take_ack, "pause": _take_pause, "settings": _take_settings,
    }  # fmt: skip

    # -- bookkeeping

    def _close(self, held: Held) -> None:
        """Its handler has ended: requests that have no answer are over."""
        for _, answer in list(held.asks.values()):
            answer.cancel()
        held.asks.clear()

    def _forget(self, held: Held) -> None:
        if held.result is None:
            self.running -= 1
        held.ended = True
        self._close(held)
        self._held.pop(held.key, None)
        if self._visits.get(held.key[:2]) is held:
            del self._visits[held.key[:2]]
        self._look()

    def _look(self) -> None:
        if self._draining and not self._held:
            self.empty.set()

    def _count(self, item: pb.WorkerItem) -> None:
        match item.WhichOneof("item"):
            case "done":
                self.counts.done += 1
            case "fail":
                self.counts.failed += 1
            case _:
                self.counts.declined += 1


def decline(held: Held, reason: str) -> pb.WorkerItem:
    """Give a job back that has not begun."""
    run, visit, attempt = held.key
    return pb.WorkerItem(decline=pb.Decline(run=run, visit=visit, attempt=attempt, reason=reason))
