"""A shard that another process of the cluster owns: each request finds its way to the present owner, in three tries
within the time that its caller waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from aob.compose.network.identity import GROUPS
from aob.compose.network.peer import Away, Peer, Peers
from aob.compose.wire.asks import LOST, UNTIL
from aob.compose.wire.channel import RETRY_S
from aob.core.answers import JsonObject
from aob.core.errors import Unavailable
from aob.core.policy import Caller

NOT_OWNER: Final = "not_owner"
TRIES: Final = 3
TRY_S: Final = 1.0  # how long a try waits for a connection
PAUSE_S: Final = 0.05  # before the second try; the third waits four times as long
AGAIN_S: Final = 0.2  # between looks for an owner of one who waits for it

REPEATABLE: Final = (
    GROUPS["views"]
    | GROUPS["reads"]
    | GROUPS["messages"]
    | GROUPS["record_reads"]
    | GROUPS["home"]
    | GROUPS["members"]
    | GROUPS["targets"]
    | {"admit", "request_topic", "read_metric", "read_through", "value"}
)
"""Verbs that happen once however often they are asked: reads, and messages, which are numbered."""


class Route(NamedTuple):
    """Who owns a shard: the address of its process, and the epoch of its lease."""

    address: str
    epoch: int


class Directory(Protocol):
    """What this process knows of the owners of shards."""

    def owner(self, shard: int) -> Route | None:
        """The owner as far as known."""

    async def look(self, shard: int) -> Route | None:
        """Look it up again where owners are written."""

    def learn(self, shard: int, route: Route) -> None:
        """Another process says so; it counts if its epoch is higher."""


def named(shard: int) -> str:
    """What is asked for, in a sentence: -1 is the home."""
    return f"shard {shard}" if shard >= 0 else "the home"


def not_owner(shard: int, address: str = "", epoch: int = 0, *, lapsed: bool = False) -> Unavailable:
    """What a process answers that does not own the shard (any more): who does, if it knows. `lapsed`: it has the shard,
    and could not renew its lease in time."""
    why = f"{named(shard)} is owned by {address or 'another process'}"
    if lapsed:
        why = f"the lease of {named(shard)} was not renewed in time: is the database away?"
    return Unavailable(
        why, code="not_owner", hint="ask again in a moment", shard=shard, address=address, epoch=epoch,
        retry_after_s=RETRY_S, **({"lapsed": True} if lapsed else {}),
    )  # fmt: skip


def gone(shard: int, verb: str) -> Unavailable:
    """The lease was over before the answer was there."""
    if verb in REPEATABLE:
        return not_owner(shard)
    return Unavailable(
        f"{named(shard)} went to another owner before it answered: what was asked may or may not have happened",
        code=LOST, hint="ask again: commands with a key or an id happen once", shard=shard, retry_after_s=1.0,
    )  # fmt: skip


class RemoteShard:
    """The port `Shard` over the network."""

    owned = True

    def __init__(self, number: int, directory: Directory, peers: Peers) -> None:
        self.number, self._directory, self._peers = number, directory, peers

    @property
    def up(self) -> bool:
        """Whether its owner is known and can be asked."""
        peer = self._peer()
        return peer is not None and peer.up

    @property
    def state(self) -> str:
        """`ok`, or why it cannot be asked."""
        peer = self._peer()
        return "nobody owns it" if peer is None else peer.state

    async def ready(self) -> None:
        """Wait until its owner can be asked."""
        while not self.up:
            peer = self._peer() or await self._looked()
            with suppress(TimeoutError):
                async with asyncio.timeout(TRY_S):
                    await (peer.tried() if peer is not None else asyncio.sleep(AGAIN_S))
            if not self.up:
                await self._looked()
                await asyncio.sleep(AGAIN_S)

    async def call(self, verb: str, who: Caller | None, *args: object, **named: object) -> Any:
        """Perform a verb. Raises its error; Unavailable `shard_unowned` when no owner was found in three tries,
        `shard_lost` when one went while it was at work on what must not happen twice."""
        last: Unavailable | None = None
        for attempt in range(TRIES):
            try:
                peer = await self._at(attempt)
                return await peer.call(self.number, verb, who, *args, **named)
            except Unavailable as error:
                await self._corrected(error, repeatable=verb in REPEATABLE or _with_ids(verb, args))
                last = _telling(last, error)
        raise self._unowned(last) from last

    async def stream(self, verb: str, who: Caller, *args: object, **named: object) -> AsyncIterator[Any]:
        """Items of a streaming verb. An owner that goes, or gives its shard away, ends them with `shard_lost`."""
        last: Unavailable | None = None
        for attempt in range(TRIES):
            given = False
            try:
                feed: Any = (await self._at(attempt)).stream(self.number, verb, who, *args, **named)
                try:
                    async for item in feed:
                        given = True
                        yield item
                finally:
                    await feed.aclose()
                return
            except Unavailable as error:
                if given and error.code == NOT_OWNER:
                    raise Unavailable(f"shard {self.number} goes to another owner", code="shard_lost",
                                      hint="ask again from the last position", shard=self.number,
                                      retry_after_s=RETRY_S) from error  # fmt: skip
                await self._corrected(error, repeatable=not given)
                last = _telling(last, error)
        raise self._unowned(last) from last

    def _peer(self) -> Peer | None:
        route = self._directory.owner(self.number)
        return self._peers.of(route.address) if route is not None and route.address else None

    async def _looked(self) -> Peer | None:
        route = await self._directory.look(self.number)
        return self._peers.of(route.address) if route is not None and route.address else None

    async def _at(self, attempt: int) -> Peer:
        """The owner's process, connected if it can be. Raises Unavailable `shard_unowned` at the end of the caller's
        time."""
        loop, until = asyncio.get_running_loop(), UNTIL.get()
        if attempt:
            await asyncio.sleep(PAUSE_S * 4 ** (attempt - 1))
        left_s = TRY_S if until is None else min(TRY_S, until - loop.time())
        if left_s <= 0:
            raise self._unowned(None)
        peer = self._peer() or await self._looked()
        if peer is None:
            raise Unavailable(f"nobody owns {named(self.number)}", code="not_owner", shard=self.number, address="")
        if not peer.up:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await peer.tried()
        return peer

    async def _corrected(self, error: Unavailable, *, repeatable: bool) -> None:
        """Learn where the owner is from an error that says that it was not there; raises any other."""
        if error.code == NOT_OWNER and error.fields.get("address"):
            self._directory.learn(self.number, Route(str(error.fields["address"]), int(error.fields.get("epoch", 0))))
        elif error.code == NOT_OWNER or (isinstance(error, Away) and (repeatable or not error.sent)):
            with suppress(Unavailable):
                await self._directory.look(self.number)
        else:
            raise error

    def _unowned(self, last: Unavailable | None) -> Unavailable:
        why = f": the last answer was that {last.detail}" if last is not None else ""
        return Unavailable(
            f"the owner of {named(self.number)} was not found in time{why}", code="shard_unowned", repeatable=True,
            hint="ask again in a moment; GET /v1/health says how it is", shard=self.number, retry_after_s=RETRY_S,
        )  # fmt: skip


def _telling(last: Unavailable | None, error: Unavailable) -> Unavailable:
    """Of two answers in a row the one that is told: the later one, but for an owner that waits for its lease."""
    return last if last is not None and last.fields.get("lapsed") else error


def _with_ids(verb: str, args: tuple[object, ...]) -> bool:
    """Whether what is started has ids, so that it is started once."""
    if verb != "start_meant" or not args:
        return False
    items = msgspec.convert(args[0], list[JsonObject])
    return all(item.get("run_id") or item.get("key") for item in items)
