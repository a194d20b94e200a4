"""A worker for tests that keeps the protocol of spec/worker.proto, and can be told where to break it."""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio

from aob.core.value import canonical, digest_of
from aob.ports.workers import Job
from aob.rpc import METHOD, PROTOCOL
from aob.rpc import worker_pb2 as pb
from aob.work.outcome import fault_of
from aob.work.remote import job_of

Key = tuple[str, str, int]
WAIT_S = 60.0
_numbers = itertools.count(1)


def handler(name: str, effect: str = "keyed", **more: Any) -> pb.Handler:
    """A declaration."""
    return pb.Handler(name=name, version="v1", effect=effect, **more)


def hello(
    name: str = "w", incarnation: str = "1", handlers: Iterable[pb.Handler] = (), slots: int = 64, **more: Any
) -> pb.WorkerItem:
    """The first item."""
    own = list(handlers) or [handler("work")]
    return pb.WorkerItem(
        hello=pb.Hello(protocol=PROTOCOL, worker=name, incarnation=incarnation, handlers=own, slots=slots, **more)
    )


class EndedError(Exception):
    """The stream is over."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(f"{code}: {details}")
        self.code, self.details = code, details


OPTIONS = (
    # A home that was away is found as soon as it is back: not after the growing pauses of other channels.
    ("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500),
)  # fmt: skip


class Raw:
    """A stream without behaviour: frames as they are."""

    def __init__(self, address: str, key: str, roots: bytes | None = None) -> None:
        self._left: deque[pb.ServerItem] = deque()
        secure = grpc.ssl_channel_credentials(roots) if roots else None
        self.channel = (
            grpc.aio.secure_channel(address, secure, options=OPTIONS) if secure is not None
            else grpc.aio.insecure_channel(address, options=OPTIONS)
        )  # fmt: skip
        self.call: Any = self.channel.stream_stream(METHOD)(
            metadata=(("authorization", f"Bearer {key}"),) if key else ()
        )

    async def send(self, *items: pb.WorkerItem) -> None:
        await self.bytes(pb.WorkerFrame(items=items).SerializeToString())

    async def bytes(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                await self.call.write(data)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise await self.ended() from None

    async def read(self) -> pb.ServerFrame:
        """The next frame. Raises EndedError."""
        try:
            async with asyncio.timeout(WAIT_S):
                data = await self.call.read()
        except grpc.aio.AioRpcError as error:
            raise EndedError(error.code().name, error.details() or "") from None
        if not isinstance(data, bytes):
            raise await self.ended()
        return pb.ServerFrame.FromString(data)

    async def items(self, what: str, count: int = 1) -> list[Any]:
        """The next items of one kind; those before them are passed over."""
        found: list[Any] = []
        while len(found) < count:
            if not self._left:
                self._left.extend((await self.read()).items)
                continue
            item = self._left.popleft()
            if item.WhichOneof("item") == what:
                found.append(getattr(item, what))
        return found

    async def ended(self) -> EndedError:
        async with asyncio.timeout(WAIT_S):
            code = await self.call.code()
            return EndedError(code.name, await self.call.details() or "")

    async def finish(self) -> None:
        """End our side in order."""
        await self.call.done_writing()

    async def die(self) -> None:
        """Drop the connection."""
        self.call.cancel()
        await self.channel.close()


class Ctx:
    """What a handler of a client may ask of its run: as `aob.work.Context`."""

    def __init__(self, client: "Client", job: Job) -> None:
        self._client, self.job = client, job
        self.resume = job.resume
        self._counts: dict[bytes, int] = {}
        self._proposals = 0

    def _named(self) -> dict[str, Any]:
        return {"run": self.job.run, "visit": self.job.visit, "attempt": self.job.attempt}

    def log(self, message: str, /, **fields: Any) -> None:
        self._client.put(pb.WorkerItem(log=pb.Log(**self._named(), message=message, fields=canonical(fields))))

    async def beat(self, checkpoint: Any = None) -> Any:
        if checkpoint is not None:
            return await self._client.ask("beat", pb.Beat(**self._named(), checkpoint=canonical(checkpoint)))
        self._client.put(pb.WorkerItem(beat=pb.Beat(**self._named())))
        return None

    async def intend(self, kind: str, what: dict[str, Any]) -> Any:
        data = canonical(what)
        self._counts[data] = self._counts.get(data, 0) + 1
        return await self._client.ask(
            "intend", pb.Intend(**self._named(), kind=kind, what=data, count=self._counts[data])
        )

    async def settle(self, number: int, result: Any, failed: bool = False) -> Any:
        return await self._client.ask(
            "settle", pb.Settle(**self._named(), number=number, result=canonical(result), failed=failed)
        )

    async def propose(self, operations: list[Any], reason: str) -> Any:
        self._proposals += 1
        return await self._client.ask("propose", pb.Propose(
            **self._named(), number=self._proposals, operations=canonical(operations), reason=reason
        ))  # fmt: skip

    async def graph(self) -> Any:
        return await self._client.ask("graph", pb.Graph(**self._named()))


Perform = Callable[[Job, Ctx], Awaitable[object]]


class Client:
    """A worker. `dies_at` names items (of either direction) at which its stream dies, once each, before the item is
    sent or heeded. It comes back by itself."""

    def __init__(
        self, address: str, key: str, perform: Perform, *, name: str = "w", incarnation: str = "1", slots: int = 64,
        handlers: Iterable[pb.Handler] = (), dies_at: Iterable[str] = (), roots: bytes | None = None, **more: Any,
    ) -> None:  # fmt: skip
        self._roots = roots
        self._address, self._key, self._perform = address, key, perform
        self._name, self._incarnation, self._slots, self._more = name, incarnation, slots, more
        self._handlers = list(handlers) or [handler("work")]
        self.dies_at = list(dies_at)
        self.died: list[str] = []
        self.begun: list[Key] = []
        self.jobs: dict[Key, asyncio.Task[None]] = {}
        self.results: dict[Key, pb.WorkerItem] = {}
        self.asks: dict[int, tuple[pb.WorkerItem, asyncio.Future[Any]]] = {}
        self.welcome: Any = None
        self.refused: EndedError | None = None
        self._out: asyncio.Queue[pb.WorkerItem] = asyncio.Queue()
        self.raw: Raw | None = None
        self._task: asyncio.Task[None] | None = None
        self.attached = asyncio.Event()
        self.draining = False
        self.blobs: Any = None  # how it reads and writes blobs, in place of HTTP
        self.who: Any = None

    async def __aenter__(self) -> "Client":
        self._task = asyncio.create_task(self._run())
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait(
                {asyncio.ensure_future(self.attached.wait()), self._task}, return_when=asyncio.FIRST_COMPLETED
            )
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Like kill -9: nothing is said."""
        tasks = [task for task in (self._task, *self.jobs.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.raw is not None:
            await self.raw.die()

    def put(self, item: pb.WorkerItem) -> None:
        self._out.put_nowait(item)

    async def ask(self, kind: str, item: Any) -> Any:
        item.ask = next(_numbers)
        future = asyncio.get_running_loop().create_future()
        wrapped = pb.WorkerItem(**{kind: item})
        self.asks[item.ask] = (wrapped, future)
        self.put(wrapped)
        return await future

    async def _run(self) -> None:
        while True:
            raw = self.raw = Raw(self._address, self._key, self._roots)
            try:
                await self._stream(raw)
            except EndedError as ended:
                if ended.code != "UNAVAILABLE":
                    self.refused = ended
                    return
                await asyncio.sleep(0.02)
            except (ConnectionAbortedError, TimeoutError):
                pass
            finally:
                await raw.die()

    async def _stream(self, raw: Raw) -> None:
        while not self._out.empty():
            self._out.get_nowait()  # what was not sent is presented instead
        held = [pb.Held(run=r, visit=v, attempt=a) for r, v, a in self.jobs if (r, v, a) not in self.results]
        held += [pb.Held(run=r, visit=v, attempt=a, done=True) for r, v, a in self.results]
        first = hello(self._name, self._incarnation, self._handlers, self._slots, held=held, **self._more)
        self._dies("hello")
        await raw.send(first)
        for item in (await raw.read()).items:  # a Welcome, and the answers to what is held
            what = item.WhichOneof("item") or ""
            await self._take(raw, [getattr(item, what)], what)
        self.put(pb.WorkerItem(want=pb.Want(jobs=self._slots - len(self.jobs))))
        writing = asyncio.create_task(self._write(raw))
        try:
            while True:
                reading = asyncio.create_task(raw.read())
                await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
                    writing.result()
                for item in reading.result().items:
                    what = item.WhichOneof("item")
                    await self._take(raw, [getattr(item, what)], what)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, raw: Raw) -> None:
        while True:
            item = await self._out.get()
            self._dies(item.WhichOneof("item") or "")
            await raw.send(item)

    def _dies(self, what: str) -> None:
        if what in self.dies_at:
            self.dies_at.remove(what)
            self.died.append(what)
            raise ConnectionAbortedError(what)

    async def _take(self, raw: Raw, items: list[Any], what: str) -> None:
        for item in items:
            self._dies(what)
            key = (item.run, item.visit, item.attempt) if hasattr(item, "attempt") else ("", "", 0)
            if what == "welcome":
                self.welcome = item
                self.attached.set()
            elif what == "job":
                self.begun.append(key)
                self.jobs[key] = asyncio.create_task(self._do(item, key))
            elif what == "keep":
                if key in self.results:
                    self.put(self.results[key])
                for wrapped, _ in self.asks.values():
                    asked = getattr(wrapped, wrapped.WhichOneof("item") or "")
                    if (asked.run, asked.visit, asked.attempt) == key:
                        self.put(wrapped)
            elif what in ("drop", "ack"):
                self._forget(key)
            elif what == "cancel":
                if key in self.jobs:
                    self.jobs[key].cancel()
            elif what in ("granted", "recorded", "answer", "refused"):
                known = self.asks.pop(item.ask, None)
                if known is not None and not known[1].done():
                    known[1].set_result((what, item))

    def _forget(self, key: Key) -> None:
        self.results.pop(key, None)
        task = self.jobs.pop(key, None)
        if task is not None and not task.done():
            task.cancel()
        if not self.draining:
            self.put(pb.WorkerItem(want=pb.Want(jobs=1)))

    async def _do(self, item: pb.Job, key: Key) -> None:
        run, visit, attempt = key
        try:
            given = item.input
            if item.HasField("ref"):
                given = await self.blobs.job_blob(self.who, item.ref.sha256.hex())
            job = job_of(item, given, item.resume)
            data = canonical(await self._perform(job, Ctx(self, job)))
            told = pb.Done(run=run, visit=visit, attempt=attempt)
            if len(data) > self.welcome.value_max:
                await self.blobs.put_job_blob(self.who, digest_of(data).hex(), data)
                told.ref.CopyFrom(pb.Ref(sha256=digest_of(data), size=len(data)))
            else:
                told.output = data
            done = pb.WorkerItem(done=told)
        except asyncio.CancelledError:
            if key not in self.jobs or (self._task is not None and self._task.cancelling()):
                raise
            done = pb.WorkerItem(fail=pb.Fail(run=run, visit=visit, attempt=attempt, code="cancelled", unexpected=True))
        except Exception as error:
            fault = fault_of(error)
            done = pb.WorkerItem(fail=pb.Fail(
                run=run, visit=visit, attempt=attempt, code=fault.code, message=fault.message,
                permanent=not fault.transient, detail=canonical(fault.detail), unexpected=fault.code == "exception",
            ))  # fmt: skip
        self.results[key] = done
        self.put(done)
