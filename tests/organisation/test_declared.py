"""Declared topics in a home: they last, they end by themselves, and each tenant has its own."""

import asyncio
from pathlib import Path

import pytest

import aob
from aob.core.errors import Conflict, Invalid, NotFound, Refused
from aob.core.policy import LOCAL, Caller
from aob.core.rules import DECLARED_RULES
from tests.runs.home import BOB, RUNNER, VIEWER

ANN = Caller("default", "ann", frozenset({"deploy", "view"}), "key_a")


@pytest.mark.every_store
async def test_what_is_declared_is_there_after_a_restart_with_its_timer(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        made = await app.metrics.create_topic(ANN, "acme.shop.orders", purpose="sales", expires="7d", types=("a.b",))
        assert (made["created"], made["owner"], made["partitions"]) == (True, "ann", app.views.core.journal.partitions)
        await app.metrics.create_topic(ANN, "other")
        await app.metrics.delete_topic(ANN, "other", reason="a slip")
    async with aob.open(tmp_path) as app:
        found = await app.metrics.topic(VIEWER, "acme.shop.orders")
        assert {**found, "created": True} == {
            **made, "records": 0, "consumers": [], "producers": [], "groups": [],
        }  # fmt: skip
        assert found["expires"] == found["created_at"] + 7 * 86_400_000
        timers = app.views.core.journal.timers.of("org/default")
        going = await app.metrics.topic(VIEWER, "other")
        assert timers == {"acme.shop.orders": found["expires"], "other": going["until"]}
        assert (going["state"], going["reason"]) == ("draining", "a slip")


async def test_a_topic_ends_by_itself_and_can_be_kept(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        core, verbs = app.views.core, app.metrics
        with core.feed.news("org/default") as news:
            await verbs.create_topic(ANN, "short", expires="1s")
            async with asyncio.timeout(30):
                told = [fact.event for fact in await news.taken()]
                while len(told) < 2:
                    told += [fact.event for fact in await news.taken()]
        assert [type(each).__name__ for each in told] == ["TopicCreated", "TopicDraining"]
        assert (await verbs.topic(ANN, "short"))["reason"] == "expired"
        kept = await verbs.undelete_topic(ANN, "short")
        assert kept["state"] == "active"
        assert core.journal.timers.of("org/default") == {"short": kept["expires"]}
        await verbs.update_topic(ANN, "short", expires="")
        assert core.journal.timers.of("org/default") == {}
        gone = await verbs.delete_topic(ANN, "short", drain="0s", keep="0s")
        assert gone == {
            "topic": "short", "deleted": True, "state": None, "until": None, "users": [], "groups": [],
        }  # fmt: skip
        with pytest.raises(NotFound):
            await verbs.topic(ANN, "short")


async def test_a_refusal_is_told_and_recorded(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.create_topic(ANN, "orders")
        with pytest.raises(Conflict) as caught:
            await verbs.create_topic(ANN, "orders", owner="bob")
        assert (caught.value.code, "topic update" in caught.value.hint) == ("topic_exists", True)
        for wrong in ("a..b", "tickets"):
            with pytest.raises(Invalid) as refused:
                await verbs.create_topic(ANN, wrong)
            assert refused.value.code == "bad_name"
        for expires in ("soon", "0s", "2026-13-01T00:00:00Z", "2020-01-01T00:00:00Z"):
            with pytest.raises(Invalid) as refused:
                await verbs.create_topic(ANN, "late", expires=expires)
            assert refused.value.code == "bad_expiry", expires
        with pytest.raises(Invalid):
            await verbs.delete_topic(ANN, "orders", drain="now")
        assert app.views.core.journal.streams["org/default"].seq == 5, "each refused request is an event"
        for who in (VIEWER, RUNNER):
            with pytest.raises(Refused):
                await verbs.create_topic(who, "mine")


async def test_two_tenants_use_the_same_names(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.create_topic(ANN, "acme.shop.orders", purpose="ann's own")
        assert (await verbs.topics(BOB))["topics"] == []
        for ask in (verbs.topic, verbs.delete_topic, verbs.undelete_topic, verbs.update_topic):
            with pytest.raises(NotFound) as caught:
                await ask(BOB, "acme.shop.orders")
            assert "ann" not in str(caught.value)
        assert (await verbs.create_topic(BOB, "acme.shop.orders"))["created"]
        await verbs.delete_topic(BOB, "acme.shop.orders", drain="0s", keep="0s")
        assert (await verbs.topic(ANN, "acme.shop.orders"))["purpose"] == "ann's own"


async def test_lists_are_paged_and_chosen_from(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        for name in ("b", "a", "acme.x.c", "acme.x.d"):
            await verbs.create_topic(LOCAL, name, owner="team" if name == "a" else "")
        await verbs.delete_topic(LOCAL, "b")
        page = await verbs.topics(LOCAL, limit=3)
        assert ([row["topic"] for row in page["topics"]], page["next"]) == (["a", "acme.x.c", "acme.x.d"], "acme.x.d")
        rest = await verbs.topics(LOCAL, limit=3, after=page["next"])
        assert ([row["topic"] for row in rest["topics"]], rest["next"]) == (["b"], None)
        for asked, names in (
            ({"owner": "team"}, ["a"]), ({"state": "draining"}, ["b"]), ({"namespace": "default"}, ["a", "b"]),
            ({"namespace": "acme.x"}, ["acme.x.c", "acme.x.d"]),
        ):  # fmt: skip
            assert [row["topic"] for row in (await verbs.topics(LOCAL, **asked))["topics"]] == names


async def test_nothing_is_declared_while_an_older_release_may_own_the_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aob.open(tmp_path) as app:
        await app.metrics.create_topic(ANN, "orders")
        monkeypatch.setattr(app.views.core, "newest_rules", lambda: DECLARED_RULES - 1)
        for ask in (app.metrics.create_topic, app.metrics.delete_topic, app.metrics.register_agent):
            with pytest.raises(Conflict) as caught:
                await ask(ANN, "orders")
            assert caught.value.code == "members_differ"
        assert (await app.metrics.topic(ANN, "orders"))["state"] == "active"


async def test_topics_are_found_by_the_types_of_their_records(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.create_topic(ANN, "any")
        await verbs.create_topic(ANN, "sold", types=("order.sold",))
        await verbs.create_topic(ANN, "schema")
        await verbs.create_topic(ANN, "full", types=("order.sold",))
        await verbs.create_topic(BOB, "foreign", types=("order.sold",))
        await verbs.push_schema(LOCAL, "schema-order.sold", '{"type": "object"}')
        await verbs.delete_topic(ANN, "full", drain="0s", keep="1h")

        async def found(**asked: str) -> list[tuple[str, bool]]:
            return [(each["topic"], each["declared"]) for each in (await verbs.find_topics(VIEWER, **asked))["topics"]]

        assert await found(accepts="order.sold") == [("schema", True), ("sold", True), ("any", False)]
        assert await found(emits="order.sold") == [("full", True), ("schema", True), ("sold", True)]
        assert await found(accepts="other") == [("any", False), ("schema", False)]
        assert await found(accepts="other", emits="order.sold") == [("schema", False)]
        (hit,) = [each for each in (await verbs.find_topics(VIEWER, emits="order.sold"))["topics"] if each["subject"]]
        assert hit["subject"] == "schema-order.sold"
        with pytest.raises(Invalid):
            await verbs.find_topics(VIEWER)
