"""Every `Store` backend against the one suite, and all of them against each other on random scripts."""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aob.backends.memory.store import MemoryStore
from aob.backends.postgres import commits
from aob.backends.postgres.database import Database
from aob.backends.postgres.store import PostgresStore
from aob.backends.sqlite import checkpoints
from aob.backends.sqlite.store import SqliteStore
from aob.core.errors import AobError, Unavailable
from aob.core.event import HOME, MessageMark
from aob.ports.store import (
    EndedQuery,
    Entry,
    Extent,
    HeadQuery,
    Leftover,
    Pointer,
    Removal,
    Segment,
    Store,
    TicketRow,
    TimerRow,
    Value,
)
from aob.ports.topics import GroupMark, KeyRow, TopicEnd
from aob.testing.conformance.messages import MessagesSuite
from aob.testing.conformance.removal import RemovalSuite
from aob.testing.conformance.rows import EntriesSuite, every_row
from aob.testing.conformance.store import StoreSuite, batch, content, head, message
from aob.testing.conformance.topics import TopicRowsSuite, record, topic_row
from tests.conformance.views import ViewsSuite, rows
from tests.servers.fixtures import Schema, made_schema

FILE = "shard-0.db"


class TestMemory(StoreSuite, ViewsSuite, RemovalSuite, MessagesSuite, TopicRowsSuite, EntriesSuite):
    async def make(self, folder: Path) -> Store:
        return MemoryStore()

    async def again(self, store: Store, folder: Path) -> Store:
        return store


class TestSqlite(StoreSuite, ViewsSuite, RemovalSuite, MessagesSuite, TopicRowsSuite, EntriesSuite):
    async def make(self, folder: Path) -> Store:
        self.path = folder / FILE
        return await SqliteStore.open(self.path, timeout_s=0.01)

    async def again(self, store: Store, folder: Path) -> Store:
        return await SqliteStore.open(folder / FILE, timeout_s=5)

    def full(self, store: Store) -> AbstractContextManager[None]:
        return no_room(store)

    def locked(self, store: Store) -> AbstractContextManager[None]:
        return held_by_another(self.path)


@pytest.fixture(scope="session")
def many_shards(postgres_url: str) -> "Shards":
    """Shards given out one by one, so that each is new."""
    return Shards(postgres_url)


