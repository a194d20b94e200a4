"""One stream of a worker: a key and a Hello in, then frames both ways until one side ends it. A stream that breaks a
rule ends with the error's code, and touches no other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError

from aob.core.errors import AobError, Busy, CallerError, Conflict, OurError, Refused, TooLarge, Unauthorized
from aob.core.policy import Caller
from aob.core.problem import outward
from aob.core.rights import require
from aob.ports.logger import Logger
from aob.rpc import BEAT_MS, Outbox
from aob.rpc import worker_pb2 as pb
from aob.server.workers.turns import Turns

ROLE: Final = "work"
PLACES_MAX: Final = 8_000  # streams of workers; the calls of verbs have the rest of the port
EXECUTE: Final = "execute"
"""The role of workers that perform built-in kinds: those have the secrets of the home, and act in its name."""
HELLO_S: Final = 10.0  # how long a stream may be open before its Hello
ENDS_S: Final = 5.0  # how long what was sent may take to leave before a stream ends
BEHIND_BYTES: Final = 8 * 1024 * 1024  # a stream with so much unread gets no further job
ITEMS_MAX: Final = 16_384  # of a frame: one of the largest size could hold two million
ITEMS_AT_ONCE: Final = 64  # of a frame, then others of the loop have their turn
UNREAD_MAX: Final = 64 * 1024 * 1024  # one with so much unread is ended
KEY_CHECKED_S: Final = 5.0
CODE: Final = "aob-code"
ITEM: Final = 0x0A  # how each item of a frame begins: field 1, with a length
Serving: TypeAlias = Any  # the context of a call in grpc.aio, which has no types
log: Final = Logger("aob.server")


class Keys(Protocol):
    """Finds callers."""

    def authenticate(self, secret: str) -> Caller | None:
        """The caller with this secret."""

    def holder(self, key_id: str) -> Caller | None:
        """The caller with this key id, while the key is active."""


class Stream:
    """The line to one worker."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self.outbox = Outbox(write)
        self.ended = asyncio.Event()
        self.error: AobError | None = None
        self.authorization = ""
        """How the worker has shown who it is."""

    @property
    def behind(self) -> bool:
        """Whether it reads too slowly for another job."""
        return self.outbox.bytes > BEHIND_BYTES

    def put(self, item: pb.ServerItem) -> None:
        """Send an item."""
        self.outbox.put(item)
        if self.outbox.bytes > UNREAD_MAX:
            self.end(Busy(f"the worker has {UNREAD_MAX} bytes to read", code="worker_behind"))

    def end(self, error: AobError) -> None:
        """End it with an error, after what was sent."""
        if self.error is None:
            self.error = error
        self.ended.set()


class Attached(Protocol):
    """A worker that is attached."""

    @property
    def id(self) -> str:
        """Its name, in its tenant."""

    @property
    def line(self) -> object:
        """The stream that counts for it."""


Whom = TypeVar("Whom", bound=Attached)


class Attaches(Protocol[Whom]):
    """Knows the workers that are attached."""

    lease_ms: int

    def attach(self, hello: pb.Hello, who: Caller, line: Any, /) -> Whom:
        """One opens a stream."""

    def detached(self, worker: Whom, line: Any, in_order: bool, /) -> None:
        """Its stream has ended."""


Says = TypeVar("Says", contravariant=True)


class Takes(Protocol[Says]):
    """Hears what workers send."""

    def take(self, worker: Says, frame: pb.WorkerFrame, /) -> None:
        """A frame of one."""


