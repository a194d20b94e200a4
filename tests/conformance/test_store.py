"""Every `Store` backend against the one suite, and SQLite against memory on random scripts."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.backends.memory.store import MemoryStore
from aob.backends.sqlite import checkpoints
from aob.backends.sqlite.store import SqliteStore
from aob.core.errors import AobError, Unavailable
from aob.core.event import HOME, MessageMark
from aob.ports.store import (
    EndedQuery,
    HeadQuery,
    Removal,
    Segment,
    Store,
    TicketRow,
    TimerRow,
    Value,
)
from aob.testing.conformance.messages import MessagesSuite
from aob.testing.conformance.removal import RemovalSuite
from aob.testing.conformance.store import StoreSuite, batch, content, head, message
from tests.conformance.views import ViewsSuite, rows

FILE = "shard-0.db"


class TestMemory(StoreSuite, ViewsSuite, RemovalSuite, MessagesSuite):
    async def make(self, folder: Path) -> Store:
        return MemoryStore()

    async def again(self, store: Store, folder: Path) -> Store:
        return store


class TestSqlite(StoreSuite, ViewsSuite, RemovalSuite, MessagesSuite):
    async def make(self, folder: Path) -> Store:
        self.path = folder / FILE
        return await SqliteStore.open(self.path, timeout_s=0.01)

    async def again(self, store: Store, folder: Path) -> Store:
        return await SqliteStore.open(folder / FILE, timeout_s=5)

    def full(self, store: Store) -> AbstractContextManager[None]:
        return no_room(store)

    def locked(self, store: Store) -> AbstractContextManager[None]:
        return held_by_another(self.path)


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
SEGMENTS = st.lists(st.builds(Segment, STREAM, st.integers(0, 2), st.just(1), st.integers(1, 3), st.binary(max_size=2)),
                    max_size=2)  # fmt: skip
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
PAIR = st.tuples(st.sampled_from([HOME, 0]), st.integers(0, 1))
MARKS = st.lists(st.builds(lambda pair, *place: MessageMark(*pair, *place), PAIR, st.integers(1, 2), st.integers(0, 3)),
                 max_size=3)  # fmt: skip
MESSAGES = st.lists(
    st.builds(lambda pair, number, generation: message(
        number, sender=pair[0], receiver=pair[1], generation=generation), PAIR, st.integers(1, 3), st.integers(1, 2)),
    max_size=3,
)  # fmt: skip
MOVE = st.fixed_dictionaries(
    {
        "handle": st.integers(0, 1),
        "take": st.integers(0, 5).map(lambda dice: dice == 0),
        "row": st.sampled_from([0, 0, 0, 0, 1, -1]),
        "count": st.sampled_from([1, 1, 1, 0]),
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
            }
        ),
    }
)


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
            told.append(await store.commit(batch(epochs[move["handle"]], row, count=move["count"], **parts)))
        except AobError as error:
            told.append(error.code)
        told.append(await content(store))
        told.append(await rows(store, "event_log"))
        told.append(sorted(await rows(store, "runs"), key=lambda each: str(each["run"])))
        told.append(await store.heads(HeadQuery("run", status="WAITING")))
        told.append(await store.ended(EndedQuery("run", "acme", 7)))
        told.append([await store.removed(name) for name in ("run_1", "run_2", "run_3")])
    for store in handles:
        await store.close()
    return told


@given(st.lists(MOVE, max_size=8))
@settings(max_examples=40, deadline=None)
def test_sqlite_answers_as_memory_does(script: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        expected = asyncio.run(answers(TestMemory(), Path(one), script))
        assert asyncio.run(answers(TestSqlite(), Path(two), script)) == expected
