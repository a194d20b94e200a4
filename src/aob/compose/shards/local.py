"""A shard whose owner is this process: verbs go straight to its views. Also what an owner process answers with."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol

import msgspec

from aob.compose.app import App, assemble
from aob.compose.layout import Layout
from aob.compose.notices import ticket_of
from aob.compose.shards.journal_told import read_milestones, told_milestones, told_numbers
from aob.core.answers import JsonObject
from aob.core.errors import CallerError
from aob.core.policy import Caller
from aob.core.rights import mine, require
from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE
from aob.runs import Meant
from aob.runs.removal import Sweep

OWN_STREAMS: Final = frozenset({"milestones", "numbers"})
"""What an owner tells the main process as it happens, and nobody else."""
STREAMS: Final = OWN_STREAMS.union(verb.name for verb in TABLE if verb.streams)


class Answering(Protocol):
    """Whoever performs verbs of one shard."""

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb. Raises errors of the AobError tree."""


class Shard(Answering, Protocol):
    """One shard, wherever its owner is."""

    number: int

    @property
    def up(self) -> bool:
        """Whether its owner takes verbs now."""

    @property
    def state(self) -> str:
        """`ok`, or why it is not."""

    async def ready(self) -> None:
        """Wait until its owner takes verbs."""

    def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a verb that goes on. Raises Unavailable `shard_lost` when the owner ends in the middle."""


class LocalShard:
    """A shard of this very process."""

    up = True
    state = "ok"

    def __init__(self, number: int, running: App, table: Iterable[AnyVerb] = TABLE) -> None:
        self.number, self.views = number, running.views
        self._verbs = {verb.name: verb for verb in table if verb.answered_by != "main"}
        self.running = running
        self._inner: Final[dict[str, Callable[..., Coroutine[Any, Any, Any]]]] = {
            "health": self._health, "holds": self._holds, "position": self._position,
            "knows": self._knows, "position_fits": self._position_fits, "start_meant": self._start_meant,
            "read_milestones": self._read_milestones, "ticket_of": self._ticket_of,
            **sweeping(Sweep(running.views.core)),
        }  # fmt: skip

    async def ready(self) -> None:
        """It is."""

    async def call(self, verb: str, who: Caller | None, *args: Any, **named: Any) -> Any:
        """Perform a verb of the engine, or one that only the main process asks for."""
        if verb in self._inner:
            return await self._inner[verb](who, *args, **named)
        if verb not in self._verbs:
            raise CallerError(f"a shard has no verb {verb!r}", code="unknown_verb")
        return await getattr(self.views, verb)(who, *args, **named)

    def stream(self, verb: str, who: Caller, *args: Any, **named: Any) -> AsyncIterator[Any]:
        """Items of a verb that goes on."""
        if verb not in OWN_STREAMS and not (verb in self._verbs and self._verbs[verb].streams):
            raise CallerError(f"a shard has no stream {verb!r}", code="unknown_verb")
        if verb == "numbers":
            return told_numbers(self.views.core, **named)
        if verb == "milestones":
            return told_milestones(self.views.core, **named)
        feed: AsyncIterator[Any] = getattr(self.views, verb)(who, *args, **named)
        return feed

    async def _health(self, who: Caller | None) -> JsonObject:
        return await self.views.health()

    async def _position(self, who: Caller | None) -> str:
        return self.views.position()

    async def _knows(self, who: Caller | None, run_id: str) -> bool:
        """Whether a run lies here, or did before it was removed."""
        core = self.views.core
        known = run_id in core.journal.streams or run_id in core.journal.away
        return known or await core.store.head(run_id) is not None or await core.store.removed(run_id) is not None

    async def _position_fits(self, who: Caller | None, token: str) -> None:
        """Raises what is wrong with a position of this shard."""
        self.views.core.feed.place(token)

    async def _holds(self, who: Caller, what: str, id: str) -> bool:
        """Whether a run in memory has a ticket or a patch of this id. `what` is `tickets` or `patches`."""
        require(who, "view")
        if what == "tickets" and self.views.core.journal.tickets.held(who.tenant, id):
            return True
        return any(
            id in getattr(stream.state, what)
            for stream in self.views.core.journal.streams.values()
            if stream.law.kind in (("run", "workflow") if what == "tickets" else ("run",))
            and stream.seq
            and mine(who, stream.state)
        )

    async def _start_meant(self, who: Caller, items: list[JsonObject], meant: str) -> list[JsonObject]:
        return await self.views.start_meant(who, items, msgspec.json.decode(meant, type=dict[str, Meant]))

    async def _read_milestones(self, who: Caller | None, after: int) -> Any:
        return await read_milestones(self.views.core, after)

    async def _ticket_of(self, who: Caller | None, run_id: str, ticket_id: str) -> Any:
        return await ticket_of(self.views.core, run_id, ticket_id)


class RetiredShard(LocalShard):
    """A shard that owns no partition any more: what ended there is read, and pruned, in the home's main process."""

    def __init__(self, number: int, main: App, layout: Layout) -> None:
        self.number, self._main, self._layout = number, main, layout

    async def open(self, stack: AsyncExitStack) -> None:
        """Read it back, until the stack is left. It performs nothing, and needs no handlers for it."""
        main, number = self._main, self.number
        settings = msgspec.structs.replace(main.settings, app=())
        running = await assemble(stack, main.home, settings, (), self._layout, number)
        running.log.provide(main.log)
        running.reader.provide(main.reader)
        core = running.views.core
        if main.wiring is not None:
            read_through = main.wiring.read_through
            core.followed.append(lambda tenant: read_through(tenant, number, core.journal.durable_row))
        super().__init__(number, running)


def sweeping(sweep: Sweep) -> dict[str, Callable[..., Coroutine[Any, Any, Any]]]:
    """The verbs by which the main process sweeps all shards; no caller has them."""

    async def due(who: None, before_ms: int) -> Any:
        return await sweep.due(before_ms)

    async def referred(who: None, tenant: str, hashes: list[str], before_ms: int) -> Any:
        return await sweep.referred(tenant, hashes, before_ms)

    async def remove(who: None, tenant: str, kept: list[str], before_ms: int, row: int) -> int:
        return await sweep.remove(tenant, frozenset(kept), before_ms, row)

    return {"sweep_due": due, "sweep_referred": referred, "sweep_remove": remove}
