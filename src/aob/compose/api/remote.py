"""A home that another process holds, as the server of HTTP wants it: every verb is asked there; callers are recognised
here, by a copy of the home's keys that follows them."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Any, Final, Self

import msgspec

from aob.compose.api.room import Rows
from aob.compose.loop import end_tasks
from aob.compose.network import Peers, RemoteShard, Route
from aob.compose.network.greeting import Lines
from aob.compose.network.remote import Directory
from aob.core.answers import JsonObject
from aob.core.errors import AobError, CallerError
from aob.core.policy import Caller
from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE, key_verbs
from aob.ports.cluster import Record
from aob.ports.logger import Logger

HOME: Final = -1  # the process itself
AGAIN_S: Final = 0.2
WHERE: Final = "the home"  # whom a line of the log is about
COUNTS_S: Final = 2.0  # how long the answer to a change of a key waits until that counts here
NOBODY: Final = Caller("aob", "aob", frozenset())

log: Final = Logger("aob.api")


class Holders:
    """The processes that may hold the home, by address: one does, the others stand by and answer nothing. A
    `Directory` of one owner."""

    def __init__(self, addresses: Sequence[str], peers: Peers) -> None:
        self._addresses, self._peers = list(addresses), peers
        self._seeds = frozenset(addresses)
        self._names: dict[str, str] = {}
        self._at = self._epoch = 0

    def owner(self, shard: int) -> Route | None:
        """Whom to ask."""
        return Route(self._addresses[self._at], self._epoch)

    async def look(self, shard: int) -> Route | None:
        """Another one: the next that can be asked, or else the next."""
        count = len(self._addresses)
        order = [(self._at + turn) % count for turn in range(1, count + 1)]
        self._at = next((at for at in order if self._peers.of(self._addresses[at]).up), order[0])
        self._epoch += 1
        return self.owner(shard)

    def learn(self, shard: int, route: Route) -> None:
        """It says who holds the home, which may be a process that came later."""
        if route.address not in self._addresses:
            self._addresses.append(route.address)
        self._at = self._addresses.index(route.address)

    @property
    def addresses(self) -> Sequence[str]:
        """All that are known."""
        return tuple(self._addresses)

    @property
    def names(self) -> dict[str, str]:
        """What each of them is called in its cluster, by address; empty where that is not known."""
        return {address: self._names.get(address, "") for address in self._addresses}

    def knows(self, present: Mapping[str, str]) -> None:
        """These are the processes of the cluster now, with their ids: others are asked only if they were named at the
        start."""
        at = self._addresses[self._at]
        kept = [each for each in self._addresses if each in self._seeds or each in present or each == at]
        self._addresses = [*kept, *(each for each in present if each not in kept)]
        self._at = self._addresses.index(at)
        self._names = {**self.names, **present}


class RemoteHome:
    """All verbs of the home while it is entered; entering waits for the first copy of its keys and of the settings that
    all share, which `settings` takes."""

    def __init__(
        self, holders: Directory, peers: Peers, settings: Callable[[Record | None], None] = lambda record: None,
        table: Iterable[AnyVerb] = TABLE,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._home = RemoteShard(HOME, holders, peers)
        self._by_hash: dict[str, Caller] = {}
        self._by_id: dict[str, Caller] = {}
        self._known, self._changed = asyncio.Event(), asyncio.Event()
        self._following: list[asyncio.Task[None]] = []
        self._asked: dict[str, asyncio.Task[JsonObject]] = {}
        self._first = asyncio.get_running_loop().create_future()
        self.keys_changed: Callable[[], None] = lambda: None
        """Called when a key was made or revoked, here or elsewhere."""
        self.gateway_told: Callable[[], JsonObject] = dict
        """Where workers come to at this process, and how many are attached."""
        for verb in table:
            setattr(self, verb.name, self._streaming(verb) if verb.streams else self._asking(verb))

    async def __aenter__(self) -> Self:
        self._following = [
            asyncio.create_task(each, name=f"aob-{name}")
            for name, each in (("keys", self._follow_keys()), ("settings", self._follow_settings()))
        ]
        try:
            await self._known.wait()
            await self._first
        except BaseException:
            await end_tasks(*self._following)
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(*self._following, *self._asked.values())

    def authenticate(self, secret: str) -> Caller | None:
        """The caller that a secret belongs to, or None. Indexed by the hash of the secret, which is random."""
        return self._by_hash.get(sha256(secret.encode()).hexdigest())

    def holder(self, key_id: str) -> Caller | None:
        """The caller of a key, by the key's id; None once it is revoked."""
        return self._by_id.get(key_id)

    async def health(self) -> JsonObject:
        """The health of the home; workers come to this process where it serves them."""
        return await self._shared("home_health") | self.gateway_told()

    async def gateways(self) -> frozenset[str]:
        """Where the home's processes listen for workers."""
        try:
            members: list[JsonObject] = await self._home.call("members", None)
        except CallerError:  # one process holds the whole home
            told: JsonObject = await self._home.call("home_health", None)
            members = [{"grpc": str(told.get("workers") or "").removeprefix("grpcs://")}]
        return frozenset(str(each["grpc"]) for each in members if each.get("grpc"))

    async def metrics_health(self) -> JsonObject:
        """The health of its numbers."""
        return await self._shared("home_metrics_health")

    async def _shared(self, verb: str) -> JsonObject:
        """The answer to what anybody may ask without a key, and what costs every owner: asked once for all who wait."""
        asked = self._asked.get(verb)
        if asked is None:
            own = contextvars.Context()  # neither the trace nor the patience of one of them counts
            asked = self._asked[verb] = asyncio.create_task(self._home.call(verb, None), context=own)
            asked.add_done_callback(partial(self._answered, verb))
        return await asyncio.shield(asked)

    def _answered(self, verb: str, asked: "asyncio.Task[JsonObject]") -> None:
        del self._asked[verb]
        if not asked.cancelled():
            asked.exception()  # those who wait hear it

    async def link_secrets(self) -> list[bytes]:
        """The secrets of signed links: the first signs them."""
        return msgspec.convert(await self._home.call("link_secrets", None), list[bytes])

    def _asking(self, verb: AnyVerb) -> Callable[..., Any]:
        async def ask(who: Caller, /, *given: object, **named: object) -> Any:
            args = msgspec.to_builtins(verb.args(*given, **named))
            told = await self._at_home(verb.name, who, args)
            if verb.name == key_verbs.CREATE.name:
                await self._counts(told["id"], True)
            elif verb.name == key_verbs.REVOKE.name:
                await self._counts(args["key_id"], False)
            return told

        return ask

    async def _counts(self, key_id: str, there: bool) -> None:
        """A key is there, or is gone, here too once its change is answered; not waited for beyond a moment, for another
        may have changed it back, or the home is away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(COUNTS_S):
                while (key_id in self._by_id) is not there:
                    await self._changed.wait()

    async def _at_home(self, verb: str, who: Caller | None, args: dict[str, object]) -> Any:
        """The answer of the process that holds the home."""
        return await self._home.call(verb, who, **args)

    def _streaming(self, verb: AnyVerb) -> Callable[..., AsyncIterator[Any]]:
        def stream(who: Caller, /, *given: object, **named: object) -> AsyncIterator[Any]:
            return self._home.stream(verb.name, who, **msgspec.to_builtins(verb.args(*given, **named)))

        return stream

    async def _follow_settings(self) -> None:
        """Take the shared settings as they change. Entering raises what the first of them raise."""
        lines, loop = Lines("settings_not_followed"), asyncio.get_running_loop()
        while True:
            try:
                async for item in self._home.stream("shared_settings", NOBODY):
                    found = msgspec.convert(item, list[Record])
                    try:
                        self._settings(found[0] if found else None)
                    except AobError as error:
                        if not self._first.done():
                            self._first.set_exception(error)
                        log.warning("settings_not_taken", code=error.code, why=error.detail)
                    if not self._first.done():
                        self._first.set_result(None)
            except AobError as error:
                lines.say(WHERE, error.detail, loop.time())
                if isinstance(error, CallerError) and not self._first.done():
                    self._first.set_result(None)  # of an earlier release: it shares none
            await asyncio.sleep(AGAIN_S)

    async def _follow_keys(self) -> None:
        """Keep the copy of the keys; while the home cannot be asked the last one counts, and its verbs answer 503."""
        lines, loop = Lines("keys_not_followed"), asyncio.get_running_loop()
        while True:
            try:
                async for item in self._home.stream("keyring", NOBODY):
                    rows = msgspec.convert(item, Rows)
                    self._by_hash = dict(rows)
                    self._by_id = {caller.id: caller for _, caller in rows}
                    self._known.set()
                    changed, self._changed = self._changed, asyncio.Event()
                    changed.set()
                    self.keys_changed()
            except AobError as error:
                lines.say(WHERE, error.detail, loop.time())
            await asyncio.sleep(AGAIN_S)
