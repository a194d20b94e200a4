"""What a run that moved while it lived left in the shards that it came from: told by the one that has it, found there.

It goes there first. A crash between leaves the run where it ended, and the next prune finds what is left of it.
"""

from collections.abc import Mapping

import msgspec

from aob.ports.store import MOVED, Head
from aob.runs.core import Core
from aob.runs.removal.judge import BEHIND, UNSETTLED, Going, Looked, passed_row


class Part(msgspec.Struct):
    """What shards may hold of a run that ended in another: journal rows with its events, each with the shard, and the
    values (hexadecimal) that it refers to, with their sizes; when it ended."""

    rows: list[tuple[int, int]]
    values: dict[str, int]
    ended_ms: int


def parts_of(found: Looked) -> dict[str, Part]:
    """What shards may hold of the runs that may go."""
    return {
        each.head.stream: Part(
            sorted(each.elsewhere), {digest.hex(): size for digest, size in each.values.items()}, each.head.ended_ms
        )
        for each in found.going
    }


async def found_here(core: Core, tenant: str, parts: Mapping[str, Part]) -> tuple[Looked, dict[str, str]]:
    """Of such runs what can go from this shard; and of each other why not, or nothing where it has gone already."""
    found, told = Looked([], {}, None), dict[str, str]()
    passed, heads = await passed_row(core, tenant), await core.store.heads_of(list(parts))
    for name, part in parts.items():
        head, rows = heads.get(name), {row for shard, row in part.rows if shard == core.journal.shard}
        if head is None and (not rows or await core.store.removed(name) is not None):
            told[name] = ""
        elif head is not None and (head.kind, head.tenant) != (MOVED, tenant):
            told[name] = UNSETTLED
        elif max(rows, default=0) > passed:
            told[name] = BEHIND
        else:
            was = Head(name, MOVED, tenant, "", "", "", 0, part.ended_ms, 0)
            found.going.append(Going(was, 0, 0, rows, await _held(core, tenant, part)))
    return found, told


async def _held(core: Core, tenant: str, part: Part) -> dict[bytes, int]:
    """The values of which this shard has a copy of its own; of the others the shard where the run ended takes care."""
    sizes = {bytes.fromhex(digest): size for digest, size in part.values.items()}
    return {digest: size for digest, size in sizes.items() if await core.store.value(tenant, digest) is not None}
