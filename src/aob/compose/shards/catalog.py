"""Workflows on every shard: shard 0 has the truth, the others are taught what they lack, in the order it came there."""

from collections.abc import Iterable
from typing import Any, Final

from aob.compose.shards.local import Answering, known
from aob.core.policy import Caller
from aob.views import Views

TAUGHT_TAG: Final = "aob-taught"
"""Where an artifact hangs on a shard when no tag names it any more. Lists come from shard 0, so nobody sees it."""

TEACHER: Final = frozenset({"deploy", "view", "patch", "approve"})
"""What shard 0 has agreed to, the others are not asked about again."""


async def teach(views: Views, shard: Answering, who: Caller, name: str) -> None:
    """Push what a shard lacks of a workflow: the same artifacts under the same versions, the same tags with the same
    patches. Raises errors of the AobError tree; teaching again goes on where it stopped."""
    teacher = Caller(who.tenant, who.name, TEACHER, who.id)
    mine, theirs = known(views, teacher, name), await shard.call("taught", teacher, name)
    wanted = [(artifact, TAUGHT_TAG) for artifact in mine["artifacts"] if artifact not in theirs["artifacts"]]
    # The last artifact is mostly the one that a tag was moved to: one push does both.
    tags = {tag: _artifact(at) for tag, at in mine["tags"].items() if not _leads_to(theirs["tags"].get(tag), at)}
    if wanted and len(tags) == 1 and wanted[-1][0] in tags.values():
        wanted.pop()
    for (artifact, rules), tag in (*wanted, *((artifact, tag) for tag, artifact in tags.items())):
        told = await views.workflow(teacher, name, artifact)
        pushed = views.state_of(teacher, name).artifacts[(artifact, rules)]
        author = Caller(who.tenant, pushed.by, TEACHER, pushed.key)
        await shard.call("push", author, told["document"], tag=tag, rules=rules)
    for tag, at in mine["tags"].items():
        there = 0 if tag in tags else len(theirs["tags"][tag]["patches"])
        for operations in at["patches"][there:]:
            await shard.call("patch_tag", teacher, name, tag, operations, agreed=True)


def _artifact(at: dict[str, Any]) -> list[Any]:
    return [at["artifact"], at["rules"]]


def _leads_to(theirs: dict[str, Any] | None, mine: dict[str, Any]) -> bool:
    """Whether patches alone bring their tag to where mine is; a push takes all patches away."""
    if theirs is None or _artifact(theirs) != _artifact(mine):
        return False
    there: int = len(theirs["patches"])
    return bool(theirs["patches"] == mine["patches"][:there])


async def teach_all(views: Views, shard: Answering) -> None:
    """Teach a shard every workflow of every tenant."""
    for tenant, name in list(_names(views)):
        await teach(views, shard, Caller(tenant, "aob", TEACHER), name)


def _names(views: Views) -> Iterable[tuple[str, str]]:
    for stream in views.core.journal.streams.values():
        if stream.law.kind == "workflow" and stream.seq:
            yield stream.state.tenant, stream.state.name
