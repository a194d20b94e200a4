"""The verbs of a home with several shards: each goes to the owner of its run, lists and feeds are merged. Shard 0 alone
has workflows and keys; every verb raises Unavailable `shard_down` with `retry_after_s` while the owner that it needs is
restarting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from msgspec.structs import asdict

from aob.compose.layout import Layout
from aob.compose.shards.feeds import Item, follow_all, follow_run
from aob.compose.shards.local import Shard
from aob.compose.shards.removal import prune_step
from aob.compose.shards.starts import MOVED, Home, Starts
from aob.compose.threads import all_names
from aob.compose.wire import encode
from aob.compose.wire.waiting import AGAIN_S, UNOWNED_S, finds_owner, until
from aob.compose.workers.attached import workers_at
from aob.core.agent.shown import AgentKeyList
from aob.core.agent_name import AGENT, agent_stream
from aob.core.answers import JsonObject, Pruned, ticket_place
from aob.core.errors import AobError, NotFound, Unavailable
from aob.core.event import Position, holder_of
from aob.core.policy import Caller
from aob.core.rights import KEPT_BY_ID, may
from aob.core.task import Kind
from aob.core.verb import AnyVerb, NoArgs, performs
from aob.core.verbs import TABLE, key_verbs, run_verbs, value_verbs
from aob.core.verbs import ticket_verbs as verbs
from aob.core.verbs.organisation import agent_key_verbs
from aob.core.verbs.work import task_verbs
from aob.runs.fleet import joined
from aob.tasks import joined_page, stream_asked
from aob.views import Views, next_page, read_from, run_graph

HELD_S: Final = 5.0
"""How long a request waits for the partition of its run to arrive where it moves, before it is told to ask again."""
HELD_MAX: Final = 256  # requests that wait for it at once
HELD_BYTES: Final = 64 * 2**20  # what these carry, together
HEALTH_S: Final = 2.0  # how long an owner may take to report its health

T = TypeVar("T")


class ShardedViews(Starts):
    """All verbs of an engine for the server, over several owners. `local` has the home's own verbs, and resolves the
    names of starts."""

    def __init__(self, local: Home, shards: Sequence[Shard], layout: Layout, table: Iterable[AnyVerb] = TABLE) -> None:
        super().__init__(local, shards)
        self._grown = set[asyncio.Queue[Any]]()
        self.told(layout)
        if isinstance(local, Views):
            self.core = local.core
        self.authenticate, self.holder = local.authenticate, local.holder
        for verb in table:
            if verb.name not in dir(self) and verb.name in dir(local):
                ours = verb.answered_by == "main"
                setattr(self, verb.name, getattr(local, verb.name) if ours else self._asking(verb))

    def told(self, layout: Layout) -> None:
        """The shards own these partitions from now on."""
        self._layout = layout
        self._owning = [self._shards[number] for number in layout.active]
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for ready in self._grown:
            if not ready.full():
                ready.put_nowait(None)  # it may have to read one more

    async def _at(
        self, run_id: str, ask: Callable[[Shard], Awaitable[T]], again: Callable[[], None] = lambda: None,
        args: object = None,
    ) -> T:  # fmt: skip
        """Ask the shard of a run; `again` while its partition moves, and while nobody owns it. Raises Unavailable
        `partition_moving` or `shard_unowned` when that takes long, or too many wait, or their `args` are too large
        together."""
        until_s, size = 0.0, 0
        while True:
            changed = self._changed
            try:
                return await ask(await self._of(run_id))
            except Unavailable as error:
                if error.code != MOVED and not finds_owner(error):
                    raise
                until_s, size = until_s or self._until(error), size or len(encode(args))
                await self._until_moved(changed, until_s, size, error)
            again()

    def _until(self, error: AobError) -> float:
        return until(HELD_S if error.code == MOVED else UNOWNED_S)

    async def _until_moved(self, changed: asyncio.Event, until_s: float, size: int, error: AobError) -> None:
        if error.code != MOVED:
            if not await self._waiting.turn(until_s, size):
                raise error
        elif not await self._waiting.turn(until_s, size, HELD_MAX, HELD_BYTES, changed):
            raise Unavailable(error.detail, code="partition_moving", hint="ask again in a moment",
                              retry_after_s=1.0) from error  # fmt: skip

    def _asking(self, verb: AnyVerb) -> Callable[..., Any]:
        """A function that routes a verb to its shard and does nothing else."""

        async def ask(who: Caller, /, *given: Any, **named: Any) -> Any:
            return await self._ask(verb, who, verb.args(*given, **named))

        return ask

    async def _ask(self, verb: AnyVerb, who: Caller, args: Any) -> Any:
        may(who, verb.action)
        if verb.answered_by == "holder":
            return await self._of_holder(verb, who, args)
        if verb.answered_by == "key":
            stream = agent_stream(who.tenant, args.agent, args.key)
            return await self._at(stream, lambda shard: shard.call(verb.name, who, **asdict(args)), args=args)
        if verb.answered_by == "any":
            return await self._any().call(verb.name, who, **asdict(args))
        if verb.answered_by == "work":
            stream = stream_asked(who, args)
            return await self._at(stream, lambda shard: shard.call(verb.name, who, **asdict(args)), args=args)
        return await self._at(args.run_id, lambda shard: shard.call(verb.name, who, **asdict(args)), args=args)

    # -- one run ----------------------------------------------------------------------------------------------------

    async def _of(self, run_id: str) -> Shard:
        """The shard of a run: the owner of its partition, or an earlier one if the run ended there."""
        owner, *before = (self._shards[number] for number in self._layout.shards_of(run_id))
        if before and not await owner.call("knows", None, run_id):
            for shard in before:
                if await shard.call("knows", None, run_id):
                    return shard
        return owner

    @performs(run_verbs.SHOW)
    async def run(self, who: Caller, args: run_verbs.ShowRun) -> JsonObject:
        """A whole run."""
        least = args.min_position

        async def ask(shard: Shard) -> JsonObject:
            at = Position.split(least, len(self._shards))[shard.number] if least is not None else None
            return self._placed(shard, args.run_id, await shard.call("run", who, args.run_id, min_position=at))

        return await self._at(args.run_id, ask)

    @performs(run_verbs.GRAPH)
    async def graph(self, who: Caller, args: run_verbs.ShowRun) -> JsonObject:
        """The graph of a run."""
        return run_graph(await self.run(who, args.run_id, args.min_position))

    @performs(run_verbs.WAIT)
    async def wait(self, who: Caller, args: run_verbs.WaitForRun) -> JsonObject:
        """The run as soon as it has ended, or its state after the timeout."""
        given, loop = asdict(args), asyncio.get_running_loop()
        until_s = loop.time() + args.within_ms / 1_000

        async def ask(shard: Shard) -> JsonObject:
            return self._placed(shard, args.run_id, await shard.call("wait", who, **given))

        def left() -> None:  # it may have waited before its run moved
            given["within_ms"] = max(0, min(args.within_ms, round((until_s - loop.time()) * 1_000)))

        return await self._at(args.run_id, ask, left)

    @performs(run_verbs.TIMELINE)
    async def timeline(self, who: Caller, args: run_verbs.ShowTimeline) -> list[JsonObject]:
        """Events of a run."""

        async def ask(shard: Shard) -> list[JsonObject]:
            entries = await shard.call("timeline", who, **asdict(args))
            return [self._placed(shard, args.run_id, each) for each in entries]

        return await self._at(args.run_id, ask)

    def _placed(self, shard: Shard, run_id: str, told: JsonObject) -> JsonObject:
        return {**told, "position": self._layout.widened(told["position"], shard.number, run_id)}

    # -- by the id of a patch, a ticket or a value ------------------------------------------------------------------

    async def _of_holder(self, verb: AnyVerb, who: Caller, args: Any) -> Any:
        """Ask the shard of the run or key that the id of a ticket or patch names. Values may be anywhere."""
        if verb.resource not in KEPT_BY_ID:
            return await self._wherever(verb.name, who, **asdict(args))
        id: str = getattr(args, KEPT_BY_ID[verb.resource].argument)
        run = holder_of(id) or await self._holder(id)
        if not run.startswith(("run_", AGENT)):
            return await self._shards[0].call(verb.name, who, **asdict(args))
        return await self._at(run, lambda shard: shard.call(verb.name, who, **asdict(args)), args=args)

    async def _holder(self, id: str) -> str:
        """The stream of an id that does not name it: of a patch of a tag, or of an earlier release. Raises Unavailable
        when no reachable shard has it and another is down."""
        asked = (shard.call("holder", None, id) for shard in self._shards)
        found = await asyncio.gather(*asked, return_exceptions=True)
        known = [each for each in found if isinstance(each, str)]
        missing = next((each for each in found if isinstance(each, BaseException)), None)
        if missing is not None and not any(known):
            raise missing
        return max(known)

    async def _wherever(self, verb: str, who: Caller, *args: Any, **named: Any) -> Any:
        """The answer of the first shard that has it. Raises the last NotFound, or Unavailable when a shard is down."""
        for shard in self._shards[:-1]:
            with suppress(NotFound):
                return await shard.call(verb, who, *args, **named)
        return await self._shards[-1].call(verb, who, *args, **named)

    async def thread(self, stream: str, tenant: str, thread: str, command: bytes) -> bytes:
        """Perform a command about a thread of a graph, at the owner of its stream."""
        told: bytes = await self._at(stream, lambda shard: shard.call("thread", None, tenant, thread, command))
        return told

    async def thread_names(self, tenant: str, kind: str) -> list[str]:
        """The names of a tenant's threads, or of another kind, of all shards."""
        found: set[str] = set()
        for shard in self._shards:
            found.update(await all_names(partial(shard.call, "thread_names", None, tenant, kind)))
        return sorted(found)

    # -- lists ------------------------------------------------------------------------------------------------------

    @performs(run_verbs.LIST)
    async def runs(self, who: Caller, args: run_verbs.ListRuns) -> JsonObject:
        """A page of runs of all shards, newest first."""
        limit = args.limit
        pages = await asyncio.gather(*(shard.call("runs", who, **asdict(args)) for shard in self._shards))
        found = sorted(
            (row for page in pages for row in page["runs"]),
            key=lambda row: (row["started_at"], row["run_id"]), reverse=True,
        )  # fmt: skip
        more = len(found) > limit or any(page["next"] is not None for page in pages)
        shown = found[:limit]
        return {
            "runs": shown, "next": next_page(shown) if more else None,
            "as_of": Position.joined([Position.row_of(page["as_of"]) for page in pages], pages[0]["as_of"]),
            **read_from(pages),
        }  # fmt: skip

    @performs(task_verbs.LIST)
    async def tasks(self, who: Caller, args: task_verbs.ListTasks) -> JsonObject:
        """A page of tasks of all shards, newest first."""
        return await self._newest("task", who, args)

    @performs(task_verbs.LIST_PLANS)
    async def plans(self, who: Caller, args: task_verbs.ListPlans) -> JsonObject:
        """A page of plans of all shards, newest first."""
        return await self._newest("plan", who, args)

    async def _newest(self, kind: Kind, who: Caller, args: Any) -> JsonObject:
        name = f"{kind}s"
        pages = await asyncio.gather(*(shard.call(name, who, **asdict(args)) for shard in self._shards))
        return joined_page(kind, who.tenant, pages, args.limit)

    @performs(agent_key_verbs.KEYS)
    async def agent_keys(self, who: Caller, args: agent_key_verbs.ListKeys) -> AgentKeyList:
        """A page of the keys of an agent of all shards that own partitions."""
        pages: list[AgentKeyList] = await asyncio.gather(
            *(shard.call("agent_keys", who, **asdict(args)) for shard in self._owning)
        )
        found = sorted(
            (row for page in pages for row in page["keys"]),
            key=lambda row: agent_stream(who.tenant, args.agent, row["key"]), reverse=True,
        )  # fmt: skip
        more = len(found) > args.limit or any(page["next"] is not None for page in pages)
        shown = found[: args.limit]
        return {"keys": shown, "next": shown[-1]["key"] if more and shown else None}

    @performs(verbs.LIST)
    async def tickets(self, who: Caller, args: verbs.ListTickets) -> list[JsonObject]:
        """Tickets of all shards, the soonest deadline first."""
        if args.run_id is not None:
            return await self._at(args.run_id, lambda shard: shard.call("tickets", who, **asdict(args)))
        shards = self._shards
        lists = await asyncio.gather(*(shard.call("tickets", who, **asdict(args)) for shard in shards))
        found = (ticket for tickets in lists for ticket in tickets)
        return sorted(found, key=lambda ticket: ticket_place(ticket.get("due"), ticket["ticket_id"]))[: args.limit]

    @performs(key_verbs.WORKERS)
    async def workers(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """The workers of all shards. One that serves several processes has the jobs of each."""
        answers = await asyncio.gather(*(shard.call("workers", who) for shard in self._shards))
        states = await asyncio.gather(*map(self._state_of, self._shards))
        counts = {(each["name"], each["build"]): each for each in workers_at(states) if each["tenant"] == who.tenant}
        rows = joined(answers, ("worker", "build"))
        for row in rows:
            if (known := counts.get((row["worker"], row["build"]))) is not None:
                row |= {"state": known["state"], "running": known["jobs"], "done": known["done"]}
        return rows

    async def _state_of(self, shard: Shard) -> JsonObject:
        with suppress(Unavailable):  # an owner of an earlier release, or one that has just gone
            told: JsonObject = await shard.call("shard_status", None)
            return told
        return {}

    @performs(key_verbs.BUILDS)
    async def builds(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """The builds of all shards."""
        answers = await asyncio.gather(*(shard.call("builds", who) for shard in self._shards))
        return joined(answers, ("build",), ("runs",))

    async def health(self) -> JsonObject:
        """The health of each shard, asked of all at once; `status` is `ok` when all are."""
        told = await self._local.health()
        shards = await asyncio.gather(*map(self._health_of, self._shards))
        rows = [Position.row_of(one["position"]) if "position" in one else Position.BEGIN for one in shards]
        fine = all(one["status"] == "ok" for one in shards)
        at = Position.joined(rows, told["position"])
        return {**told, "status": "ok" if fine else "degraded", "position": at, "shards": shards}

    async def _health_of(self, shard: Shard) -> JsonObject:
        one: JsonObject = {"status": shard.state}
        if shard.up:
            try:
                async with asyncio.timeout(HEALTH_S):
                    one = await shard.call("health", None)
            except (Unavailable, TimeoutError) as error:
                one = {"status": error.code if isinstance(error, Unavailable) else "slow"}
        return {**one, "shard": shard.number}

    @performs(run_verbs.PRUNE)
    async def prune(self, who: Caller, args: run_verbs.PruneRuns) -> Pruned:
        """One step of removing ended runs, one shard after the other."""
        return await prune_step(self._shards, self._layout, who, args)

    # -- feeds ------------------------------------------------------------------------------------------------------

    @performs(value_verbs.LOGS)
    async def logs(self, who: Caller, args: value_verbs.ReadLogs) -> AsyncIterator[str]:
        """Lines of the handlers' logs. All shards write them into one place: where a run goes on, its lines do."""
        given, passed = asdict(args), 0
        while True:
            shard, number = await self._of(args.run_id), 0
            try:
                async for line in shard.stream("logs", who, **given):
                    number += 1
                    if number > passed:
                        passed = number
                        yield line
            except Unavailable as error:
                if error.code != MOVED and not finds_owner(error):
                    raise
            else:
                return
            await asyncio.sleep(AGAIN_S)

    @performs(run_verbs.FOLLOW)
    def follow(self, who: Caller, args: run_verbs.FollowRuns) -> AsyncIterator[Item]:
        """Events of a run, or of all runs, after a position of the home."""
        if args.run_id is not None:
            return follow_run(lambda: self._layout, self._shards, self._of, who, args.run_id, args.position, args.types)
        return follow_all(lambda: self._layout, self._shards, self._grown, who, args.position, args.types, args.place)
