"""Starts of a home with several shards: names and tags are resolved where the workflows are, then each start goes to
the owner of its key or run id, the rest to one after the other. Those whose owner is away for a moment wait for the
next."""

import asyncio
from collections.abc import MutableMapping, Sequence
from itertools import count
from typing import Any, Final, Protocol

from msgspec.structs import asdict

from aob.compose.layout import Layout
from aob.compose.loop import end_tasks
from aob.compose.shards.local import Shard
from aob.compose.wire import Waiting, encode
from aob.compose.wire.waiting import UNOWNED
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import AobError, Unavailable
from aob.core.policy import Caller
from aob.core.problem import error_of, problem_of
from aob.core.verb import performs
from aob.core.verbs import run_verbs
from aob.runs import StartTarget, keyed_id, names_of

SPREAD_MIN: Final = 64  # A batch of so many starts is spread over the shards; a smaller one is one commit of one shard
WELL_S: Final = 1.0
"""How long owners may take to say how they are."""
MOVED: Final = "partition_moved"
_AGAIN: Final = frozenset((MOVED, "not_owner"))
"""Codes of starts that have not happened, and will as soon as their shard is where it goes."""


class Home(Protocol):
    """Where the workflows are."""

    def authenticate(self, secret: str) -> Caller | None:
        """The caller that a secret belongs to."""

    def holder(self, key_id: str) -> Caller | None:
        """The caller of a key."""

    async def health(self) -> JsonObject:
        """How it is."""

    async def resolved(
        self, who: Caller, items: Sequence[JsonValue], known: MutableMapping[str, StartTarget], /
    ) -> None:  # fmt: skip
        """Add to `known` what starts refer to, by `names_of`; leave out what refers to nothing."""


class Starts:
    """The verbs that start runs. `local` resolves names; the first shard reports what is wrong with a start."""

    def __init__(self, local: Home, shards: Sequence[Shard]) -> None:
        self._local, self._shards = local, shards
        self._layout: Layout
        self._owning: Sequence[Shard] = ()
        self._changed = asyncio.Event()
        self._waiting = Waiting()
        self._turn = count()

    def _until(self, error: AobError) -> float:
        """Until when a request waits that met this error, by the loop's clock."""
        raise NotImplementedError

    async def _until_moved(self, changed: asyncio.Event, until_s: float, size: int, error: AobError) -> None:
        """Wait a moment. Raises Unavailable when that takes too long, or too many wait."""
        raise NotImplementedError

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
        """Start many: one verdict each, in order; those of a shard that is down are refused alone. Each start carries
        what its name and tag resolve to."""
        items, meant, removed = args.items, dict[str, StartTarget](), dict[str, int]()
        changed, until_s, size = self._changed, 0.0, 0
        await self._local.resolved(who, items, meant)
        verdicts = await self._once(who, items, meant, removed)
        while left := [at for at, each in enumerate(verdicts) if "error" in each and _again(each["error"])]:
            error = error_of(verdicts[left[0]]["error"], 503)
            until_s, size = until_s or self._until(error), size or len(encode(items))
            try:
                await self._until_moved(changed, until_s, size, error)
            except Unavailable as late:
                for at in left:
                    verdicts[at] = {"error": problem_of(late)}
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
        `meant` has the resolved names and tags of a batch, `removed` gets the ids that earlier owners removed."""
        try:
            target = meant.get(names_of(item))
        except AobError:
            target = None
        if target is None:
            return self._shards[0]
        run_id, key = item.get("run_id"), item.get("key") or item.get("idempotency_key")
        if not (isinstance(run_id, str) and run_id):
            if not key:
                return None
            run_id = keyed_id(who.tenant, target.workflow, str(key))
        owner, *before = (self._shards[number] for number in self._layout.shards_of(run_id))
        if before and not await owner.call("has", None, run_id):
            for shard in before:
                if await shard.call("has", None, run_id):
                    return shard
                if gone := await shard.call("removed_ms", None, run_id):
                    removed[run_id] = max(gone, removed.get(run_id, 0))
        return owner

    async def answering(self) -> bool:
        """Whether an owner answers now that all is well with a shard: a link to one alone says nothing of its lease."""
        asked = [asyncio.create_task(_well(shard), name="aob-well") for shard in self._owning if shard.up]
        try:
            async with asyncio.timeout(WELL_S):
                for answer in asyncio.as_completed(asked):
                    if await answer:
                        return True
        except TimeoutError:
            pass
        finally:
            await end_tasks(*asked)
        return False

    def _spread(self, wanted: int) -> list[Shard]:
        """A shard for each of so many starts: neighbours share one, so that each shard gets one commit."""
        up = self._up()
        if wanted < SPREAD_MIN:
            return [self._any()] * wanted
        return [up[at * len(up) // wanted] for at in range(wanted)]

    def _any(self) -> Shard:
        """The next shard that is up, round robin."""
        up = self._up()
        return up[next(self._turn) % len(up)]

    def _up(self) -> Sequence[Shard]:
        """The shards that take starts: all that own something, when none can be asked now."""
        return [shard for shard in self._owning if shard.up] or self._owning


def _again(error: JsonObject) -> bool:
    """Whether a start that was refused so is asked again."""
    return error.get("code") in _AGAIN or (error.get("code") == UNOWNED and error.get("repeatable") is True)


async def _well(shard: Shard) -> bool:
    try:
        told: JsonObject = await shard.call("health", None)
    except AobError:
        return False
    return bool(told["status"] == "ok")
