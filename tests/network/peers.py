"""Two processes of a cluster in one: a server with shards that do as the test says, and one that asks it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aob.compose.network import Member, Peers, PeerServer, not_owner
from aob.compose.network.peer import Peer
from aob.compose.wire.requests import Performs
from aob.core.errors import Conflict
from aob.core.policy import Caller
from tests.servers.certificates import certificates

STREAMS = frozenset({"follow", "logs", "milestones"})


async def until(true: Callable[[], bool]) -> None:
    """Let the loop go on until it is true."""
    while not true():  # noqa: ASYNC110  # what is awaited are steps of the loop
        await asyncio.sleep(0)


class Desk:
    """A shard that answers with what it was asked, waits, fails, or counts."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.came, self.left = asyncio.Event(), asyncio.Event()
        self.held: asyncio.Event | None = None

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        self.asked.append(verb)
        self.came.set()
        try:
            if verb == "wait" or self.held is not None:
                await (self.held or asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(verb)
            self.left.set()
            raise
        if verb == "cancel":
            raise Conflict("is over", code="run_over", hint="none", run="run_1")
        if verb == "blob":
            return bytes(range(256))
        return [self.number, verb, who and who.name, list(args), named]

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        self.asked.append(verb)
        try:
            for number in range(*args):
                yield number
            if verb == "follow":
                await asyncio.Event().wait()
        finally:
            self.left.set()


class Shards:
    """What a process owns."""

    def __init__(self, *numbers: int) -> None:
        self.desks = {number: Desk(number) for number in numbers}
        self.elsewhere: dict[int, tuple[str, int]] = {}

    def find(self, shard: int) -> Performs:
        if shard not in self.desks:
            raise not_owner(shard, *self.elsewhere.get(shard, ("", 0)))
        return self.desks[shard]


@asynccontextmanager
async def served(
    shards: Shards, *roles: str, secure: bool = False, port: int = 0, cluster: str = "c1"
) -> AsyncIterator[PeerServer]:
    roles = roles or ("coordinator",)
    own = certificates(*roles) if secure else None
    async with PeerServer(Member(roles, "one", "1.0", cluster), shards.find, STREAMS, own) as server:
        yield await server.open("127.0.0.1", port)


@asynccontextmanager
async def asking(*roles: str, secure: bool = False, cluster: str = "c1") -> AsyncIterator[Peers]:
    roles = roles or ("api",)
    own = certificates(*roles) if secure else None
    async with Peers(Member(roles, "two", "1.0", cluster), own) as peers:
        yield peers


@asynccontextmanager
async def both(shards: Shards, *, secure: bool = False, role: str = "api") -> AsyncIterator[Peer]:
    async with served(shards, secure=secure) as server, asking(role, secure=secure) as peers:
        peer = peers.of(server.address)
        await peer.ready()
        yield peer
