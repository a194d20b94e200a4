"""Patches on a tag reach every shard, and so does what takes them back."""

from pathlib import Path

import pytest

from aob.core.errors import Refused, Unavailable
from aob.core.policy import LOCAL, Caller
from aob.server.verbs import Verbs
from tests.compose.shard_home import WAIT, kill, sharded, started

pytestmark = pytest.mark.timeout(90)
MORE = [{"op": "add_node", "id": "more", "node": {"kind": "timer", "config": {"for": "1ms"}}}]
AGAIN = [{"op": "add_node", "id": "again", "node": {"kind": "timer", "config": {"for": "1ms"}}}]
MAIL = [{"op": "add_node", "id": "m", "node": {"kind": "notify", "config": {"to": "mailto:a@x.org", "text": "x"}}}]


async def versions(verbs: Verbs) -> list[str]:
    """The version and the nodes that a start gets, shard by shard."""
    found = []
    for shard in (0, 1):
        run = await verbs.run(LOCAL, await started(verbs, "wait", shard))
        found.append(f"{run['version']} {' '.join(sorted(run['graph']['nodes']))}")
    return found


async def test_a_patch_on_a_tag_and_a_push_that_takes_it_back_reach_every_shard(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs = owners.verbs
        assert (await verbs.patch_tag(LOCAL, "wait", "main", MORE))["version"] == "v1.1"
        assert await versions(verbs) == ["v1.1 more w"] * 2
        asked = await verbs.patch_tag(LOCAL, "wait", "main", MAIL, "said so")
        assert await versions(verbs) == ["v1.1 more w"] * 2
        await verbs.answer(LOCAL, asked["ticket"], "approve")
        assert await versions(verbs) == ["v1.2 m more w"] * 2
        await verbs.push(LOCAL, WAIT)
        assert await versions(verbs) == ["v1.0 w"] * 2
        ops = Caller("default", "ops", frozenset({"view", "patch"}))
        asked = await verbs.patch_tag(ops, "wait", "main", MAIL)
        with pytest.raises(Refused):
            await verbs.answer(ops, asked["ticket"], "approve")
        assert await versions(verbs) == ["v1.0 w"] * 2


async def test_a_shard_that_was_down_is_taught_the_patches_of_tags(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs, owned = owners.verbs, owners.owned[0]
        await verbs.patch_tag(LOCAL, "wait", "main", MORE)
        kill(owned.pid)
        assert owned._channel is not None
        await owned._channel.ended.wait()
        # The main process alone takes this away and puts another one there.
        await owners.verbs._local.push(LOCAL, WAIT)
        with pytest.raises(Unavailable) as caught:
            await verbs.patch_tag(LOCAL, "wait", "main", AGAIN, id="p-1")
        assert caught.value.code == "push_partial"
        await owned.ready()
        assert (await verbs.patch_tag(LOCAL, "wait", "main", AGAIN, id="p-1"))["version"] == "v1.1"
        assert await versions(verbs) == ["v1.1 again w"] * 2
