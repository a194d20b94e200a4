"""Removal over several shards: each owner removes its own, one after the other."""

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import asdict

from aob.compose.shards.local import Shard
from aob.core.answers import Pruned
from aob.core.errors import CallerError
from aob.core.policy import Caller
from aob.core.verbs import run_verbs


async def prune_step(shards: Sequence[Shard], who: Caller, args: run_verbs.PruneRuns) -> Pruned:
    """A step of the shard that a cursor names; its `next` leads on to the shard after it."""
    number, _, rest = (args.cursor or "0:").partition(":")
    if not (number.isdecimal() and len(number) < 4 and int(number) < len(shards)):
        raise CallerError(
            f"{str(args.cursor)[:40]!r} is no cursor", code="bad_cursor", hint="pass `next` of the step before"
        )
    at = int(number)
    told: Pruned = await shards[at].call("prune", who, **{**asdict(args), "cursor": rest or None})
    if told["next"] is not None:
        told["next"] = f"{at}:{told['next']}"
    elif at + 1 < len(shards):
        told["next"] = f"{at + 1}:"
    return told


class ShardSweep:
    """What removed runs of a shard left behind, wherever its owner is: `aob.runs.removal.Sweeping`."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def due(self, before_ms: int) -> tuple[int, Mapping[str, Sequence[str]]]:
        """The durable row now, and the values by tenant that may be looked at."""
        row, due = await self._shard.call("sweep_due", None, before_ms)
        return row, due

    async def referred(self, tenant: str, hashes: Collection[str], before_ms: int) -> Sequence[str]:
        """Those to which something of this shard refers."""
        found: list[str] = await self._shard.call("sweep_referred", None, tenant, list(hashes), before_ms)
        return found

    async def remove(self, tenant: str, kept: Collection[str], before_ms: int, row: int) -> int:
        """Remove what was due of a tenant and is not kept; how many values."""
        count: int = await self._shard.call("sweep_remove", None, tenant, list(kept), before_ms, row)
        return count