class Shards:
    """The shards of a schema that no test has had yet, then those of the next."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._begin()

    def _begin(self) -> None:
        self._schema, self._left = made_schema(self._url, 256), list(range(256))

    def next(self) -> tuple[Schema, int]:
        if not self._left:
            self._begin()
        return self._schema, self._left.pop()


class TestPostgres(StoreSuite, ViewsSuite, RemovalSuite, MessagesSuite, TopicRowsSuite, EntriesSuite):
    @pytest.fixture(autouse=True)
    async def database(self, many_shards: Shards, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        monkeypatch.setattr(commits, "LOCK_MS", 20)
        await self.begin(many_shards)
        yield
        await self.opened.close()

    async def begin(self, shards: Shards) -> None:
        self.schema, self.shard = shards.next()
        self.opened = await Database.open(self.schema.url, lock_ms=20)

    async def make(self, folder: Path) -> Store:
        return PostgresStore(self.opened, self.shard)

    async def again(self, store: Store, folder: Path) -> Store:
        return PostgresStore(self.opened, self.shard)

    def locked(self, store: Store) -> AbstractContextManager[None]:
        return row_held(self.schema, self.shard)


@contextmanager
def row_held(schema: Schema, shard: int) -> Iterator[None]:
    with psycopg.connect(schema.owner_url.partition("?")[0]) as other:
        other.execute(f'select from "{schema.name}".shard where id = %s for update'.encode(), (shard,))
        yield


@contextmanager
def no_room(store: Store) -> Iterator[None]:
    assert isinstance(store, SqliteStore)
    writer = store._writer
    pages = writer.execute("pragma page_count").fetchone()[0]
    writer.execute(f"pragma max_page_count = {pages}")
    yield
    writer.execute("pragma max_page_count = 1000000")


@contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    yield
    other.execute("rollback")
    other.close()


async def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is a text, and quite a long one, so that it has a header" * 40)
    with pytest.raises(Unavailable, match=FILE):
        await SqliteStore.open(tmp_path / FILE)


async def test_a_file_is_checkpointed_between_commits_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PASS_BYTES", 4_000_000)
    monkeypatch.setattr(checkpoints, "WAL_MAX_BYTES", 16_000_000)
    store = await SqliteStore.open(tmp_path / FILE)
    epoch = await store.take()
    for row in range(1, 41):
        value = Value("acme", row.to_bytes(32, "big"), bytes(600_000))
        await store.commit(batch(epoch, row, values=[value], data=b"[%b]" % (b" " * 600_000)))
    wal = (tmp_path / f"{FILE}-wal").stat().st_size
    assert wal < 40 * 1_200_000, "the log was never folded into the file"
    assert (await store.last())[0] == 40
    await store.close()


# -- the same answers as the reference ----------------------------------------------------------------------------

STREAM = st.sampled_from(["run_1", "run_2", "run_3"])
HEADS = st.lists(
    st.builds(
        lambda stream, status, ended, info: head(stream, status, ended_ms=ended, info=info, seq=ended + 1),
        STREAM, st.sampled_from(["RUNNING", "WAITING", "FAILED"]), st.integers(0, 2), st.sampled_from([b"", b"{}"]),
    ),
    max_size=3, unique_by=lambda made: made.stream,
)  # fmt: skip
POINTERS = st.lists(
    st.builds(Pointer, st.integers(1, 3), st.just(0), st.integers(0, 12), st.integers(0, 30), st.just(7)),
    min_size=1, max_size=3,
)  # fmt: skip
SEGMENTS = st.lists(
    st.one_of(
        st.builds(Segment, STREAM, st.integers(0, 2), st.just(1), st.integers(1, 3), st.binary(max_size=2)),
        st.builds(
            Segment, STREAM, st.just(0), st.integers(1, 3), st.integers(1, 3), st.just(b""), st.just(5), POINTERS
        ),
    ),
    max_size=2,
)
TICKETS = st.lists(st.builds(TicketRow, STREAM, st.sampled_from("ab"), st.just("acme"), st.integers(0, 5),
                             st.sampled_from(["", "boss"])), max_size=3)  # fmt: skip
TIMERS = st.lists(st.builds(TimerRow, STREAM, st.sampled_from("ab"), st.integers(0, 5)), max_size=3)
DONE = st.lists(st.tuples(STREAM, st.sampled_from(["", "a", "b"])), max_size=2)
REMOVALS = st.lists(
    st.builds(lambda stream, record: Removal(stream, record, "acme", "ann", 9, 8), STREAM, st.sampled_from("xy")),
    max_size=1,
)
VALUES = st.lists(st.builds(Value, st.sampled_from(["acme", "x"]), st.just(b"h" * 32), st.binary(max_size=3)),
                  max_size=2)  # fmt: skip
DIGEST = st.sampled_from([b"h" * 32, b"g" * 32])
LEFTOVERS = st.lists(
    st.builds(Leftover, st.sampled_from(["value", "log"]), st.sampled_from(["acme", "x"]), DIGEST, st.integers(0, 9)),
    max_size=2,
)
EXTENTS = st.lists(
    st.builds(Extent, st.integers(0, 2), st.integers(0, 2), st.integers(1, 3), st.integers(0, 3), st.integers(-1, 2),
              st.booleans()), max_size=2)  # fmt: skip
KEY = st.sampled_from([b"", b"a", b"a\0", b"b"])
ENTRIES = st.lists(st.builds(Entry, STREAM, KEY, st.none() | st.binary(max_size=3), KEY), max_size=4)
PAIR = st.tuples(st.sampled_from([HOME, 0]), st.integers(0, 1))
MARKS = st.lists(st.builds(lambda pair, *place: MessageMark(*pair, *place), PAIR, st.integers(1, 2), st.integers(0, 3)),
                 max_size=3)  # fmt: skip
MESSAGES = st.lists(
    st.builds(lambda pair, number, generation: message(
        number, sender=pair[0], receiver=pair[1], generation=generation), PAIR, st.integers(1, 3), st.integers(1, 2)),
    max_size=3,
)  # fmt: skip
TOPIC = st.tuples(st.sampled_from(["acme", "x"]), st.sampled_from(["t", "u"]), st.integers(0, 1))
RECORDS = st.dictionaries(TOPIC, st.integers(1, 3), max_size=2)
"""How many records are appended to each; the keys are those of their offsets."""
GROUPS = st.lists(
    st.builds(lambda place, group, low, done: GroupMark(place[0], group, *place[1:], low, tuple(sorted(done))), TOPIC,
              st.sampled_from("gh"), st.integers(0, 3), st.sets(st.integers(4, 9), max_size=2)), max_size=2,
)  # fmt: skip
SAYS = b'[["run_2",3,[[9,"sha256:%b"]]]]' % (b"h" * 32).hex().encode()
MOVE = st.fixed_dictionaries(
    {
        "handle": st.integers(0, 1),
        "take": st.integers(0, 5).map(lambda dice: dice == 0),
        "row": st.sampled_from([0, 0, 0, 0, 1, -1]),
        "count": st.sampled_from([1, 1, 1, 0]),
        "appended": RECORDS,
        "parts": st.fixed_dictionaries(
            {
                "heads": HEADS,
                "segments": SEGMENTS,
                "timers": TIMERS,
                "timers_done": DONE,
                "tickets": TICKETS,
                "tickets_done": DONE,
                "values": VALUES,
                "removals": REMOVALS,
                "outbox": MESSAGES,
                "sent": MARKS,
                "delivered": MARKS,
                "received": MARKS,
                "cut": st.integers(0, 2),
                "tickets_whole": st.booleans(),
                "moved": st.lists(STREAM, max_size=1),
                "rewritten": st.lists(st.tuples(st.integers(1, 3), st.sampled_from([b"[]", SAYS])), max_size=2),
                "leftovers": LEFTOVERS,
                "settled": LEFTOVERS,
                "dropped": st.lists(st.tuples(st.sampled_from(["acme", "x"]), DIGEST), max_size=2),
                "unless_after": st.integers(0, 3),
                "extents": EXTENTS,
                "marks": GROUPS,
                "entries": ENTRIES,
                "data": st.sampled_from([b"[]", SAYS, b'[["run_1",0,[[1,"run_1"],[2]]]]']),
            }
        ),
    }
)


async def appended(store: Store, counts: dict[tuple[str, str, int], int]) -> dict[str, Any]:
    """The parts of a batch that appends so many records to each place."""
    rows, keys, ends = [], [], []
    for place, count in counts.items():
        first = await store.topic_end(*place)
        tenant, topic, partition = place
        records = [record(str(first + each), tenant=tenant) for each in range(count)]
        rows.append(topic_row(first, records, tenant=tenant, topic=topic, partition=partition))
        keys.append(KeyRow(*place, first.to_bytes(32, "big"), first, bytes(32)))
        ends.append(TopicEnd(*place, first + count))
    return {"records": rows, "record_keys": keys, "record_ends": ends}


async def topics_of(store: Store) -> list[Any]:
    """What the reads of topics return."""
    ends = await store.topic_ends()
    told: list[Any] = [ends, await store.topic_ends(("x", "", 0), 1), await store.group_marks()]
    for end in ends:
        place = end.tenant, end.topic, end.partition
        keys = [each.to_bytes(32, "big") for each in range(end.next + 1)]
        told += [await store.records(*place, 0), await store.records(*place, 2, 2), await store.keyed(*place, keys)]
    return told


async def answers(suite: StoreSuite, folder: Path, script: list[dict[str, Any]]) -> list[Any]:
    """What a store answers to each move of a script, by two owners who take it from one another."""
    first = await suite.make(folder)
    handles = [first, await suite.again(first, folder)]
    epochs = [await first.take(), 0]
    told: list[Any] = []
    for move in script:
        store = handles[move["handle"]]
        if move["take"] or not epochs[move["handle"]]:
            epochs[move["handle"]] = await store.take()
        row = (await store.last())[0] + 1 + move["row"]
        try:
            parts = {name: list(part) if isinstance(part, list) else part for name, part in move["parts"].items()}
            there = await store.heads_of(parts["moved"])
            gone = {removal.stream for removal in parts["removals"]}
            parts["moved"] = [name for name in parts["moved"] if name in there and name not in gone]
            parts |= await appended(store, move["appended"])
            parts["rewritten"] = [each for each in parts["rewritten"] if each[0] < row - move["row"]]
            told.append(await store.commit(batch(epochs[move["handle"]], row, count=move["count"], **parts)))
        except AobError as error:
            told.append(error.code)
        told.append(await content(store))
        told.append(await rows(store, "event_log"))
        told.append(sorted(await rows(store, "runs"), key=lambda each: str(each["run"])))
        told.append(await topics_of(store))
        told.append(await store.heads(HeadQuery("run", status="WAITING")))
        told.append(await store.ended(EndedQuery("run", "acme", 7)))
        told.append([await store.removed(name) for name in ("run_1", "run_2", "run_3")])
        told.append([await store.removes(), await store.tickets_whole(), await store.holding()])
        told.append([await store.leftovers(9), await store.leftovers(9, 1, 3), await store.all_segments(("", -1), 9)])
        told.append([await every_row(store), await store.entries("run_1", b"a", b"b", limit=2, newest=True)])
        told.append([await store.segments("run_1", 1, 2), await store.value("x", b"h" * 32)])
    for store in handles:
        await store.close()
    return told


@given(st.lists(MOVE, max_size=8))
@settings(max_examples=40, deadline=None)
def test_sqlite_answers_as_memory_does(script: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        expected = asyncio.run(answers(TestMemory(), Path(one), script))
        assert asyncio.run(answers(TestSqlite(), Path(two), script)) == expected


def test_postgres_answers_as_memory_and_sqlite_do(many_shards: Shards) -> None:
    async def on_postgres(script: list[dict[str, Any]], folder: Path) -> list[Any]:
        suite = TestPostgres()
        await suite.begin(many_shards)
        try:
            return await answers(suite, folder, script)
        finally:
            await suite.opened.close()

    @given(st.lists(MOVE, max_size=8))
    @settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
    def agree(script: list[dict[str, Any]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            expected = asyncio.run(answers(TestMemory(), Path(folder), script))
            assert asyncio.run(on_postgres(script, Path(folder))) == expected
            assert asyncio.run(answers(TestSqlite(), Path(folder), script)) == expected

    agree()
