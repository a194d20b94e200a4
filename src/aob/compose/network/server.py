"""Answers the other processes of a cluster at one address: each proves who it is, then asks what its role may ask. What
one does, be it hostile, stops no other."""

import asyncio
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.stream_transport import StreamTransport
from aob.backends.tcp import Listener, Proved
from aob.compose.network.certificates import Certificates
from aob.compose.network.greeting import (
    Greeting,
    Lines,
    Member,
    fits,
    left_s,
    may_call,
    parted,
    plain_text,
    proved_by,
    refused,
)
from aob.compose.network.identity import may_ask, reason
from aob.compose.wire.frames import Ask, Frame, Kind, Wire, encode
from aob.compose.wire.requests import Performs, Requests
from aob.core.answers import JsonObject
from aob.core.attached import FrontStatus
from aob.core.errors import AobError, Unavailable
from aob.core.problem import problem_of
from aob.ports.telemetry import Telemetry

FRONTS: Final = frozenset(("api", "fanout"))
NAME_MAX: Final = 100  # characters of what it says of itself
ASKS_MAX: Final = 8_192  # requests of one process at a time
QUIET_S: Final = 0.05
"""Nobody has asked for so long: all who did know by now that others are to be asked."""
ANSWERED_S: Final = 2.0  # how long it takes at most to answer what was asked before a close


class PeerServer:
    """Serves while it is entered. `find` says who performs what is asked of a shard (-1: of this process), or raises
    why not; `streams` names the verbs that give items. Without certificates it listens on loopback only.
    `telemetry` takes spans of what is asked."""

    def __init__(
        self, own: Member, find: Callable[[int], Performs], streams: Collection[str],
        certificates: Certificates | None = None, telemetry: Telemetry | None = None,
    ) -> None:  # fmt: skip
        self._telemetry = telemetry
        self._fronts: dict[int, FrontStatus] = {}  # who asks now, by its connection
        self._own, self._find, self._streams, self._certificates = own, find, streams, certificates
        self._lines = Lines("peer_refused")
        self._asking = set[Requests]()
        self._listener = Listener(self._serve, self._tls, refused=self._refused)

    @property
    def address(self) -> str:
        """Where it listens, as others reach it."""
        host, port = self._listener.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def asking(self) -> list[FrontStatus]:
        """The processes of a role before the home that have a link to this one, once for each."""
        return [each for each in self._fronts.values() if FRONTS.intersection(each["roles"])]

    async def open(self, host: str, port: int) -> "PeerServer":
        """Listen. Raises Unavailable `port_taken`, and Invalid `certs_required` for plain text that other machines
        could reach."""
        if self._certificates is None:
            plain_text(host)
        try:
            await self._listener.open(host, port)
        except OSError as error:
            raise Unavailable(
                f"cannot listen for other processes on {host}:{port}: {error.strerror or error}", code="port_taken",
                hint="choose another with --peers HOST:PORT",
            ) from error  # fmt: skip
        return self

    async def answered(self) -> None:
        """Until all that was asked is answered and nobody asks any more, or for a while: for who has given up what
        others ask for, and leaves."""
        before = -1
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERED_S):
                while (now := sum(each.taken for each in self._asking)) != before or self._calls():
                    before = now
                    await asyncio.sleep(QUIET_S)

    def _calls(self) -> int:
        return sum(each.calls for each in self._asking)

    async def close(self) -> None:
        """Hang up on everybody: what they asked for ends. Idempotent."""
        await self._listener.close()

    async def __aenter__(self) -> "PeerServer":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def _tls(self) -> ssl.SSLContext | None:
        return self._certificates.server() if self._certificates is not None else None

    def _refused(self, address: str, error: Exception) -> None:
        self._lines.say(address, reason(error), asyncio.get_running_loop().time())

    async def _serve(self, transport: StreamTransport, proved: Proved) -> None:
        wire, address = Wire(transport), "{}:{}".format(*transport.told("peername")[:2])
        loop = asyncio.get_running_loop()
        try:
            first = await wire.receive()
        except msgspec.DecodeError:
            first = None
        if first is None:
            why = reason(transport.error) if transport.error is not None else "it hung up, or spoke no word of ours"
            self._lines.say(address, why, loop.time())
            return
        try:
            roles, theirs = self._greeted(first, address, transport)
            proved()
        except AobError as error:
            self._lines.say(address, error.detail, loop.time())
            wire.send(first.number, Kind.ERROR, encode(problem_of(error)))
            await wire.drained()
            return
        transport.ping()
        wire.send(first.number, Kind.VALUE, encode(self._own.greeting()))
        ends = loop.call_later(left_s(transport), transport.close)
        self._fronts[id(transport)] = {
            "name": theirs.name[:NAME_MAX], "roles": sorted(roles),
            "process": theirs.process[:NAME_MAX] or address,
            "release": theirs.release[:NAME_MAX], "links": 1,
        }  # fmt: skip
        try:
            await self._requests(wire, roles, address)
        finally:
            del self._fronts[id(transport)]
            ends.cancel()

    def _greeted(self, first: Frame, address: str, transport: StreamTransport) -> tuple[frozenset[str], Greeting]:
        """The roles of a process that may ask here, and what it says of itself. Raises the error that it is told."""
        if first.kind == Kind.ERROR:
            told = msgspec.json.decode(first.body, type=JsonObject)
            raise refused(f"it does not take us: {str(told.get('detail', ''))[:300]}")
        try:
            greeting = msgspec.json.decode(first.body, type=Greeting)
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise refused("what it says first is no greeting of ours") from None
        roles = fits(self._own, greeting, address, proved_by(transport))
        may_call(roles)
        return roles, greeting

    async def _requests(self, wire: Wire, roles: frozenset[str], address: str) -> None:
        allowed = set[str]()

        def find(ask: Ask) -> Performs:
            if ask.verb not in allowed:
                may_ask(roles, ask.verb)
                allowed.add(ask.verb)
            return self._find(ask.shard)

        async with Requests(wire, find, self._streams, asks_max=ASKS_MAX, telemetry=self._telemetry) as requests:
            self._asking.add(requests)
            try:
                await requests.stopped.wait()
            finally:
                self._asking.discard(requests)
            if (broken := requests.broken) is not None:
                why = f"it does not take us: {broken.detail}" if isinstance(broken, AobError) else str(broken)
                self._lines.say(address, why[:300], asyncio.get_running_loop().time())


def certificates_at(address: str, folder: Path, roles: Collection[str]) -> Certificates | None:
    """With what a process of these roles listens at an address; None where there is no folder of certificates. Raises
    what is wrong with either, before anything is opened."""
    host, _ = parted(address)
    if folder.is_dir():
        return Certificates(folder, roles)
    plain_text(host)
    return None
