"""Connections of this process to others of its cluster: one each, made again with growing pauses while it is wanted."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from aob.backends.stream_transport import StreamTransport
from aob.backends.tcp import HELLO_S, connect
from aob.compose.loop import end_tasks
from aob.compose.network.certificates import Certificates
from aob.compose.network.greeting import Greeting, Lines, Member, fits, left_s, parted, plain_text, proved_by, refused
from aob.compose.network.identity import OWNERS, reason
from aob.compose.wire.asks import LOST, ask_of
from aob.compose.wire.channel import DOWN, RETRY_S, Channel
from aob.compose.wire.frames import Ask, Kind, Wire, encode
from aob.core.errors import AobError, Refused, Unavailable
from aob.core.policy import Caller
from aob.core.problem import problem_of
from aob.ports.logger import Logger

PAUSE_FIRST_S: Final = 0.05
PAUSE_MAX_S: Final = 1.0
FORGET_S: Final = 60.0  # a process that cannot be reached for so long is forgotten, until somebody asks for it

log: Final = Logger("aob.network")


class Away(Unavailable):
    """The connection says so, not the process at its other end. `sent`: whether that may have got the request."""

    sent = False


class Peers:
    """The processes that this one asks, by address, until it is closed. Without certificates only those of this
    machine."""

    def __init__(self, own: Member, certificates: Certificates | None = None) -> None:
        self._own, self._certificates = own, certificates
        self._known: dict[tuple[str, str], Peer] = {}

    def of(self, address: str, role: str = "") -> "Peer":
        """The process at `host:port`, which must have this role (empty: one that owns shards)."""
        key = (address, role)
        peer = self._known.get(key)
        if peer is None or peer.forgotten:
            peer = self._known[key] = Peer(address, role, self._own, self._certificates)
        return peer

    def known(self) -> "list[Peer]":
        """All that are wanted now."""
        return [peer for peer in self._known.values() if not peer.forgotten]

    async def close(self) -> None:
        """Hang up. Idempotent."""
        known, self._known = self._known, {}
        for peer in known.values():
            await peer.close()

    async def __aenter__(self) -> "Peers":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


class Peer:
    """One other process."""

    def __init__(self, address: str, role: str, own: Member, certificates: Certificates | None = None) -> None:
        self.address, self._role, self._own, self._certificates = address, role, own, certificates
        self._channel: Channel | None = None
        self._transport: StreamTransport | None = None
        self._up = asyncio.Event()
        self._tried = asyncio.Event()  # set while the last try failed
        self._why = "not yet connected"
        self._lines = Lines("peer_not_reached")
        self.greeting: Greeting | None = None
        self.forgotten = False
        self.refused = False
        """Whether somebody is there, and one of the two did not take the other at the last try."""
        self._keeping = asyncio.create_task(self._keep(), name=f"aob-peer-{address}")

    @property
    def up(self) -> bool:
        """Whether it can be asked now."""
        return self._channel is not None and not self._channel.ended.is_set()

    @property
    def state(self) -> str:
        """`ok`, or why it cannot be asked."""
        return "ok" if self.up else self._why

    async def ready(self) -> None:
        """Wait until it can be asked."""
        while not self.up:
            await self._up.wait()
            await asyncio.sleep(0)  # the connection may have ended without being noticed yet

    async def tried(self) -> None:
        """Wait until it can be asked, or cannot be reached."""
        waiting = [asyncio.ensure_future(self.ready()), asyncio.ensure_future(self._tried.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(*waiting)

    async def call(self, shard: int, verb: str, who: Caller | None, *args: object, **named: object) -> Any:
        """Have a shard of it (-1: the process itself) perform a verb. Raises its error, Unavailable `shard_down` or
        `shard_lost`."""
        channel = self._open(shard)
        if self._transport is not None and self._transport.full:
            await self._transport.drained()
        try:
            return await channel.ask(ask_of(verb, who, args, named, shard))
        except Unavailable as error:
            raise self._known(error, shard) from error

    def stream(self, shard: int, verb: str, who: Caller, *args: object, **named: object) -> AsyncIterator[Any]:
        """Items of a streaming verb. Raises as `call` does."""
        return self._feed(self._open(shard), ask_of(verb, who, args, named, shard))

    async def close(self) -> None:
        """Hang up. Idempotent."""
        self.forgotten = True
        await end_tasks(self._keeping)
        await _hang_up(self._channel, self._transport)

    async def _feed(self, channel: Channel, ask: Ask) -> AsyncIterator[Any]:
        feed: Any = channel.feed(ask)
        try:
            async for item in feed:
                yield item
        except Unavailable as error:
            raise self._known(error, ask.shard) from error
        finally:
            await feed.aclose()

    def _known(self, error: Unavailable, shard: int) -> Unavailable:
        """The error of a lost connection names the shard that was asked and where it was."""
        if error.code != LOST or error.fields.get("shard") != -1:
            return error
        away = Away(
            f"the connection to {self.address} ended before it answered: what was asked may or may not have happened",
            code=LOST, hint="ask again: commands with a key or an id happen once", shard=shard, retry_after_s=RETRY_S,
        )  # fmt: skip
        away.sent = True
        return away

    def _open(self, shard: int) -> Channel:
        channel = self._channel
        if channel is None or channel.ended.is_set():
            raise Away(
                f"{self.address} cannot be reached: {self._why}", code=DOWN, hint="ask again in a moment", shard=shard,
                retry_after_s=RETRY_S,
            )  # fmt: skip
        return channel

    # -- the connection ---------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s, seen_s = PAUSE_FIRST_S, loop.time()
        while True:
            try:
                channel = await self._connect()
            except (AobError, OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
                self._why = error.detail if isinstance(error, AobError) else reason(error)
                self.refused = isinstance(error, AobError | ssl.SSLError | ConnectionResetError)
                self._lines.say(self.address, self._why, loop.time())
                self._tried.set()
                if loop.time() - seen_s > FORGET_S:
                    self.forgotten = True
                    return
            else:
                self._tried.clear()
                self._up.set()
                self.refused = False
                log.info("peer_connected", peer=self.address, name=self.greeting.name if self.greeting else "")
                ends = loop.call_later(left_s(self._transport), self._transport.close) if self._transport else None
                await channel.ended.wait()
                if ends is not None:
                    ends.cancel()
                self._up.clear()
                error_ = self._transport.error if self._transport is not None else None
                self._why = f"the connection ended: {reason(error_)}" if error_ is not None else "it hung up"
                log.warning("peer_lost", peer=self.address, why=self._why)
                await channel.close()
                pause_s = PAUSE_FIRST_S if loop.time() - seen_s > PAUSE_MAX_S else pause_s
                seen_s = loop.time()
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def _connect(self) -> Channel:
        """A connection whose other end has proved its role and taken us. Raises why there is none."""
        host, port = parted(self.address)
        if self._certificates is None:
            plain_text(host)
        tls = self._certificates.client() if self._certificates is not None else None
        transport = await connect(host, port, tls)
        channel: Channel | None = None
        wire = Wire(transport)
        try:
            proved = proved_by(transport)
            wanted = (self._role,) if self._role else OWNERS
            if proved is not None and proved.isdisjoint(wanted):
                names = ", ".join(sorted(proved)) or "no role"
                raise refused(f"its certificate names {names}, not {' or '.join(wanted)}")
            channel = Channel(wire, -1)
            async with asyncio.timeout(HELLO_S):
                greeting = msgspec.convert(await channel.ask(self._own.greeting(), 0), Greeting)
            if fits(self._own, greeting, self.address, proved).isdisjoint(wanted):
                raise refused(f"it is {', '.join(greeting.roles)}, not {' or '.join(wanted)}")
        except BaseException as error:
            try:
                if isinstance(error, Refused):  # the other end says so too
                    wire.send(0, Kind.ERROR, encode(problem_of(error)))
                    await wire.drained()
            finally:
                await _hang_up(channel, transport)
            raise self._told(error, transport) from None
        self.greeting, self._channel, self._transport = greeting, channel, transport
        transport.ping()
        return channel

    def _told(self, error: BaseException, transport: StreamTransport) -> BaseException:
        """Why it did not take us, as well as we can know."""
        if isinstance(error, TimeoutError):
            return TimeoutError(f"it did not answer within {HELLO_S:g} s")
        if isinstance(error, Refused) and error.code == "peer_refused" and transport.error is None:
            return error
        if not isinstance(error, Unavailable) or error.code != LOST:
            return error
        why = reason(transport.error) if transport.error is not None else "it hung up before it answered"
        if self._certificates is not None:
            names = ", ".join(sorted(self._certificates.roles))
            why += f" (our certificate: {names}, until {self._certificates.ends:%Y-%m-%d}; its own log says more)"
        return Unavailable(why, code=DOWN, retry_after_s=RETRY_S)


async def _hang_up(channel: Channel | None, transport: StreamTransport | None) -> None:
    """End what there is of a connection."""
    if channel is not None:
        await channel.close()
    if transport is not None:
        await transport.ended()
