"""Records of topics as users append and read them, groups that go on only from where they are, and each tenant with its
own."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.core.errors import AobError, Invalid, NotFound, Refused
from aob.core.event import partition_of
from aob.core.policy import LOCAL, Caller
from aob.core.verbs.organisation import record_verbs as verbs

BOB = Caller("other", "bob", frozenset({"run", "view", "deploy"}))
VIEWER = Caller("default", "eve", frozenset({"view"}))
CONTRACT = """
event: order.placed
fields: {n: integer}
---
metric: orders
type: count
moves: [{on: order.placed}]
windows: [all]
"""


def made(*records: dict[str, Any], type: str = "order.seen") -> tuple[verbs.ProducedRecord, ...]:
    return tuple(msgspec.convert({"type": type, **each}, verbs.ProducedRecord) for each in records)


def numbers(told: Any) -> list[Any]:
    return [each["data"] for each in told["records"]]


async def refused(asked: Any) -> str:
    with pytest.raises(AobError) as told:
        await asked
    return told.value.code


@pytest.mark.every_store
async def test_what_is_produced_is_consumed_in_order_from_where_a_reader_was(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.create_topic(LOCAL, "orders")
        records = [{"data": n, "subject": f"s{n % 3}"} for n in range(30)]
        told = (await verbs.produce(LOCAL, "orders", made(*records)))["records"]
        assert [each["partition"] for each in told] == [partition_of(f"s{n % 3}", 64) for n in range(30)]
        seen, position, begun = list[Any](), None, 0
        while begun < 20:
            page = await verbs.consume(VIEWER, "orders", position=position, limit=4)
            seen += page["records"]
            position, begun = page["position"], begun + 1
        assert sorted(each["data"] for each in seen) == list(range(30))
        for subject in ("s0", "s1", "s2"):
            mine = [each for each in seen if each["subject"] == subject]
            assert [each["offset"] for each in mine] == list(range(10))
            assert [each["data"] for each in mine] == sorted(each["data"] for each in mine)
    async with aob.open(tmp_path) as app:
        await app.metrics.produce(LOCAL, "orders", made({"data": "new", "subject": "s1"}))
        assert numbers(await app.metrics.consume(VIEWER, "orders", position=position)) == ["new"]
        one = told[3]
        after = await app.metrics.consume(VIEWER, "orders", position=one["position"], partition=one["partition"])
        assert numbers(after) == [n for n in range(30) if n % 3 == 0 and n > 3]


async def test_a_record_with_an_id_is_there_once(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.metrics.create_topic(LOCAL, "orders")
        first, again = [
            (await app.metrics.produce(LOCAL, "orders", made({"id": "a", "data": 1}, {"id": "b", "data": 2})))[
                "records"
            ]
            for _ in range(2)
        ]
        assert [{**each, "repeated": True} for each in first] == again
        assert await refused(app.metrics.produce(LOCAL, "orders", made({"id": "a", "data": 9}))) == "event_exists"
        assert sorted(numbers(await app.metrics.consume(LOCAL, "orders"))) == [1, 2]


async def test_what_a_topic_does_not_take_is_refused_with_every_reason(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        with pytest.raises(NotFound) as unknown:
            await room.produce(LOCAL, "orders", made({"data": 1}))
        assert "aob topic create" in unknown.value.hint
        await room.create_topic(LOCAL, "orders", types=("order.seen",), depth_max=2)
        bad = made({}, {"depth": 3}, {"time": "noon"}, {"subject": "a\n"}, {"type": "else"})
        with pytest.raises(Invalid) as wrong:
            await room.produce(LOCAL, "orders", bad)
        assert [(each.path, each.code) for each in wrong.value.problems] == [
            ("/records/1/depth", "too_deep"), ("/records/2/time", "bad_time"), ("/records/3", "not_printable"),
            ("/records/4/type", "type_not_taken"),
        ]  # fmt: skip
        assert numbers(await room.consume(LOCAL, "orders")) == []
        await room.delete_topic(LOCAL, "orders", drain="0s", keep="1h")
        assert await refused(room.produce(LOCAL, "orders", made({}))) == "topic_read_only"
        assert await refused(room.consume(LOCAL, "nothing")) == "topic_not_found"


async def test_a_record_of_a_type_with_a_contract_passes_the_gate(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"c.yaml": CONTRACT})
        await app.metrics.create_topic(LOCAL, "orders")
        await app.metrics.produce(LOCAL, "orders", made({"data": {"n": 1}}, type="order.placed"))
        bad = app.metrics.produce(LOCAL, "orders", made({"data": {"n": "x"}}, type="order.placed"))
        assert await refused(bad) == "event_rejected"
        assert (await app.metric("orders"))["value"] == 1
        assert numbers(await app.metrics.consume(LOCAL, "orders")) == [{"n": 1}]


async def test_a_reader_waits_for_what_comes(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.metrics.create_topic(LOCAL, "orders")
        waits = asyncio.create_task(app.metrics.consume(LOCAL, "orders", wait_ms=30_000))
        await asyncio.sleep(0)
        await app.metrics.produce(LOCAL, "orders", made({"data": 1}))
        assert numbers(await asyncio.wait_for(waits, 20)) == [1]
        assert numbers(await app.metrics.consume(LOCAL, "orders", from_offset=1, wait_ms=1)) == []


@pytest.mark.every_store
async def test_a_group_goes_on_behind_what_it_committed_and_can_be_set_back(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "orders")
        await room.produce(LOCAL, "orders", made(*({"data": n, "subject": "s"} for n in range(5))))
        page, other = [await room.consume(LOCAL, "orders", group="g", limit=2) for _ in range(2)]
        moved = await room.commit_group(LOCAL, "g", "orders", page["begun"], page["position"])
        assert (moved["skipped"], moved["again"], moved["done"]) == (2, 0, True)
        assert (
            await refused(room.commit_group(LOCAL, "g", "orders", other["begun"], other["position"])) == "group_moved"
        )
        rest = await room.consume(LOCAL, "orders", group="g")
        assert numbers(rest) == [2, 3, 4]
        await room.commit_group(LOCAL, "g", "orders", rest["begun"], rest["position"])
        assert await refused(room.commit_group(LOCAL, "g", "orders", rest["position"], rest["begun"])) == "invalid"
    async with aob.open(tmp_path) as app:
        room = app.metrics
        (row,) = (await room.groups(VIEWER))["groups"]
        assert (row["group"], row["topic"], row["behind"]) == ("g", "orders", 0)
        preview = await room.reset_group(LOCAL, "g", "orders", to_offset=1, dry_run=True)
        place = partition_of("s", 64)
        assert preview["partitions"] == [{"partition": place, "before": 5, "after": 1, "again": 4, "skipped": 0}]
        assert numbers(await room.consume(LOCAL, "orders", group="g")) == [], "a preview changes nothing"
        assert {**preview, "done": True} == await room.reset_group(LOCAL, "g", "orders", to_offset=1)
        assert numbers(await room.consume(LOCAL, "orders", group="g")) == [1, 2, 3, 4]
        (shown,) = (await room.group(VIEWER, "g"))["topics"]
        assert (shown["behind"], shown["partitions"]) == (
            4, [{"partition": place, "offset": 1, "end": 5, "behind": 4}]
        )  # fmt: skip
        assert (await room.reset_group(LOCAL, "g", "orders", to="end"))["skipped"] == 4
        assert (await room.reset_group(LOCAL, "g", "orders", to="begin"))["again"] == 5
        assert await refused(room.reset_group(LOCAL, "g", "orders")) == "invalid"
        assert await refused(room.group(LOCAL, "h")) == "group_not_found"
        assert await refused(room.consume(LOCAL, "orders", group="g", from_offset=3)) == "invalid"
        with pytest.raises(Refused):
            await room.reset_group(VIEWER, "g", "orders", to="begin")


async def test_records_are_found_by_when_they_were_appended(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "orders")
        for n in range(7):
            await room.produce(LOCAL, "orders", made({"data": n, "subject": "s"}))
        found = (await room.consume(LOCAL, "orders"))["records"]
        third = next(each["at"] for each in found if each["data"] == 3)
        later = numbers(await room.consume(LOCAL, "orders", from_time=third))
        assert later == [each["data"] for each in found if each["at"] >= third]
        assert numbers(await room.consume(LOCAL, "orders", from_time="1h")) == list(range(7))
        assert numbers(await room.consume(LOCAL, "orders", from_time="2999-01-01T00:00:00Z")) == []
        assert await refused(room.consume(LOCAL, "orders", from_time="soon")) == "bad_time"
        assert (await room.reset_group(LOCAL, "g", "orders", to_time=third))["skipped"] == 7 - len(later)


async def test_a_tenant_sees_only_its_own(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "orders")
        await room.produce(LOCAL, "orders", made({"data": "hers", "id": "a"}))
        page = await room.consume(LOCAL, "orders", group="g")
        await room.commit_group(LOCAL, "g", "orders", page["begun"], page["position"])
        for asked in (
            room.consume(BOB, "orders"), room.produce(BOB, "orders", made({})), room.group(BOB, "g"),
            room.commit_group(BOB, "g", "orders", page["begun"], page["position"]),
            room.reset_group(BOB, "g", "orders", to="begin"),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                await asked
        assert (await room.groups(BOB))["groups"] == []
        await room.create_topic(BOB, "orders")
        (place,) = (await room.produce(BOB, "orders", made({"data": "his", "id": "a"})))["records"]
        assert (place["offset"], place["repeated"]) == (0, False)
        assert numbers(await room.consume(BOB, "orders", group="g")) == ["his"]
        assert numbers(await room.consume(LOCAL, "orders")) == ["hers"]


async def test_what_a_node_emits_is_read_like_any_record(tmp_path: Path) -> None:
    say = {"kind": "emit", "config": {"topic": "free", "type": "seen", "subject": "s", "data": {"n": 1}}}
    async with aob.open(tmp_path) as app:
        await app.push({"workflow": "tell", "nodes": {"say": say}, "edges": {}})
        run = await (await app.start("tell")).done()
        (found,) = (await app.metrics.consume(LOCAL, "free"))["records"]
        assert (found["data"], found["correlationid"]) == ({"n": 1}, run["run_id"])
        behind = await app.metrics.consume(LOCAL, "free", position=run["nodes"]["say"]["output"]["position"])
        assert numbers(behind) == []
        assert await refused(app.metrics.produce(LOCAL, "free", made({}))) == "topic_not_found", "declare it first"
