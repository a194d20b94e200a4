"""Workflows on every shard: shard 0 has the truth, the others are taught what they lack, in the order it came there."""

from collections.abc import Iterable
from typing import Final

from aob.compose.shards.local import Answering, known
from aob.core.policy import Caller
from aob.views import Views

TAUGHT_TAG: Final = "~taught"
"""Where an artifact hangs on a shard when no tag names it any more. Lists come from shard 0, so nobody sees it."""


async def teach(views: Views, shard: Answering, who: Caller, name: str) -> None:
    """Push what a shard lacks of a workflow: the same artifacts under the same versions, the same tags. Raises errors
    of the AobError tree; teaching again goes on where it stopped."""
    mine, theirs = known(views, who, name), await shard.call("taught", who, name)
    wanted: list[tuple[str, str]] = [
        (artifact, TAUGHT_TAG) for artifact in mine["artifacts"] if artifact not in set(theirs["artifacts"])
    ]
    # The last artifact is mostly the one that a tag was moved to: one push does both.
    tags = {tag: artifact for tag, artifact in mine["tags"].items() if theirs["tags"].get(tag) != artifact}
    if wanted and len(tags) == 1 and wanted[-1][0] in tags.values():
        wanted.pop()
    for artifact, tag in (*wanted, *((artifact, tag) for tag, artifact in tags.items())):
        told = await views.workflow(who, name, artifact)
        await shard.call("push", who, told["document"], tag=tag)


async def teach_all(views: Views, shard: Answering) -> None:
    """Teach a shard every workflow of every tenant."""
    for tenant, name in list(_names(views)):
        await teach(views, shard, Caller(tenant, "aob", frozenset({"run", "view"})), name)


def _names(views: Views) -> Iterable[tuple[str, str]]:
    for stream in views.core.journal.streams.values():
        if stream.law.kind == "workflow" and stream.seq:
            yield stream.state.tenant, stream.state.name
