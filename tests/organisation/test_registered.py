"""Registered agents in a home: they last, they are found by what they can do, and each tenant has its own."""

from pathlib import Path

import pytest

import aob
from aob.core.errors import Conflict, Invalid, NotFound, Refused
from aob.core.policy import LOCAL, Caller
from tests.runs.home import BOB, RUNNER, VIEWER

ANN = Caller("default", "ann", frozenset({"deploy", "view"}), "key_a")
CONTRACT = "event: order.created\nfields: {id: {type: string}}\n"


@pytest.mark.every_store
async def test_what_is_registered_is_there_after_a_restart(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.create_topic(ANN, "tickets.new")
        first = await verbs.register_agent(ANN, "acme.support.triage", consumes=("tickets.new",), handler="a")
        assert (first["created"], first["registered"], first["owner"]) == (True, 1, "ann")
        second = await verbs.register_agent(ANN, "acme.support.triage", consumes=("tickets.new",), handler="b")
        assert (second["registered"], second["shares"]) == (2, [{"version": 1, "percent": 100.0}])
        await verbs.deploy_agent(ANN, "acme.support.triage", percent=12.5)
        await verbs.deploy_agent(ANN, "acme.support.triage", 2, first="vip-", end="vip.")
        await verbs.scale_agent(ANN, "acme.support.triage", 3)
        await verbs.pause_agent(ANN, "acme.support.triage", "too dear")
        before = await verbs.agent(VIEWER, "acme.support.triage", key="vip-7")
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        assert await verbs.agent(VIEWER, "acme.support.triage", key="vip-7") == before
        assert (before["state"], before["reason"], before["instances"]) == ("paused", "too dear", 3)
        assert before["shares"] == [{"version": 2, "percent": 12.5}, {"version": 1, "percent": 87.5}]
        assert before["key_version"] == 2
        assert before["definition"]["handler"] == "b"
        old = await verbs.agent(VIEWER, "acme.support.triage", 1)
        assert (old["definition"]["handler"], old["definition_of"], len(old["versions"])) == ("a", 1, 2)
        assert (await verbs.resume_agent(ANN, "acme.support.triage"))["state"] == "active"
        back = await verbs.rollback_agent(ANN, "acme.support.triage")
        assert (back["ranges"], len(back["shares"])) == ([], 2)


async def test_agents_are_found_by_what_they_can_do(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.register_agent(ANN, "refunder", capabilities=("gives money back for orders",))
        await verbs.register_agent(ANN, "writer", capabilities=("writes letters to customers",), description="polite")
        await verbs.register_agent(BOB, "thief", capabilities=("takes money",))

        async def found(words: str) -> list[str]:
            return [hit["agent"] for hit in (await verbs.find_agents(VIEWER, words))["agents"]]

        assert await found("money back") == ["refunder"]
        assert await found("custmers") == ["writer"]
        assert await found("polite letters") == ["writer"]
        assert await found("thief") == await found("!?") == []
        await verbs.retire_agent(ANN, "refunder")
        assert await found("money back") == []
        await verbs.register_agent(ANN, "banker", capabilities=("counts money",))
        assert await found("money") == ["banker"]


async def test_an_agent_consumes_what_is_there(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        with pytest.raises(Invalid) as caught:
            await verbs.register_agent(ANN, "triage", consumes=("order.created", "org"))
        assert [each.path for each in caught.value.problems] == ["/consumes/0"]
        await verbs.push_contracts(LOCAL, {"c.yaml": CONTRACT})
        await verbs.register_agent(ANN, "triage", consumes=("order.created", "org"))
        with pytest.raises(Invalid):  # the types of another tenant are not there
            await verbs.register_agent(BOB, "triage", consumes=("order.created",))
        await verbs.create_topic(ANN, "orders")
        await verbs.register_agent(ANN, "triage", consumes=("orders",))
        await verbs.deploy_agent(ANN, "triage")
        with pytest.raises(Conflict):
            await verbs.delete_topic(ANN, "orders")
        assert (await verbs.delete_topic(ANN, "orders", force=True))["state"] == "draining"


async def test_a_share_or_a_range_and_who_may(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.register_agent(ANN, "triage")
        with pytest.raises(Invalid):
            await verbs.deploy_agent(ANN, "triage", percent=10, first="a")
        for who in (VIEWER, RUNNER):
            for ask in (verbs.register_agent, verbs.deploy_agent, verbs.pause_agent, verbs.retire_agent):
                with pytest.raises(Refused):
                    await ask(who, "triage")
        for ask in (verbs.agent, verbs.deploy_agent, verbs.resume_agent, verbs.rollback_agent):
            with pytest.raises(NotFound):
                await ask(BOB, "triage")
        assert (await verbs.register_agent(BOB, "triage"))["created"]
        assert (await verbs.agent(ANN, "triage"))["owner"] == "ann"


async def test_lists_are_paged_and_chosen_from(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        for name in ("b", "a", "acme.x.c", "acme.x.d"):
            await verbs.register_agent(ANN, name, owner="team" if name == "a" else "")
        await verbs.retire_agent(ANN, "b")
        await verbs.pause_agent(ANN, "a")
        page = await verbs.agents(LOCAL, limit=3)
        assert ([row["agent"] for row in page["agents"]], page["next"]) == (["a", "acme.x.c", "acme.x.d"], "acme.x.d")
        assert (await verbs.agents(LOCAL, after=page["next"]))["next"] is None
        for asked, names in (
            ({"owner": "team"}, ["a"]), ({"state": "retired"}, ["b"]), ({"state": "paused"}, ["a"]),
            ({"namespace": "acme.x"}, ["acme.x.c", "acme.x.d"]), ({"state": "active"}, ["acme.x.c", "acme.x.d"]),
        ):  # fmt: skip
            assert [row["agent"] for row in (await verbs.agents(LOCAL, **asked))["agents"]] == names
