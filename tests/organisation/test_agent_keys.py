"""Keys of agents as people see and steer them."""

import os
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import AobError
from aob.core.policy import LOCAL
from aob.work import WorkError
from tests.organisation.test_agents_at_work import home, records, send, values
from tests.organisation.test_agents_in_shards import SHARDS
from tests.runs.home import BOB, VIEWER


class Sorter:
    """An agent that pays first, and fails for what it is told to."""

    def __init__(self) -> None:
        self.bad, self.paid = {"bad"}, list[str]()

        @aob.agent(consumes=["orders"], produces=["out"])
        async def sorts(record: Any, ctx: Any) -> None:
            if record.data == "ask":
                await ctx.interrupt("really?", deadline="1h")
            if (await ctx.intend("pay", {"order": record.id})).granted:
                self.paid.append(record.id)
                await ctx.settle("paid")
            if record.data in self.bad:
                raise WorkError("no", code="wrong", transient=False)
            ctx.emit("out", "sorted", record.data)

        self.agent = sorts


@pytest.mark.every_store
async def test_a_dead_letter_is_shown_and_handled_again_without_its_effects(tmp_path: Path) -> None:
    shop = Sorter()
    async with home(tmp_path, shop.agent) as app:
        await send(app, "ann", "bad", "good")
        await records(app, "out", 1)
        told = await app.views.agent_key(VIEWER, "sorts", "ann")
        assert (told["status"], told["ended"], told["dead_count"], told["open"]) == ("IDLE", 1, 1, None)
        shop.bad.clear()
        (dead,) = told["dead"]
        after = await app.views.steer_key(LOCAL, "sorts", "ann", "replay", dead["visit"])
        assert (after["dead_count"], after["open"]["cause"] if after["open"] else "") == (0, "replay")
        assert sorted(values(await records(app, "out", 2))) == ["bad", "good"]
        with pytest.raises(AobError) as refused:
            await app.views.steer_key(LOCAL, "sorts", "ann", "replay", dead["visit"])
        assert refused.value.code == "not_dead"
    assert shop.paid == ["ann-0", "ann-1"]


async def test_a_key_is_held_freed_and_what_it_waits_for_is_shown_and_given_up(tmp_path: Path) -> None:
    async with home(tmp_path, Sorter().agent) as app:
        await send(app, "ann", "first")
        await records(app, "out", 1)
        assert (await app.views.steer_key(LOCAL, "sorts", "ann", "hold"))["status"] == "HELD"
        await send(app, "bob", "ask")
        while not (await app.views.agent_keys(VIEWER, "sorts", "waiting"))["keys"]:
            await committed(app)
        bob = await app.views.agent_key(VIEWER, "sorts", "bob")
        assert bob["open"] is not None
        assert [each["kind"] for each in bob["open"]["waits_for"]] == ["interrupt"]
        assert bob["open"]["waits_for"][0]["due"] > bob["open"]["since"]
        assert (await app.views.agent_keys(VIEWER, "sorts", "held"))["keys"][0]["key"] == "ann"
        assert (await app.views.steer_key(LOCAL, "sorts", "bob", "cancel"))["open"] is None
        assert (await app.views.agent_key(VIEWER, "sorts", "bob"))["tickets"] == []
        assert (await app.views.steer_key(LOCAL, "sorts", "ann", "free"))["holds"] == []
        for wrong, code in (("free", "not_held"), ("replay", "invalid"), ("cancel", "invalid")):
            with pytest.raises(AobError) as refused:
                await app.views.steer_key(LOCAL, "sorts", "ann", wrong)  # type: ignore[arg-type]
            assert refused.value.code == code
        assert (await app.views.agent_keys(BOB, "sorts"))["keys"] == []
        for who, key in ((LOCAL, "cid"), (BOB, "ann")):
            with pytest.raises(AobError) as refused:
                await app.views.steer_key(who, "sorts", key, "hold")
            assert refused.value.code == "key_not_found"


@pytest.mark.parametrize("again", [True, False], ids=["again", "passed over"])
async def test_a_poisoned_key_parks_what_follows_until_it_is_freed(tmp_path: Path, again: bool) -> None:
    bad, order = {"bad"}, list[str]()

    @aob.agent(consumes=["orders"], produces=["out"], on_poison="park")
    async def parks(record: Any, ctx: Any) -> None:
        order.append(f"{ctx.key} {record.data}")
        if record.data in bad:
            raise WorkError("no", code="wrong", transient=False)
        ctx.emit("out", "sorted", record.data)

    async with home(tmp_path, parks) as app:
        assert (await app.metrics.agent(VIEWER, "parks"))["definition"]["on_poison"] == "park"
        await send(app, "ann", "bad", "good", "better")
        while (await app.views.agent_keys(VIEWER, "parks"))["keys"] == []:
            await committed(app)
        await send(app, "bob", "other")
        while (key := await app.views.agent_key(VIEWER, "parks", "ann"))["parked_count"] < 2:
            await committed(app)
        assert (key["status"], [each["cause"] for each in key["parked"]]) == ("HELD", ["behind", "behind"])
        (held,) = (await app.views.agent_keys(VIEWER, "parks", "held"))["keys"]
        assert held["key"] == "ann"
        assert "the key waits behind it" in held["reason"]
        bad.clear()
        await app.views.steer_key(LOCAL, "parks", "ann", "free", again=again)
        while (key := await app.views.agent_key(VIEWER, "parks", "ann"))["parked_count"] or key["open"]:
            await committed(app)
        assert (key["dead_count"], key["status"]) == (0 if again else 1, "IDLE")
    mine = [each for each in order if each.startswith("ann")]
    assert mine == ["ann bad", *(["ann bad"] if again else []), "ann good", "ann better"]
    assert "bob other" in order


async def committed(app: Any) -> None:
    """Returns once something more is durable."""
    await app.produce("out", "tick", 0)


@pytest.mark.every_store
async def test_keys_of_all_shards_are_listed_in_pages(tmp_path: Path) -> None:
    settings = {} if os.environ.get("AOB_STORE") else SHARDS
    names = [f"key/{n}" for n in range(7)]
    async with home(tmp_path, Sorter().agent, settings=settings) as app:
        for name in names:
            await app.produce("orders", "order", "x", subject=name)
        found = list[Any]()
        async for record in app.follow("out"):
            found.append(record)
            if len(found) == len(names):
                break
        seen, before = list[str](), ""
        while True:
            page = await app.views.agent_keys(VIEWER, "sorts", before=before, limit=3)
            seen += [row["key"] for row in page["keys"]]
            if page["next"] is None:
                break
            before = page["next"]
        assert seen == sorted(names, reverse=True)
        assert (await app.views.agent_key(VIEWER, "sorts", names[3]))["ended"] == 1
