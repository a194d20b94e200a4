"""The remains of a run that moved while it was live, in its earlier shards: reported by the shard where it ended.
Earlier shards remove first. After a crash in between, the run is still where it ended, and the next prune finds the
rest."""

from collections.abc import Mapping

import msgspec

from aob.ports.store import MOVED, Head
from aob.runs.core import Core
from aob.runs.removal.judge import BEHIND, UNSETTLED, Going, Looked, passed_row


class Part(msgspec.Struct):
    """What other shards may hold of a run that ended here: journal rows with its events, each with the shard, the
    values (hexadecimal) that it refers to, with their sizes, and when it ended."""

    rows: list[tuple[int, int]]
    values: dict[str, int]
    ended_ms: int


def parts_of(found: Looked) -> dict[str, Part]:
    """What other shards may hold of the runs to remove."""
    return {
        each.head.stream: Part(
            sorted(each.elsewhere), {digest.hex(): size for digest, size in each.values.items()}, each.head.ended_ms
        )
        for each in found.going
    }


async def found_here(core: Core, tenant: str, parts: Mapping[str, Part]) -> tuple[Looked, dict[str, str]]:
    """What can be removed of such runs from this shard; for each other run why not, or nothing if it is already
    removed."""
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
    """The values of which this shard has its own copy; the shard where the run ended removes the others."""
    sizes = {bytes.fromhex(digest): size for digest, size in part.values.items()}
    return {digest: size for digest, size in sizes.items() if await core.store.value(tenant, digest) is not None}
