"""The verbs of a home with several shards: each goes to the owner of its run, lists and feeds are merged. Shard 0 alone
has workflows and keys; every verb raises Unavailable `shard_down` with `retry_after_s` while the owner that it needs is
restarting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final, TypeVar

from msgspec.structs import asdict

from aob.compose.layout import Layout
from aob.compose.shards.feeds import Item, follow_all, follow_run
from aob.compose.shards.local import Shard
from aob.compose.shards.removal import prune_step
from aob.compose.wire import encode
from aob.core.answers import JsonObject, Pruned, ticket_place
from aob.core.errors import AobError, NotFound, Unavailable
from aob.core.event import Position, holder_of
from aob.core.policy import Caller
from aob.core.problem import error_of, problem_of
from aob.core.rights import KEPT_BY_ID, may
from aob.core.verb import AnyVerb, NoArgs, performs
from aob.core.verbs import TABLE, key_verbs, run_verbs, value_verbs
from aob.core.verbs import ticket_verbs as verbs
from aob.runs import StartTarget, keyed_id, names_of
from aob.runs.fleet import joined
from aob.views import Views, next_page, read_from, run_graph

SPREAD_MIN: Final = 64  # A batch of so many starts is spread over the shards; a smaller one is one commit of one shard
HELD_S: Final = 5.0
"""How long a request waits for the partition of its run to arrive where it moves, before it is told to ask again."""
HELD_AGAIN_S: Final = 0.1
HELD_MAX: Final = 256  # requests that wait for it at once
HELD_BYTES: Final = 64 * 2**20  # what these carry, together
HEALTH_S: Final = 2.0  # how long an owner may take to report its health

T = TypeVar("T")


class ShardedViews:
    """All verbs of an engine for the server, over several owners. `shards[0]` is this process."""

    def __init__(self, local: Views, shards: Sequence[Shard], layout: Layout, table: Iterable[AnyVerb] = TABLE) -> None:
        self._local, self._shards = local, shards
        self._held = self._held_bytes = 0
        self._changed = asyncio.Event()
        self._grown = set[asyncio.Queue[Any]]()
        self.told(layout)
        self.core = local.core
        self._turn = count()
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
        """Ask the shard of a run; `again` while its partition moves. Raises Unavailable `partition_moving` when that
        takes long, or too many wait, or their `args` are too large together."""
        until_s, size = 0.0, 0
        while True:
            changed = self._changed
            try:
                return await ask(await self._of(run_id))
            except Unavailable as error:
                if error.code != "partition_moved":
                    raise
                until_s, size = until_s or asyncio.get_running_loop().time() + HELD_S, size or len(encode(args))
                await self._until_moved(changed, until_s, size, error)
            again()

    async def _until_moved(self, changed: asyncio.Event, until_s: float, size: int, error: AobError) -> None:
        left_s = until_s - asyncio.get_running_loop().time()
        if left_s <= 0 or self._held >= HELD_MAX or self._held_bytes + size > HELD_BYTES:
            raise Unavailable(error.detail, code="partition_moving", hint="ask again in a moment",
                              retry_after_s=1.0) from error  # fmt: skip
        self._held, self._held_bytes = self._held + 1, self._held_bytes + size
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left_s, HELD_AGAIN_S))
        finally:
            self._held, self._held_bytes = self._held - 1, self._held_bytes - size

    def _asking(self, verb: AnyVerb) -> Callable[..., Any]:
        """A function that routes a verb to its shard and does nothing else."""

        async def ask(who: Caller, /, *given: Any, **named: Any) -> Any:
            return await self._ask(verb, who, verb.args(*given, **named))

        return ask

    async def _ask(self, verb: AnyVerb, who: Caller, args: Any) -> Any:
        may(who, verb.action)
        if verb.answered_by == "holder":
            return await self._of_holder(verb, who, args)
        if verb.answered_by == "any":
            return await self._any().call(verb.name, who, **asdict(args))
        return await self._at(args.run_id, lambda shard: shard.call(verb.name, who, **asdict(args)), args=args)

    # -- starts -----------------------------------------------------------------------------------------------------

    @performs(run_verbs.START)
    async def start(self, who: Caller, args: run_verbs.StartRun) -> JsonObject:
        """Start a run, once per key."""
        item = {name: value for name, value in asdict(args).items() if value is not None}
        (verdict,) = await self.start_many(who, [item])
        if "error" in verdict:
            raise error_of(verdict["error"], int(verdict["error"].get("status", 500)))
        return verdict

    @performs(run_verbs.START_MANY)
    async def start_many(self, who: Caller, args: run_verbs.StartRuns) -> list[JsonObject]:
        """Start many: one verdict each, in order; those of a shard that is down are refused alone. Shard 0 resolves
        names and tags, and each start carries the result."""
        items, meant, removed = args.items, dict[str, StartTarget](), dict[str, int]()
        changed, until_s, size = self._changed, 0.0, 0
        verdicts = await self._once(who, items, meant, removed)
        while left := [at for at, each in enumerate(verdicts) if "error" in each and _moved(each["error"])]:
            until_s, size = until_s or asyncio.get_running_loop().time() + HELD_S, size or len(encode(items))
            try:
                await self._until_moved(changed, until_s, size, error_of(verdicts[left[0]]["error"], 503))
            except Unavailable as error:
                for at in left:
                    verdicts[at] = {"error": problem_of(error)}
                break
            changed = self._changed
            for at, verdict in zip(
                left, await self._once(who, [items[at] for at in left], meant, removed), strict=True
            ):
                verdicts[at] = verdict
        return verdicts

    async def _once(
        self, who: Caller, items: list[Any], meant: dict[str, StartTarget], removed: dict[str, int]
    ) -> list[JsonObject]:
        fixed = [await self._of_start(who, item, meant, removed) for item in items]
        free = iter(self._spread(fixed.count(None)))
        groups: dict[int, list[int]] = {}
        for at, shard in enumerate(fixed):
            groups.setdefault((shard or next(free)).number, []).append(at)
        told = encode(meant).decode()
        done = await asyncio.gather(
            *(
                self._started(self._shards[to], who, [items[at] for at in group], told, removed)
                for to, group in groups.items()
            )
        )
        verdicts: list[JsonObject] = [{}] * len(items)
        for group, part in zip(groups.values(), done, strict=True):
            for at, verdict in zip(group, part, strict=True):
                verdicts[at] = verdict
        return verdicts

    async def _started(
        self, shard: Shard, who: Caller, items: list[JsonObject], meant: str, removed: dict[str, int]
    ) -> list[JsonObject]:  # fmt: skip
        try:
            verdicts: list[JsonObject] = await shard.call("start_meant", who, items, meant, removed)
        except AobError as error:
            return [{"error": problem_of(error)}] * len(items)
        return verdicts

    async def _of_start(
        self, who: Caller, item: Any, meant: dict[str, StartTarget], removed: dict[str, int]
    ) -> Shard | None:  # fmt: skip
        """The shard of a start by its key or its run id; None if any will do. Shard 0 reports errors of a start.
        `meant` caches resolved names and tags of a batch, `removed` gets the ids that earlier owners removed."""
        try:
            names = names_of(item)
            if names not in meant:
                meant[names] = self._local.meant(who, item)
        except AobError:
            return self._shards[0]
        run_id, key = item.get("run_id"), item.get("key") or item.get("idempotency_key")
        if not (isinstance(run_id, str) and run_id):
            if not key:
                return None
            run_id = keyed_id(who.tenant, meant[names].workflow, str(key))
        owner, *before = (self._shards[number] for number in self._layout.shards_of(run_id))
        if before and not await owner.call("has", None, run_id):
            for shard in before:
                if await shard.call("has", None, run_id):
                    return shard
                if gone := await shard.call("removed_ms", None, run_id):
                    removed[run_id] = max(gone, removed.get(run_id, 0))
        return owner

    def _spread(self, wanted: int) -> list[Shard]:
        """A shard for each of so many starts: neighbours share one, so that each shard gets one commit."""
        up = [shard for shard in self._owning if shard.up]
        if wanted < SPREAD_MIN:
            return [self._any()] * wanted
        return [up[at * len(up) // wanted] for at in range(wanted)]

    def _any(self) -> Shard:
        """The next shard that is up, round robin."""
        up = [shard for shard in self._owning if shard.up]
        return up[next(self._turn) % len(up)]

    async def _of(self, run_id: str) -> Shard:
        """The shard of a run: the owner of its partition, or an earlier one if the run ended there."""
        owner, *before = (self._shards[number] for number in self._layout.shards_of(run_id))
        if before and not await owner.call("knows", None, run_id):
            for shard in before:
                if await shard.call("knows", None, run_id):
                    return shard
        return owner

    # -- one run ----------------------------------------------------------------------------------------------------

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
        """Ask the shard of the run that the id of a ticket or patch names. Values may be anywhere."""
        if verb.resource not in KEPT_BY_ID:
            return await self._wherever(verb.name, who, **asdict(args))
        id: str = getattr(args, KEPT_BY_ID[verb.resource].argument)
        run = holder_of(id) or await self._holder(id)
        if not run.startswith("run_"):
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
        """The workers of all shards."""
        answers = await asyncio.gather(*(shard.call("workers", who) for shard in self._shards))
        return joined(answers, ("worker", "build"))

    @performs(key_verbs.BUILDS)
    async def builds(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """The builds of all shards."""
        answers = await asyncio.gather(*(shard.call("builds", who) for shard in self._shards))
        return joined(answers, ("build",), ("runs",))

    async def health(self) -> JsonObject:
        """The health of each shard; `status` is `ok` when all are."""
        told = await self._local.health()
        rows, shards = [Position.BEGIN] * len(self._shards), list[JsonObject]()
        for shard in self._shards:
            one: JsonObject = {"status": shard.state}
            if shard.up:
                try:
                    one = await asyncio.wait_for(shard.call("health", None), HEALTH_S)
                    rows[shard.number] = Position.row_of(one["position"])
                except (Unavailable, TimeoutError) as error:
                    one = {"status": error.code if isinstance(error, Unavailable) else "slow"}
            shards.append({**one, "shard": shard.number})
        fine = all(one["status"] == "ok" for one in shards)
        at = Position.joined(rows, self._local.position())
        return {**told, "status": "ok" if fine else "degraded", "position": at, "shards": shards}

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
                if error.code != "partition_moved":
                    raise
            else:
                return
            await asyncio.sleep(HELD_AGAIN_S)

    @performs(run_verbs.FOLLOW)
    def follow(self, who: Caller, args: run_verbs.FollowRuns) -> AsyncIterator[Item]:
        """Events of a run, or of all runs, after a position of the home."""
        if args.run_id is not None:
            return follow_run(lambda: self._layout, self._shards, self._of, who, args.run_id, args.position, args.types)
        return follow_all(lambda: self._layout, self._shards, self._grown, who, args.position, args.types, args.place)


def _moved(error: JsonObject) -> bool:
    return error.get("code") == "partition_moved"
