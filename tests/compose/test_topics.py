"""Topics of a home: over shards that come and go, and taken over from the places that earlier releases had."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from zlib import crc32

import msgspec
import psycopg
import pytest
from msgspec import Raw

import aob
from aob.backends.memory.store import MemoryStore
from aob.backends.postgres.database import Database
from aob.backends.postgres.topics import TopicsBefore
from aob.backends.sqlite.topics import TopicsFile
from aob.compose import check_deep
from aob.compose.files import inspected
from aob.compose.layout import Layout
from aob.compose.topics import HomeTopics, take_over
from aob.core.errors import AobError, CallerError, Refused, Unavailable
from aob.core.event import partition_of
from aob.ports.log import Appended, Record, content_digest
from aob.ports.store import AWAY, Batch, Extent, Holding, StaleEpoch
from aob.ports.topics import key_of
from tests.compose.shard_home import sharded
from tests.compose.test_live_moves import moved_to
from tests.servers.fixtures import Schema

TENANT, TOPIC = "default", "orders"
SUBJECTS = [f"order-{n}" for n in range(40)]


def record(id: str, tenant: str = TENANT, data: bytes = b"1") -> Record:
    return Record(id, "/shop", "seen", tenant, id, Raw(data), "2026-01-01T00:00:00.000Z")


async def ids(topics: HomeTopics, tenant: str = TENANT) -> dict[str, tuple[int, int]]:
    """Where each record of the topic lies."""
    found: dict[str, tuple[int, int]] = {}
    for shape in await topics.topics(tenant):
        for partition in shape.ends:
            start = 0
            while some := await topics.read(tenant, shape.name, partition, start):
                for each in some:
                    assert each.record.id not in found
                    found[each.record.id] = partition, each.offset
                start = some[-1].offset + 1
    return found


async def append_all(topics: HomeTopics, prefix: str) -> dict[str, Appended]:
    """A record of each subject under a key."""

    async def one(subject: str) -> Appended:
        partition = partition_of(subject, 64)
        sent = msgspec.structs.replace(record(f"{prefix}-{subject}"), subject=subject)
        return (await topics.append(TENANT, TOPIC, partition, [sent], keyed=True))[0]

    return dict(zip(SUBJECTS, await asyncio.gather(*map(one, SUBJECTS)), strict=True))


async def test_records_stay_where_they_were_written_and_reads_follow_the_partition(tmp_path: Path) -> None:
    async with sharded(tmp_path, 1) as owners:
        topics = owners.running.shared.topics
        first = await append_all(topics, "a")
        (mark_at, *_) = {partition_of(subject, 64) for subject in SUBJECTS}
        await topics.move_mark(TENANT, "g", TOPIC, mark_at, 1, 0)
        before = await ids(topics)
        for shards in (3, 2):
            await moved_to(owners, shards)
            assert await append_all(topics, "a") == {
                subject: Appended(each.offset, True) for subject, each in first.items()
            }, "an id is known from the shard that had the partition before"
            assert (await append_all(topics, f"b{shards}")).keys() == first.keys()
            assert before.items() <= (await ids(topics)).items()
            assert [(each.partition, each.low) for each in await topics.marks(TENANT)] == [(mark_at, 1)]
        with pytest.raises(AobError, match="group g is at offset 1"):
            await topics.move_mark(TENANT, "g", TOPIC, mark_at, 2, 0)
        everything = await ids(topics)
        assert len(everything) == 3 * len(SUBJECTS)
    async with sharded(tmp_path, 2) as owners:
        assert await ids(owners.running.shared.topics) == everything
    assert all(seen.well for seen in inspected(tmp_path, deep=True))


@pytest.mark.parametrize("error", [CallerError("no verb", code="unknown_verb"), Refused("no", code="role_refused")])
async def test_a_shard_of_an_earlier_release_is_waited_for(error: AobError) -> None:
    topics = HomeTopics()

    class Older:
        number = 0

        async def call(self, verb: str, who: None, *args: object) -> None:
            raise error

    topics.serve([Older()], lambda: Layout.of(1))
    with pytest.raises(Unavailable) as told:
        await topics.append(TENANT, TOPIC, 0, [record("a")], keyed=True)
    assert told.value.code in AWAY, "which a node of kind emit waits for"


async def test_the_doctor_names_records_that_are_damaged(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        for n in range(3):
            await app.shared.topics.append(TENANT, TOPIC, 5, [record(str(n))])
    assert [seen.says for seen in await check_deep(tmp_path) if seen.what == "shard-0.db records"] == [
        "3 records of topics are what was written"
    ]
    with closing(sqlite3.connect(tmp_path / "shard-0.db")) as file:
        file.execute("update record_row set data = cast(replace(data, 'seen', 'sean') as blob) where first = 1")
        file.commit()
    (found,) = [seen for seen in await check_deep(tmp_path) if not seen.well]
    assert found.says == f"1 rows of records are damaged: {TOPIC} of {TENANT}, partition 5 from 1 on"


# -- records of an earlier release ----------------------------------------------------------------------------------

OLD_SCHEMA = """
create table topic (id integer primary key, name text not null unique);
create table batch (topic integer not null, partition integer not null, first integer not null,
  count integer not null, at_ms integer not null, data blob not null, crc integer not null default -1);