class Door(Generic[Whom]):
    """Lets workers in. `keys` are those of the home and of the environment."""

    def __init__(self, hub: Attaches[Whom], requests: Takes[Whom], keys: list[Keys]) -> None:
        self._hub, self._requests, self._keys = hub, requests, keys
        self._turns = Turns()
        self._streams = dict[Stream, str]()  # with their tenants, in the order in which they came

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    async def attach(self, _: AsyncIterator[bytes], context: Serving) -> None:
        """Serve one stream to its end."""
        stream = Stream(context.write)
        try:
            await self._served(stream, context)
        except AobError as error:
            await self._aborted(context, error)
        finally:
            self._streams.pop(stream, None)

    async def _served(self, stream: Stream, context: Serving) -> None:
        who = self._caller(context, stream)
        self._enters(stream, who.tenant)
        frame = await self._first(context, stream)
        needed = (ROLE, EXECUTE) if frame.items[0].hello.offers else (ROLE,)
        for role in needed:
            require(who, role)
        hello = frame.items[0].hello
        await self._in_turn(stream, who, hello)
        # From here on the worker is known, and its leases depend on the end of this stream.
        worker = self._hub.attach(hello, who, stream)
        reading = asyncio.create_task(self._read(stream, worker, frame, context), name="aob-worker-reads")
        writing = asyncio.create_task(stream.outbox.run(), name="aob-worker-writes")
        beating = asyncio.create_task(self._beats(stream, who, needed), name="aob-worker-beats")
        ended = asyncio.create_task(stream.ended.wait(), name="aob-worker-ends")
        tasks = (reading, writing, beating, ended)
        in_order = False
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            in_order = reading.done() and not reading.cancelled() and reading.exception() is None and reading.result()
            if stream.error is not None or in_order:
                await _within(ENDS_S, stream.outbox.drained(), writing)
        finally:
            self._hub.detached(worker, stream, in_order)
            stream.outbox.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            broken = None if task.cancelled() else task.exception()
            if isinstance(broken, AobError):
                stream.end(broken)
            elif broken is not None:
                log.info("worker_stream_lost", worker=worker.id, reason=f"{type(broken).__name__}: {broken}")
        if stream.error is not None:
            raise stream.error

    def _caller(self, context: Serving, stream: Stream) -> Caller:
        given: dict[str, object] = dict(context.invocation_metadata() or ())
        stream.authorization = str(given.get("authorization", ""))
        scheme, _, secret = stream.authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthorized("a worker gives a key", hint="metadata: authorization: Bearer KEY")
        for keys in self._keys:
            who = keys.authenticate(secret)
            if who is not None:
                require(who, ROLE)
                return who
        raise Unauthorized("this key is not known", hint=f"aob key create NAME --role {ROLE}")

    def _enters(self, stream: Stream, tenant: str) -> None:
        """Give a stream a place. When all are taken, the tenant that has most of them loses its newest. Raises Busy
        `too_many_workers` when that is the same tenant."""
        if len(self._streams) >= PLACES_MAX:
            full = Busy(f"{PLACES_MAX:,} workers are attached here", code="too_many_workers", hint="come back later")
            counts = Counter(self._streams.values())
            busiest, most = counts.most_common(1)[0]
            if most <= counts[tenant] + 1:
                raise full
            newest = next(each for each, whose in reversed(self._streams.items()) if whose == busiest)
            del self._streams[newest]
            newest.end(full)
        self._streams[stream] = tenant

    async def _in_turn(self, stream: Stream, who: Caller, hello: pb.Hello) -> None:
        """Wait until the workers of this tenant may bring along what this one does."""
        await asyncio.sleep(self._turns.wait_s(who.tenant, len(hello.held), asyncio.get_running_loop().time()))
        if stream.error is not None:
            raise stream.error

    def _may_stay(self, who: Caller, needed: Sequence[str]) -> None:
        found = (keys.holder(who.id) for keys in self._keys)
        if not any(known is not None and all(map(known.may, needed)) for known in found):
            raise Unauthorized("this key is revoked", hint=f"aob key create NAME --role {ROLE}")

    async def _first(self, context: Serving, stream: Stream) -> pb.WorkerFrame:
        try:
            async with asyncio.timeout(HELLO_S):
                data = await context.read()
        except TimeoutError:
            raise CallerError("no Hello came", code="worker_hello") from None
        if stream.error is not None:
            raise stream.error
        frame = _frame(data) if isinstance(data, bytes) else pb.WorkerFrame()
        if not frame.items or frame.items[0].WhichOneof("item") != "hello":
            raise CallerError("the first item of a stream is Hello", code="worker_hello")
        return frame

    async def _read(self, stream: Stream, worker: Whom, first: pb.WorkerFrame, context: Serving) -> bool:
        """Hands frames on until the worker ends its side: True."""
        del first.items[0]
        frame = first
        while True:
            for at in range(0, max(len(frame.items), 1), ITEMS_AT_ONCE):
                if worker.line is not stream:
                    return False  # another stream of this worker counts
                whole = len(frame.items) <= ITEMS_AT_ONCE
                part = frame if whole else pb.WorkerFrame(items=frame.items[at : at + ITEMS_AT_ONCE])
                self._requests.take(worker, part)
                if not whole:
                    await asyncio.sleep(0)
            data = await context.read()
            if not isinstance(data, bytes):
                return True
            frame = _frame(data)

    async def _beats(self, stream: Stream, who: Caller, needed: Sequence[str]) -> None:
        """A frame at least so often, and a look whether the key still counts."""
        while True:
            await asyncio.sleep(min(BEAT_MS, self._hub.lease_ms // 3) / 1_000)
            stream.outbox.beat()
            self._may_stay(who, needed)

    async def _aborted(self, context: Serving, error: AobError) -> None:
        if isinstance(error, OurError):
            log.info("worker_stream_ended", code=error.code, reason=error.detail)
        else:
            log.warning("worker_refused", code=error.code, reason=error.detail)
        told = outward(error)
        words = f"{told.detail} ({told.hint})" if told.hint else told.detail
        await context.abort(_status(error), words, ((CODE, error.code),))


def _frame(data: bytes) -> pb.WorkerFrame:
    if len(data) > 2 * ITEMS_MAX and not _has_room(data):
        why = f"a frame of more than {2 * ITEMS_MAX} bytes is at most {ITEMS_MAX} items and nothing else"
        raise CallerError(why, code="worker_frame", hint="send several frames")
    try:
        return pb.WorkerFrame.FromString(data)
    except DecodeError as error:
        raise CallerError("a frame cannot be read", code="worker_frame") from error


def _has_room(data: bytes) -> bool:
    """Whether a frame has at most `ITEMS_MAX` items and nothing beside them, seen before they are made: made, two
    million of them would hold up all others for a third of a second."""
    at, size = 0, len(data)
    for _ in range(ITEMS_MAX):
        if at >= size:
            return True
        if data[at] != ITEM:
            return False
        at, length, shift = at + 1, 0, 0
        while at < size and data[at] >= 0x80 and shift < 28:
            length, at, shift = length | (data[at] & 0x7F) << shift, at + 1, shift + 7
        at += 1 + (length | data[at] << shift if at < size else 0)
    return at >= size


def _status(error: AobError) -> Any:
    """The status of a stream that ends with an error."""
    for kind, status in (
        (Unauthorized, grpc.StatusCode.UNAUTHENTICATED), (Refused, grpc.StatusCode.PERMISSION_DENIED),
        (Conflict, grpc.StatusCode.ABORTED), (Busy, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (TooLarge, grpc.StatusCode.INVALID_ARGUMENT),
    ):  # fmt: skip
        if isinstance(error, kind):
            return status
    if error.code == "worker_protocol":
        return grpc.StatusCode.FAILED_PRECONDITION
    return grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, CallerError) else grpc.StatusCode.UNAVAILABLE


async def _within(seconds: float, work: Coroutine[object, object, None], writing: "asyncio.Task[None]") -> None:
    """Wait for work so long, and not when nobody writes any more."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task, writing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
