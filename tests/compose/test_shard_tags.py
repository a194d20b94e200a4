"""Patches on a tag reach every shard, and so does what takes them back."""

from pathlib import Path
from typing import Any

import pytest

from aob.core.errors import Refused
from aob.core.policy import LOCAL, Caller
from tests.compose.shard_home import ASK, WAIT, kill, shard_of, sharded, started

pytestmark = pytest.mark.timeout(90)
MORE = [{"op": "add_node", "id": "more", "node": {"kind": "timer", "config": {"for": "1ms"}}}]
AGAIN = [{"op": "add_node", "id": "again", "node": {"kind": "timer", "config": {"for": "1ms"}}}]
MAIL = [{"op": "add_node", "id": "m", "node": {"kind": "notify", "config": {"to": "mailto:a@x.org", "text": "x"}}}]


async def versions(verbs: Any) -> list[str]:
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


async def test_patches_of_tags_that_come_while_a_shard_is_down_hold_when_it_is_back(tmp_path: Path) -> None:
    async with sharded(tmp_path, 2, WAIT) as owners:
        verbs, owned = owners.verbs, owners.owned[0]
        await verbs.patch_tag(LOCAL, "wait", "main", MORE)
        kill(owned.pid)
        assert owned._channel is not None
        await owned._channel.ended.wait()
        await verbs.push(LOCAL, WAIT)
        assert (await verbs.patch_tag(LOCAL, "wait", "main", AGAIN, id="p-1"))["version"] == "v1.1"
        await owned.ready()
        assert (await verbs.patch_tag(LOCAL, "wait", "main", AGAIN, id="p-1"))["version"] == "v1.1"
        assert await versions(verbs) == ["v1.1 again w"] * 2


def _named(name: str, *roles: str) -> Caller:
    return Caller("default", name, frozenset(roles), f"key_{name}")


async def test_who_wrote_a_part_is_barred_on_every_shard(tmp_path: Path) -> None:
    ben = _named("ben", "patch", "view", "finance", "run")
    barred = {
        **ASK,
        "nodes": {"a": {"kind": "approval", "config": {"role": "finance", "text": "?", "not": ["author"]}}},
    }
    more = [{"op": "add_node", "id": "more", "node": {"kind": "timer", "config": {"for": "1ms"}}}]
    async with sharded(tmp_path, 2, barred) as owners:
        verbs = owners.verbs
        await verbs.patch_tag(ben, "ask", "main", more)
        for shard in (0, 1):
            run_id = await started(verbs, "ask", shard)
            (ticket,) = [each for each in await verbs.tickets(LOCAL) if each["run_id"] == run_id]
            with pytest.raises(Refused) as refused:
                await verbs.answer(ben, ticket["ticket_id"], "approve")
            assert refused.value.code == "not_you"


async def test_what_is_done_to_a_run_bears_the_same_name_on_every_shard(tmp_path: Path) -> None:
    eve = Caller("default", "eve", frozenset({"run", "view", "finance", "patch", "approve"}), "key_eve")
    told = []
    async with sharded(tmp_path, 2, WAIT, ASK) as owners:
        verbs = owners.verbs
        for shard in (0, 1):
            while True:
                run_id = (await verbs.start(eve, "ask", {}))["run_id"]
                if shard_of(run_id, 2) == shard:
                    break
            (ticket,) = [each for each in await verbs.tickets(LOCAL) if each["run_id"] == run_id]
            await verbs.propose(eve, run_id, {"operations": AGAIN, "reason": "r"})
            await verbs.answer(eve, ticket["ticket_id"], "approve", reason="fine")
            waits = await started(verbs, "wait", shard)
            await verbs.message(eve, waits, "other", payload=1)
            await verbs.cancel(eve, waits, reason="enough")
            events = [*await verbs.timeline(eve, run_id), *await verbs.timeline(eve, waits)]
            told.append([(each["type"], each.get("data", {}).get("by")) for each in events if "eve" in repr(each)])
    assert told[0] == told[1]
    assert len(told[0]) >= 4