create unique index batch_at on batch (topic, partition, first);
create table event_key (topic integer not null, partition integer not null, tenant text not null,
  source text not null, id text not null, offset integer not null, digest blob not null,
  primary key (topic, partition, tenant, source, id)) without rowid;
create table file (id integer primary key check (id = 1), file_id blob not null, home blob not null,
  format integer not null, known blob not null);
insert into file values (1, randomblob(16), x'', 8, x'');
insert into topic values (1, 'orders'), (2, 'bills');
"""
BATCHES = [
    ("orders", 5, 0, [record("a"), record("b", "else"), record("c")]),
    ("orders", 5, 3, [record("d", "else"), record("e", "else")]),
    ("orders", 5, 5, [record("f")]),
    ("bills", 63, 0, [record("g")]),
]  # fmt: skip
"""What it holds: topic, partition, first offset, records. The first one of each batch has a key."""


def old_file(path: Path, *, damage: str = "") -> None:
    """The file of topics of an earlier release."""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(OLD_SCHEMA)
        for topic, partition, first, records in BATCHES:
            number, data = 1 + (topic == "bills"), msgspec.json.encode(records)
            row = number, partition, first, len(records), 1_000 + first, data, crc32(data)
            file.execute("insert into batch values (?, ?, ?, ?, ?, ?, ?)", row)
            one = records[0]
            key = number, partition, one.tenant, one.source, one.id, first, content_digest(one)
            file.execute("insert into event_key values (?, ?, ?, ?, ?, ?, ?)", key)
        if damage:
            file.execute(damage)
        file.commit()


async def test_records_of_an_earlier_release_are_taken_over_with_their_ids_and_offsets(tmp_path: Path) -> None:
    async with aob.open(tmp_path):
        pass  # a home, whose other files know nothing of topics
    old_file(tmp_path / "events.db")
    for _ in range(2):
        async with aob.open(tmp_path) as app:
            topics = app.shared.topics
            assert await ids(topics) == {"a": (5, 0), "c": (5, 2), "f": (5, 5), "g": (63, 0)}
            assert await ids(topics, "else") == {"b": (5, 1), "d": (5, 3), "e": (5, 4)}
            assert {each.name: each.ends for each in await topics.topics("else")} == {"orders": {5: 5}}
            (found,) = await topics.read(TENANT, "bills", 63, 0)
            assert (found.at_ms, found.record) == (1_000, record("g"))
            assert await topics.append(TENANT, "orders", 5, [record("a")], keyed=True) == [Appended(0, True)]
            assert await topics.append("else", "orders", 5, [record("d", "else")], keyed=True) == [Appended(3, True)]
            with pytest.raises(AobError, match="other content"):
                await topics.append(TENANT, "orders", 5, [record("a", data=b"2")], keyed=True)
    assert not (tmp_path / "events.db").exists(), "the file goes when the shards have all of it"
    assert all(seen.well for seen in inspected(tmp_path, deep=True))
    async with aob.open(tmp_path) as app:
        assert await app.shared.topics.append(TENANT, "orders", 5, [record("new")]) == [Appended(6)]


async def test_old_records_that_are_damaged_stop_the_start_and_stay(tmp_path: Path) -> None:
    old_file(tmp_path / "events.db", damage="update batch set data = replace(data, 'seen', 'sean') where first = 3")
    with pytest.raises(Unavailable, match=r"events\.db: what orders holds from 3 on") as told:
        async with aob.open(tmp_path):
            pass
    assert told.value.code == "row_corrupt"
    assert (tmp_path / "events.db").exists()


class Breaks(MemoryStore):
    """Is cut off after some commits."""

    left = 0

    async def commit(self, batch: Batch) -> int | StaleEpoch:
        if not self.left:
            raise Unavailable("cut off", code="store_failed")
        self.left -= 1
        return await super().commit(batch)


async def test_a_take_over_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    old_file(tmp_path / "events.db")
    old = TopicsFile(tmp_path / "events.db")
    store = Breaks(Holding(64, 1, [Extent(number, 0, 1) for number in range(64)]))
    store.left = 1
    with pytest.raises(Unavailable, match="cut off"):
        await take_over(old, store)
    store.left = 9
    assert (await take_over(old, store), await take_over(old, store)) in ((6, 0), (1, 0))
    found = [each.record.id for row in await store.records(TENANT, "orders", 5, 0) for each in row.logged("")]
    assert found == ["a", "c", "f"]
    assert await store.topic_end("else", "orders", 5) == 5


async def test_a_shard_takes_only_its_own_partitions(tmp_path: Path) -> None:
    old_file(tmp_path / "events.db")
    old = TopicsFile(tmp_path / "events.db")
    store = MemoryStore(Holding(64, 2, [Extent(5, 0, 1), Extent(63, 0, 1, 7, 1)]))
    assert await take_over(old, store) == 6


@pytest.fixture
def old_tables(postgres_schema: Schema) -> Schema:
    """Tables of a release before step 5 with these records."""
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        for topic, partition, _, records in BATCHES:
            data = msgspec.json.encode(records)
            asked = {"topic": topic, "partition": partition, "at_ms": 1_000, "count": len(records), "starts": [0],
                     "sizes": [len(data)], "crcs": [crc32(data)]}  # fmt: skip
            owner.execute(
                f"select {postgres_schema.name}.append_records(%s, %b)".encode(),
                (msgspec.json.encode([asked]).decode(), data),
            )
        owner.execute(
            f"insert into {postgres_schema.name}.topic_key select id, 5, decode('00', 'hex'), 0, %b "
            f"from {postgres_schema.name}.topic where name = 'orders'".encode(),
            (content_digest(record("a")),),
        )
    return postgres_schema


async def test_tables_of_an_earlier_release_are_taken_over_once_and_closed(old_tables: Schema) -> None:
    db = await Database.open(old_tables.url, size=2)
    store = MemoryStore()
    try:
        assert (await take_over(TopicsBefore(db), store), await take_over(TopicsBefore(db), store)) == (7, 0)
        found = [each.record.id for row in await store.records(TENANT, "orders", 5, 0) for each in row.logged("")]
        assert found == ["a", "c", "f"]
        keys = await store.keyed(TENANT, "orders", 5, [key_of("/shop", each) for each in "ac"])
        assert list(keys.values()) == [(0, content_digest(record("a")))]
        async with db.connection() as other:
            with pytest.raises(psycopg.Error, match="topics lie in the shards now"):
                await other.execute(f"select {old_tables.name}.append_records('[]', %b)".encode(), (b"",))
    finally:
        await db.close()
