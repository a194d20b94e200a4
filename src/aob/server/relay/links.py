"""The streams between the workers that are attached here and the gateways of the cluster: one of each worker to each
gateway, opened again with growing pauses. Gateways come and go; a worker notices nothing of it."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final

import grpc
import grpc.aio

from aob.core.errors import AobError, CallerError, Conflict, Refused, Unavailable
from aob.core.policy import Caller
from aob.ports.logger import Logger
from aob.rpc import BEAT_MS, CHANNEL_OPTIONS, LEASE_MS, METHOD, PROTOCOL, Outbox
from aob.rpc import worker_pb2 as pb
from aob.server.relay.routing import Routing
from aob.server.workers.stream import CODE, UNREAD_MAX, Stream
from aob.work.remote import check_hello

PAUSE_FIRST_S: Final = 0.05
PAUSE_MAX_S: Final = 1.0
TICK_S: Final = 0.1
WELCOME_S: Final = 5.0  # how long a worker waits for the first gateway
BEAT_S: Final = BEAT_MS / 2_000
FINAL: Final[dict[grpc.StatusCode, type[AobError]]] = {
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.INVALID_ARGUMENT: CallerError,
    grpc.StatusCode.FAILED_PRECONDITION: CallerError,
    grpc.StatusCode.ABORTED: Conflict,
}
"""Ends of a stream that a worker is told; after any other it is opened again."""

log: Final = Logger("aob.server")


class Target:
    """How gateways are reached: in plain text, or by TLS with an authority (empty: those of this machine)."""

    def __init__(self, tls: bool = False, authority: bytes = b"") -> None:
        self._credentials = grpc.ssl_channel_credentials(authority or None) if tls else None

    def channel(self, address: str) -> Any:
        """A connection to one."""
        if self._credentials is None:
            return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(address, self._credentials, options=CHANNEL_OPTIONS)


class Link:
    """The stream of one worker to one gateway, until it is closed."""

    def __init__(self, relay: "Relay", address: str, target: Target) -> None:
        self._relay, self._address, self._target = relay, address, target
        self._outbox: Outbox | None = None
        self._call: Any = None
        self._beat_s, self._heard, self._closed = 0.0, False, False
        self._task = asyncio.create_task(self._run(), name=f"aob-relay-{address}")

    def put(self, item: pb.WorkerItem) -> None:
        """Send an item; nothing while there is no stream."""
        if self._outbox is not None:
            self._outbox.put(item)
            if self._outbox.bytes > UNREAD_MAX and self._call is not None:
                self._call.cancel()  # it reads nothing: a new stream says what it has to know

    def beat(self, now_s: float) -> None:
        """The worker lives."""
        if self._outbox is not None and now_s - self._beat_s > BEAT_S:
            self._beat_s = now_s
            self._outbox.beat()

    def greet(self) -> None:
        """Open the stream anew: the gateway is to hear what the worker has."""
        if self._call is not None:
            self._call.cancel()

    async def close(self, in_order: bool = False) -> None:
        """Hang up; `in_order`, after what is to be sent. Idempotent."""
        if in_order and self._outbox is not None and self._call is not None:
            await asyncio.wait([asyncio.ensure_future(self._ended(self._outbox, self._call))], timeout=PAUSE_MAX_S)
        self._closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _ended(self, outbox: Outbox, call: Any) -> None:
        await outbox.drained()
        await call.done_writing()
        await call.code()

    async def _run(self) -> None:
        pause_s, told = PAUSE_FIRST_S, False
        while True:
            why = "it has ended the stream"
            try:
                await self._attend()
            except asyncio.CancelledError:
                if self._closed:
                    raise
                why = "it is greeted again, or reads nothing"  # the call was cancelled, not this task
            except grpc.aio.AioRpcError as error:
                final = FINAL.get(error.code())
                if final is not None:
                    given: dict[str, Any] = dict(error.trailing_metadata() or ())
                    self._relay.line.end(final(error.details() or "", code=str(given.get(CODE, final.code))))
                    return
                why = f"{error.code().name}: {error.details()}"
            except Exception:
                log.exception("gateway_link_broke", gateway=self._address, worker=self._relay.id)
            if self._heard or not told:  # once an outage
                told = True
                log.info("gateway_stream_lost", gateway=self._address, worker=self._relay.id, why=why)
            pause_s = PAUSE_FIRST_S if self._heard else min(2 * pause_s, PAUSE_MAX_S)
            await asyncio.sleep(pause_s)

    async def _attend(self) -> None:
        routing, channel = self._relay.routing, self._target.channel(self._address)
        call = self._call = channel.stream_stream(METHOD)(metadata=(("authorization", self._relay.authorization),))
        outbox = self._outbox = Outbox(call.write)
        outbox.put(pb.WorkerItem(hello=routing.attached(self._address, self)))
        routing.tick()
        writing = asyncio.create_task(outbox.run(), name="aob-relay-writes")
        try:
            while isinstance(data := await call.read(), bytes):
                routing.take_gateway(self._address, pb.ServerFrame.FromString(data))
        finally:
            self._outbox = self._call = None
            self._heard = routing.heard(self._address)
            routing.detached(self._address, self)
            outbox.end()
            call.cancel()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await channel.close()


class Relay:
    """One worker that is attached here, and its links."""

    def __init__(self, hello: pb.Hello, who: Caller, line: Stream, url: str) -> None:
        self.id, self.line, self.authorization = f"{who.tenant}/{hello.worker}", line, line.authorization
        clock = asyncio.get_running_loop().time
        self.routing = Routing(hello, line.put, clock, url)
        self.since_s = clock()
        self.links: dict[str, Link] = {}

    def follow(self, addresses: Collection[str], target: Target) -> list[Link]:
        """Links to these gateways; returns those to others, which are to be closed."""
        for address in addresses:
            if address not in self.links:
                self.links[address] = Link(self, address, target)
        return [self.links.pop(address) for address in [*self.links] if address not in addresses]


class Relays:
    """All workers that are attached here, while it is entered. `gateways` are the addresses of the cluster's gateways
    now, `url` gives where this process serves blobs."""

    lease_ms = LEASE_MS

    def __init__(
        self, gateways: Callable[[], Collection[str]], target: Target, url: Callable[[], str] = lambda: ""
    ) -> None:  # fmt: skip
        self._gateways, self._target, self._url = gateways, target, url
        self._relays = set[Relay]()
        self._closing = set[asyncio.Future[None]]()
        self._ticking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many workers are attached."""
        return len(self._relays)

    async def __aenter__(self) -> "Relays":
        self._ticking = asyncio.create_task(self._tick(), name="aob-relays")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        for relay in [*self._relays]:
            relay.line.end(Unavailable("this process is stopping", code="stopping", hint="come back in a moment"))
            self.detached(relay, relay.line, False)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def attach(self, hello: pb.Hello, who: Caller, line: Stream, /) -> Relay:
        """A worker opens a stream. Raises CallerError for a Hello that cannot be."""
        check_hello(hello, PROTOCOL)
        relay = Relay(hello, who, line, self._url())
        self._relays.add(relay)
        relay.follow(self._gateways(), self._target)
        return relay

    def detached(self, relay: Relay, line: Stream, in_order: bool, /) -> None:
        """Its stream has ended. At the gateways it has a lease time to come back."""
        self._relays.discard(relay)
        for link in relay.follow((), self._target):
            self._close(link, in_order)

    def take(self, relay: Relay, frame: pb.WorkerFrame, /) -> None:
        """A frame of a worker: its gateways hear that it lives."""
        relay.routing.take_worker(frame)
        now_s = asyncio.get_running_loop().time()
        for link in relay.links.values():
            link.beat(now_s)

    def _close(self, link: Link, in_order: bool) -> None:
        task = asyncio.ensure_future(link.close(in_order))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            addresses, now_s = self._gateways(), asyncio.get_running_loop().time()
            for relay in [*self._relays]:
                try:
                    self._look_after(relay, addresses, now_s)
                except Exception:  # it ends the stream of this worker, and of no other
                    log.exception("relay_broke", worker=relay.id)
                    relay.line.end(Unavailable("its relay broke", code="relay_broke", hint="come back"))

    def _look_after(self, relay: Relay, addresses: Collection[str], now_s: float) -> None:
        for link in relay.follow(addresses, self._target):
            self._close(link, False)
        relay.routing.tick()
        for source in relay.routing.unheard():
            if source in relay.links:
                relay.links[source].greet()
        if not relay.routing.welcomed and now_s - relay.since_s > WELCOME_S:
            relay.line.end(Unavailable("no gateway can be reached", code="no_gateway", hint="come back"))
