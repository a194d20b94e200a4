"""A shard whose owner is this process: calls its views directly. Owner processes answer with it too; a main process
may hold several."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Protocol, get_type_hints

import msgspec
from msgspec.structs import asdict

from aob.compose.app import App, assemble
from aob.compose.layout import Layout, Place
from aob.compose.lock import owning
from aob.compose.loop import end_tasks
from aob.compose.shards.inner import OWN_STREAMS, OfMain, OfOwner, moves_of, table_of
from aob.compose.topics import TopicsOfShard
from aob.compose.wire import DOWN
from aob.core.errors import AobError, CallerError, Conflict, Unavailable
from aob.core.event import MessageMark
from aob.core.opening import Opening
from aob.core.policy import Caller
from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE
from aob.journal.messages import Delivery
from aob.ports.logger import Logger
from aob.runs import Core

AWAY: Final = "store_away"
AGAIN_S: Final = 0.5  # pause between two attempts to open a shard whose database is away
LOCK_WAIT_S: Final = 20.0  # how long an owner waits for the one before it to release the shard
STREAMS: Final = OWN_STREAMS.union(verb.name for verb in TABLE if verb.streams)
TYPED: Final = {verb.name: verb.args for verb in TABLE if bytes in get_type_hints(verb.args).values()}
"""Arguments that JSON, in which other processes ask, has as another type."""
log: Final = Logger("aob.compose")


class Answering(Protocol):
    """Performs verbs of one shard."""

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb. Raises errors of the AobError tree."""


class Shard(Answering, Protocol):
    """One shard, in this or another process. `owned`: whether it has an owner process."""

    number: int
    owned: bool

    @property
    def up(self) -> bool:
        """Whether its owner takes verbs now."""

    @property
    def state(self) -> str:
        """`ok`, or why it is not."""

    async def ready(self) -> None:
        """Wait until its owner takes verbs."""

    def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a streaming verb. Raises Unavailable `shard_lost` when the owner ends midway."""


class LocalShard:
    """A shard of this process."""

    up = True
    owned = False
    state = "ok"

    def __init__(self, number: int, running: App, table: Iterable[AnyVerb] = TABLE) -> None:
        self.number, self.views = number, running.views
        self._verbs = {verb.name: verb for verb in table if verb.answered_by != "main"}
        self.running = running
        place = Place(running.views.core, running.shared.storage.reading, number)
        topics = TopicsOfShard(running.views.core.journal)
        self._inner = table_of(OfOwner(running.views, running.held)) | table_of(topics) | moves_of(place)

    async def ready(self) -> None:
        """Returns at once."""

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb of the engine, or one that only the main process may ask for."""
        if verb in self._inner:
            return await self._inner[verb](who, *args, **named)
        if verb not in self._verbs:
            raise CallerError(f"a shard has no verb {verb!r}", code="unknown_verb")
        if verb in TYPED:
            given: Any = TYPED[verb]
            fields = dict(zip(given.__struct_encode_fields__, args, strict=False))
            args, named = (), asdict(msgspec.convert({**fields, **named}, given))
        return await getattr(self.views, verb)(who, *args, **named)

    def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        if verb not in OWN_STREAMS and not (verb in self._verbs and self._verbs[verb].streams):
            raise CallerError(f"a shard has no stream {verb!r}", code="unknown_verb")
        perform = self._inner[verb] if verb in OWN_STREAMS else getattr(self.views, verb)
        feed: AsyncIterator[Any] = perform(who, *args, **named)
        return feed


class BesideShard(LocalShard):
    """A shard that this process opens besides its first."""

    def __init__(self, number: int, main: App, layout: Layout) -> None:
        self.number, self._main, self._layout = number, main, layout
        self.opening = Opening()
        self._stack, self._closed = AsyncExitStack(), asyncio.Event()
        self._is_open = False

    def _check_open(self) -> None:
        """Raises Unavailable `shard_down` before it is open: whoever asks is answered as soon as it is."""
        if not self._is_open:
            raise Unavailable(f"shard {self.number} is being opened", code=DOWN, shard=self.number, retry_after_s=1.0)

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """As of any shard. Raises Unavailable `shard_down` before it is open."""
        self._check_open()
        return await super().call(verb, who, *args, **named)

    async def __aexit__(self, *exc: object) -> None:
        self._closed.set()
        await self._stack.aclose()

    async def _opened(self) -> Core:
        """Open it until it is left."""
        main, number, stack = self._main, self.number, self._stack
        running = await assemble(
            stack, main.home, main.settings, (), self._layout, number, self.opening, main.shared
        )  # fmt: skip
        core = running.views.core
        if main.wiring is not None:
            read_through = main.wiring.read_through
            core.followed.append(lambda tenant: read_through(tenant, number, core.journal.durable_row))
        super().__init__(number, running)
        self._is_open = True
        return core

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        self._check_open()
        feed, closed = super().stream(verb, who, *args, **named), asyncio.ensure_future(self._closed.wait())
        item: asyncio.Task[Any] | None = None
        try:
            while True:
                item = asyncio.ensure_future(_next(feed))
                await asyncio.wait({item, closed}, return_when=asyncio.FIRST_COMPLETED)
                if not item.done():
                    raise Unavailable(f"shard {self.number} gets an owner", code="shard_lost", retry_after_s=1.0)
                if (found := item.result()) is None:
                    return
                yield found
        finally:
            await end_tasks(closed, item)


