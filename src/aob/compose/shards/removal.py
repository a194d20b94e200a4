"""Removal over several shards: each owner removes its own, one after the other; what moved goes first where it was."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from aob.compose.layout import Layout
from aob.compose.shards.local import Shard
from aob.core.answers import Pruned
from aob.core.errors import CallerError, Unavailable
from aob.core.policy import Caller
from aob.core.verbs import run_verbs
from aob.runs.removal import NEEDED


async def prune_step(shards: Sequence[Shard], layout: Layout, who: Caller, args: run_verbs.PruneRuns) -> Pruned:
    """A step of the shard that a cursor names; its `next` leads on to the shard after it. What its runs left in other
    shards, which they moved from, is removed there before."""
    number, _, rest = (args.cursor or "0:").partition(":")
    if not (number.isdecimal() and len(number) < 4 and int(number) < len(shards)):
        raise CallerError(
            f"{str(args.cursor)[:40]!r} is no cursor", code="bad_cursor", hint="pass `next` of the step before"
        )
    at = int(number)
    asked, erased = msgspec.structs.replace(args, cursor=rest or None), None
    if layout.moved:
        erased = await _erased(shards, layout, at, who, asked)
    told: Pruned = await shards[at].call("pruned", who, asked, erased)
    if told["next"] is not None:
        told["next"] = f"{at}:{told['next']}"
    elif at + 1 < len(shards):
        told["next"] = f"{at + 1}:"
    return told


async def _erased(
    shards: Sequence[Shard], layout: Layout, at: int, who: Caller, args: run_verbs.PruneRuns
) -> dict[str, str]:  # fmt: skip
    """What the runs of a step left in shards that had them before goes: of each run why it did not, or nothing. A run
    stays while a fork of it lives, in any shard."""
    parts: dict[str, object] = await shards[at].call("parts", who, args)
    forked = {run_id for shard in shards for run_id in await shard.call("forked", None)}
    erased = {run_id: NEEDED if run_id in forked else "" for run_id in parts}
    parts = {run_id: part for run_id, part in parts.items() if not erased[run_id] and not args.dry_run}
    for shard in shards:
        here = {run_id: part for run_id, part in parts.items() if shard.number in layout.shards_of(run_id)}
        if shard.number != at and here:
            for run_id, why in (await shard.call("erase", who, args, here)).items():
                erased[run_id] = erased[run_id] or why
    return erased


class ShardSweep:
    """The values that removed runs of a shard left, in any process: `aob.runs.removal.Sweeping`."""

    def __init__(self, shard: Shard, moves: Callable[[], int]) -> None:
        """`moves` counts begins and ends of moves: what refers to a value must not change its shard meanwhile."""
        self._shard, self._moves, self._begun = shard, moves, 0

    async def due(self, before_ms: int) -> tuple[int, Mapping[str, Sequence[str]]]:
        self._begun = self._moves()
        row, due = await self._shard.call("sweep_due", None, before_ms)
        return row, due

    async def referred(self, tenant: str, hashes: Collection[str], before_ms: int) -> Sequence[str]:
        found: list[str] = await self._shard.call("sweep_referred", None, tenant, list(hashes), before_ms)
        return found

    async def remove(self, tenant: str, kept: Collection[str], before_ms: int, row: int) -> int:
        if self._begun % 2 or self._moves() != self._begun:
            raise Unavailable("partitions move", code="partition_moving", retry_after_s=1.0)
        count: int = await self._shard.call("sweep_remove", None, tenant, list(kept), before_ms, row)
        return count
