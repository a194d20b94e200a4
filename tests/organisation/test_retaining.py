"""What topics state about how long and how much is kept is applied; readers and groups go on behind what is gone; what
a deleted topic left is removed, and its name is free again."""

from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import AobError
from aob.core.policy import LOCAL
from aob.journal.topics import trimming
from tests.organisation.test_agents_at_work import home, records, values
from tests.organisation.test_records import made, numbers

HOUR_MS = 3_600_000


async def later(app: Any, ms: int) -> None:
    """A sweep as it is so much later."""
    sweeper = app.wiring.retaining
    before = sweeper._now_ms
    sweeper._now_ms = lambda: before() + ms
    try:
        await sweeper.sweep()
    finally:
        sweeper._now_ms = before


async def offsets(app: Any, topic: str) -> list[int]:
    return [each["offset"] for each in (await app.metrics.consume(LOCAL, topic))["records"]]


@pytest.mark.every_store
async def test_what_is_too_old_goes_and_readers_begin_at_the_earliest_with_a_note(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "orders", config={"retention.hours": 1})
        await room.create_topic(LOCAL, "kept", config={"retention.ms": -1})
        for topic in ("orders", "kept"):
            await room.produce(LOCAL, topic, made(*({"subject": "a", "data": n, "id": f"r{n}"} for n in range(3))))
        begun = (await room.consume(LOCAL, "orders", limit=1))["position"]
        await later(app, HOUR_MS // 2)
        assert await offsets(app, "orders") == [0, 1, 2]
        await later(app, 2 * HOUR_MS)
        assert (await offsets(app, "orders"), await offsets(app, "kept")) == ([], [0, 1, 2])
        told = await room.consume(LOCAL, "orders", position=begun)
        assert (told["records"], told["removed"], told["behind"]) == ([], 2, 0)
        assert told["notes"] == ["2 records before these are no longer kept"]
        again = (await room.produce(LOCAL, "orders", made({"subject": "a", "data": 0, "id": "r0"})))["records"][0]
        assert (again["offset"], again["repeated"]) == (3, False), "what is known of an id goes with its record"
        told = await room.consume(LOCAL, "orders", from_offset=1)
        assert (numbers(told), told["removed"]) == ([0], 2)
        assert (await room.consume(LOCAL, "orders", position=told["position"]))["notes"] == []
        assert app.wiring.retaining.records == 3
    async with aob.open(tmp_path) as app:
        assert await offsets(app, "orders") == [3]


@pytest.mark.every_store
async def test_what_is_too_much_goes_from_the_front_in_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(trimming, "SLICE_RECORDS", 4)
    async with aob.open(tmp_path) as app:
        await app.metrics.create_topic(LOCAL, "orders", config={"retention.bytes": 10_000})
        for n in range(30):
            await app.metrics.produce(LOCAL, "orders", made({"subject": "a", "data": "x" * 1_000, "id": str(n)}))
        await later(app, 0)
        there = await offsets(app, "orders")
        assert there == list(range(there[0], 30))
        assert 7 <= len(there) <= 10
        store = app.views.core.store
        held = sum([await store.topic_bytes("default", "orders", n) for n in range(64)])
        assert held <= 10_000
        await later(app, 0)
        assert await offsets(app, "orders") == there


@pytest.mark.every_store
async def test_of_a_state_the_newest_record_of_each_subject_stays(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "state", retention="state")
        for n in range(4):
            await room.produce(LOCAL, "state", made(
                {"subject": "a", "data": n}, {"subject": "b", "data": n}, {"data": "no subject"}
            ))  # fmt: skip
        await room.produce(LOCAL, "state", made({"subject": "b", "data": None}))
        await later(app, HOUR_MS // 2)
        assert len((await room.consume(LOCAL, "state"))["records"]) == 13, "a while all of them stay"
        await later(app, 2 * HOUR_MS)
        found = (await room.consume(LOCAL, "state"))["records"]
        assert sorted((each["subject"], str(each["data"])) for each in found) == [
            *[("", "no subject")] * 4, ("a", "3"), ("b", "None"),
        ]  # fmt: skip
        await room.produce(LOCAL, "state", made({"subject": "a", "data": 9}))
        await later(app, 48 * HOUR_MS)
        found = (await room.consume(LOCAL, "state"))["records"]
        assert sorted((each["subject"], str(each["data"])) for each in found) == [
            *[("", "no subject")] * 4, ("a", "9"),
        ]  # fmt: skip


@pytest.mark.every_store
async def test_a_deleted_topic_leaves_nothing_and_its_name_is_free_with_new_offsets(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        for topic in ("orders", "other"):
            await room.create_topic(LOCAL, topic)
            told = await room.produce(LOCAL, topic, made({"subject": "a", "data": 1, "id": "x"}))
            page = await room.consume(LOCAL, topic)
            await room.commit_group(LOCAL, "billing", topic, page["begun"], page["position"])
        (place,) = told["records"]
        await room.delete_topic(LOCAL, "orders", drain="0s", keep="0s")
        await room.create_topic(LOCAL, "orders")
        assert await offsets(app, "orders") == []
        assert [each["topic"] for each in (await room.groups(LOCAL))["groups"]] == ["other"]
        again = (await room.produce(LOCAL, "orders", made({"subject": "a", "data": 2, "id": "x"})))["records"][0]
        assert (again["partition"], again["offset"]) == (place["partition"], 1), "no offset is given twice"
        assert [each["type"] for each in (await room.org_history(LOCAL, "orders"))["entries"]] == [
            "topic_created", "topic_purged", "topic_deleted", "topic_read_only", "topic_draining", "topic_created",
        ]  # fmt: skip
        await room.delete_topic(LOCAL, "orders", drain="0s", keep="0s")
        await later(app, 0)
        with pytest.raises(AobError) as gone:
            await room.consume(LOCAL, "orders")
        assert gone.value.code == "topic_not_found"
        assert await offsets(app, "other") == [0]


async def test_who_uses_a_topic_that_goes_is_told(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "orders")
        assert (await room.produce(LOCAL, "orders", made({"data": 1})))["notes"] == []
        await room.delete_topic(LOCAL, "orders")
        (note,) = (await room.produce(LOCAL, "orders", made({"data": 1})))["notes"]
        assert note.startswith("topic orders takes records until ")
        assert (await room.consume(LOCAL, "orders"))["notes"] == [note]


async def test_a_topic_shows_what_it_holds_and_who_reads_it(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        room = app.metrics
        await room.create_topic(LOCAL, "orders", config={"retention.hours": 1})
        await room.register_agent(LOCAL, "bills", consumes=("orders",))
        await room.produce(LOCAL, "orders", made(*({"subject": "a", "data": n} for n in range(3))))
        page = await room.consume(LOCAL, "orders", limit=1)
        await room.commit_group(LOCAL, "billing", "orders", page["begun"], page["position"])
        shown = await room.topic(LOCAL, "orders")
        assert (shown["records"], shown["consumers"], shown["producers"]) == (3, ["bills"], [])
        assert [(each["group"], each["behind"]) for each in shown["groups"]] == [("billing", 2)]
        told = await room.delete_topic(LOCAL, "orders", force=True)
        assert (told["users"], told["groups"]) == (["bills"], ["billing"])
        await later(app, 2 * HOUR_MS)
        shown = await room.topic(LOCAL, "orders")
        assert (shown["records"], shown["groups"][0]["behind"]) == (0, 0), "nobody is behind on what is gone"
        (place,) = (await room.group(LOCAL, "billing"))["topics"]
        assert place["behind"] == 0
        moved = await room.reset_group(LOCAL, "billing", "orders", to="begin", dry_run=True)
        assert moved["again"] == 0


@pytest.mark.every_store
async def test_an_agent_goes_on_behind_what_is_no_longer_kept(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def copies(record: Any, ctx: Any) -> None:
        ctx.emit("out", "copied", record.data)

    async with home(tmp_path, copies) as app:
        room = app.metrics
        await room.pause_agent(LOCAL, "copies")
        await room.update_topic(LOCAL, "orders", config={"retention.hours": 1})
        await room.produce(LOCAL, "orders", made(*({"subject": "a", "data": n} for n in range(600))))
        await later(app, 2 * HOUR_MS)
        await room.produce(LOCAL, "orders", made({"subject": "a", "data": "new"}))
        await room.resume_agent(LOCAL, "copies")
        assert values(await records(app, "out", 1)) == ["new"]
        shown = await room.topic(LOCAL, "orders")
        assert [(each["group"], each["behind"]) for each in shown["groups"]] == [("copies", 0)]
    async with home(tmp_path, copies) as app:
        await app.metrics.produce(LOCAL, "orders", made({"subject": "a", "data": "more"}))
        assert sorted(values(await records(app, "out", 2))) == ["more", "new"]
