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
    patches, each in the name of who did it. Raises errors of the AobError tree; teaching again goes on where it
    stopped."""
    teacher = Caller(who.tenant, who.name, TEACHER, who.id)
    mine, theirs = known(views, teacher, name), await shard.call("taught", teacher, name)
    wanted = [(artifact, TAUGHT_TAG) for artifact in mine["artifacts"] if artifact not in theirs["artifacts"]]
    tags = {tag: at for tag, at in mine["tags"].items() if not _leads_to(theirs["tags"].get(tag), at)}
    artifacts = views.state_of(teacher, name).artifacts
    # The last artifact is mostly the one that a tag was moved to, by who wrote it: one push does both.
    if wanted and len(tags) == 1:
        (at,) = tags.values()
        pushed = artifacts[tuple(wanted[-1][0])]
        if wanted[-1][0] == _artifact(at) and (pushed.by, pushed.key) == tuple(at["deeds"][0][:2]):
            wanted.pop()
    for (artifact, rules), tag in wanted:
        pushed = artifacts[(artifact, rules)]
        author = Caller(who.tenant, pushed.by, TEACHER, pushed.key)
        await _push(views, shard, teacher, author, name, artifact, rules, tag)
    for tag, at in tags.items():
        mover = _doer(who.tenant, at["deeds"][0])
        await _push(views, shard, teacher, mover, name, at["artifact"], at["rules"], tag)
    for tag, at in mine["tags"].items():
        there = 0 if tag in tags else len(theirs["tags"][tag]["patches"])
        for operations, deed in list(zip(at["patches"], at["deeds"][1:], strict=True))[there:]:
            doer = _doer(who.tenant, deed)
            await shard.call("patch_tag", doer, name, tag, operations, deed[2], agreed=True)


async def _push(
    views: Views, shard: Answering, teacher: Caller, who: Caller, name: str, artifact: str, rules: int, tag: str
) -> None:
    told = await views.workflow(teacher, name, artifact)
    await shard.call("push", who, told["document"], tag=tag, rules=rules)


def _doer(tenant: str, deed: list[str]) -> Caller:
    """Whoever did it on shard 0: the others record the same name and key."""
    return Caller(tenant, deed[0], TEACHER, deed[1])


def _artifact(at: dict[str, Any]) -> list[Any]:
    return [at["artifact"], at["rules"]]


def _leads_to(theirs: dict[str, Any] | None, mine: dict[str, Any]) -> bool:
    """Whether patches alone bring their tag to where mine is, in the names of the same people; a push takes all
    patches away."""
    if theirs is None or _artifact(theirs) != _artifact(mine):
        return False
    there: int = len(theirs["patches"])
    by, told = ([deed[:2] for deed in each["deeds"][1 : there + 1]] for each in (mine, theirs))
    return bool(theirs["patches"] == mine["patches"][:there]) and by == told


async def teach_all(views: Views, shard: Answering) -> None:
    """Teach a shard every workflow of every tenant."""
    for tenant, name in list(_names(views)):
        await teach(views, shard, Caller(tenant, "aob", TEACHER), name)


def _names(views: Views) -> Iterable[tuple[str, str]]:
    for stream in views.core.journal.streams.values():
        if stream.law.kind == "workflow" and stream.seq:
            yield stream.state.tenant, stream.state.name
