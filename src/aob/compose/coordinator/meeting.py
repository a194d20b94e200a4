"""What a member looks at before it takes a shard: whether others of its cluster could ask for it here."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aob.compose.loop import end_tasks
from aob.compose.network import Peers
from aob.core.cluster import ALONE, Member
from aob.core.errors import Refused

LOOK_S: Final = 0.1
LOOKS: Final = 20
"""So often it looks: a member that is just leaving is gone by then, and one that hangs keeps nobody for long."""


async def meets(peers: Peers, members: Sequence[Member], secure: bool) -> None:
    """Meet a member of the cluster, or find that none is there. Raises Refused `members_not_met` when those that are
    there do not take this process: nobody would reach the shards that it took. `secure`: it has certificates."""
    there = [each for each in members if not each.leaving and ALONE not in each.roles]  # who has it alone has no wire
    others = [peers.of(each.address) for each in there]
    if not others:
        return
    trying = [asyncio.ensure_future(peer.tried()) for peer in others]
    try:
        for _ in range(LOOKS):
            done, _ = await asyncio.wait(trying, timeout=LOOK_S)
            if any(peer.up for peer in others) or (len(done) == len(others) and not any(p.refused for p in others)):
                return
            await asyncio.sleep(LOOK_S)
    finally:
        await end_tasks(*trying)
    refusing = [peer for peer in others if peer.refused]
    if refusing and not any(peer.up for peer in others):
        ours = "this one has certificates" if secure else "this one has none (setting certs, AOB_CERTS)"
        raise Refused(
            f"no member of the cluster takes this process: {refusing[0].address}: {refusing[0].state}",
            code="members_not_met", hint=f"all have certificates of one authority, or none has any; {ours}",
        )  # fmt: skip