class RetiredShard(BesideShard):
    """A shard that owns no partition any more: the main process reads and prunes the runs that ended there."""

    async def __aenter__(self) -> "RetiredShard":
        """Load it until it is left. Nothing is dispatched; its runs are replayed with the home's handlers, and
        their forks start in shard 0."""
        core, main = await self._opened(), self._main.views.core
        core.heir, core.values.elsewhere = main, main.values.elsewhere
        return self


class HeldShard(BesideShard):
    """A shard of this process with its own journal. `room` answers what an owner asks of the main process. While the
    database that has it is away it is down, and is opened as soon as that is back."""

    owned = True

    def __init__(self, number: int, main: App, layout: Layout, room: OfMain) -> None:
        super().__init__(number, main, layout)
        self._room = room
        self._there = asyncio.Event()
        self._away: Unavailable | None = None
        self._trying: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "HeldShard":
        """Take it, until it is left."""
        try:
            await self._taken()
        except BaseException as error:
            if not isinstance(error, Unavailable) or error.code != AWAY:
                raise
            self._is_away(error)
            self._trying = asyncio.create_task(self._try(), name=f"aob-shard-{self.number}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(self._trying)
        await super().__aexit__(*exc)

    async def ready(self) -> None:
        """Wait until it is open."""
        await self._there.wait()

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """As of any shard. Raises Unavailable `store_away` while it cannot be opened."""
        if self._away is not None:
            raise self._down(self._away)
        return await super().call(verb, who, *args, **named)

    async def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        if self._away is not None:
            raise self._down(self._away)
        async for item in super().stream(verb, who, *args, **named):
            yield item

    def _down(self, away: Unavailable) -> Unavailable:
        return Unavailable(
            f"shard {self.number} is not open: {away.detail}", code=AWAY, hint=away.hint, shard=self.number,
            retry_after_s=1.0,
        )  # fmt: skip

    def _is_away(self, error: Unavailable) -> None:
        if self._away is None or self._away.detail != error.detail:
            log.warning("shard_away", shard=self.number, detail=error.detail, hint=error.hint)
        self._away, self.up, self.state = error, False, AWAY

    async def _try(self) -> None:
        while self._away is not None:
            await asyncio.sleep(AGAIN_S)
            try:
                await self._taken()
            except AobError as error:
                self._is_away(error if isinstance(error, Unavailable) else Unavailable(error.detail, code=error.code))
        log.info("shard_is_back", shard=self.number)

    async def _taken(self) -> None:
        room, stack = self._room, self._stack
        try:
            await locked(stack, self._main.home, self.number)
            core = await self._opened()

            async def document(tenant: str, digest: bytes) -> bytes | None:
                return await room.value(None, tenant, digest.hex())

            async def deliver(delivery: Delivery) -> MessageMark:
                return await room.deliver(None, delivery)

            core.journal.post, core.values.elsewhere, core.run_law.carried = deliver, document, set()
            await stack.enter_async_context(self.running.working())
        except BaseException:
            self._stack = AsyncExitStack()
            await stack.aclose()
            raise
        self._away, self.up, self.state = None, True, "ok"
        self._there.set()


async def locked(stack: AsyncExitStack, home: Path, shard: int) -> None:
    """Hold the lock of a shard's file, as soon as the owner before has released it. Raises Conflict if it does not."""
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            stack.enter_context(owning(home, f"shard-{shard}.lock"))
            return
        except Conflict:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.02)


async def _next(feed: AsyncIterator[Any]) -> Any:
    return await anext(feed, None)
