"""Commits on Postgres: those that wait travel together, each is judged alone, and whoever lost a shard writes nothing,
whenever the other took it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from aob.backends.postgres import commits
from aob.backends.postgres.commits import commits_of
from aob.backends.postgres.database import Database
from aob.backends.postgres.store import PostgresStore
from aob.core.errors import Conflict, Unavailable
from aob.core.event import MessageMark
from aob.ports.store import Batch, Pointer, Removal, Segment, StaleEpoch, TimerRow, Value
from aob.testing.conformance.store import RUN, batch, content, head, whole
from tests.backends.test_postgres_faults import behind, through
from tests.servers.fixtures import Schema

SHARDS = 16


@pytest.fixture
async def database(postgres_schema: Schema) -> AsyncIterator[Database]:
    opened = await Database.open(postgres_schema.url)
    yield opened
    await opened.close()


async def test_commits_that_wait_are_one_call_and_a_lone_one_waits_for_nobody(database: Database) -> None:
    stores = [PostgresStore(database, shard) for shard in range(SHARDS)]
    epochs = [await store.take() for store in stores]
    stats = commits_of(database).stats
    assert (
        await asyncio.gather(*(store.commit(whole(epoch, 1)) for store, epoch in zip(stores, epochs, strict=True)))
        == [1] * SHARDS
    )
    assert stats == {"calls": 1, "batches": SHARDS}
    assert await stores[3].commit(whole(epochs[3], 2)) == 2
    assert stats == {"calls": 2, "batches": SHARDS + 1}
    contents = [await content(store) for store in stores]
    assert all(each == contents[0] for each in (*contents[:3], *contents[4:]))


async def test_while_one_call_is_under_way_the_next_ones_gather(database: Database) -> None:
    stores = [PostgresStore(database, shard) for shard in range(SHARDS)]
    epochs = [await store.take() for store in stores]
    first = asyncio.create_task(stores[0].commit(batch(epochs[0], 1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert commits_of(database).stats["calls"] == 1
    rest = [
        asyncio.create_task(store.commit(batch(epoch, 1))) for store, epoch in zip(stores[1:], epochs[1:], strict=True)
    ]
    assert await asyncio.gather(first, *rest) == [1] * SHARDS
    assert commits_of(database).stats == {"calls": 2, "batches": SHARDS}


async def test_a_stale_shard_is_left_out_and_the_others_are_written(database: Database) -> None:
    stores = [PostgresStore(database, shard) for shard in range(4)]
    epochs = [await store.take() for store in stores]
    await asyncio.gather(*(store.commit(whole(epoch, 1)) for store, epoch in zip(stores, epochs, strict=True)))
    before = await content(stores[1])
    await PostgresStore(database, 1).take()
    late = [
        batch(epoch, 2, heads=[head(RUN, "FAILED")], timers=[TimerRow(RUN, "n", 3)], timers_done=[(RUN, "")],
              segments=[Segment(RUN, 1, 1, 2, b"late")], values=[Value("acme", b"l" * 32, b"late")], cut=2)
        for epoch in epochs
    ]  # fmt: skip
    answers = await asyncio.gather(*(store.commit(each) for store, each in zip(stores, late, strict=True)))
    assert answers == [2, StaleEpoch(2), 2, 2]
    assert await content(stores[1]) == before
    assert await stores[1].value("acme", b"l" * 32) is None
    assert await stores[0].value("acme", b"l" * 32) == b"late"
    assert commits_of(database).stats["calls"] == 2


async def test_one_batch_that_the_server_refuses_does_not_harm_the_others(database: Database) -> None:
    stores = [PostgresStore(database, shard) for shard in range(4)]
    epochs = [await store.take() for store in stores]
    batches = [batch(epoch, 1) for epoch in epochs]
    batches[2].timers = [TimerRow(RUN, "t", 1 << 70)]
    answers: list[Any] = await asyncio.gather(
        *(store.commit(each) for store, each in zip(stores, batches, strict=True)), return_exceptions=True
    )
    assert [answers[at] for at in (0, 1, 3)] == [1, 1, 1]
    assert isinstance(answers[2], Unavailable)
    assert answers[2].code == "store_failed"
    assert await stores[2].last() == (0, 0, 0)
    assert await stores[2].commit(batch(epochs[2], 1)) == 1


async def test_a_shard_that_is_locked_does_not_hold_up_the_others(
    postgres_schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "LOCK_MS", 50)
    # The connection itself sets no limit: the statement does.
    database = await Database.open(postgres_schema.url, lock_ms=600_000, statement_ms=600_000)
    stores = [PostgresStore(database, shard) for shard in range(3)]
    epochs = [await store.take() for store in stores]
    async with await psycopg.AsyncConnection.connect(postgres_schema.owner_url.partition("?")[0]) as other:
        await other.execute(f'select from "{postgres_schema.name}".shard where id = 1 for update'.encode())
        answers: list[Any] = await asyncio.gather(
            *(store.commit(batch(epoch, 1)) for store, epoch in zip(stores, epochs, strict=True)),
            return_exceptions=True,
        )
        assert (answers[0], answers[2]) == (1, 1)
        assert answers[1].code == "store_locked"
        monkeypatch.setattr(commits, "LOCK_MS", 600_000)
        held = asyncio.create_task(stores[1].commit(batch(epochs[1], 1)))
        for row in (2, 3):
            assert await stores[0].commit(batch(epochs[0], row)) == row
        assert not held.done()
    assert await held == 1
    assert await stores[1].commit(batch(epochs[1], 2)) == 2
    assert not commits_of(database)._apart
    await database.close()


async def test_the_time_of_a_shard_never_goes_back_and_a_stale_owner_is_told_the_epoch_that_counts(
    database: Database,
) -> None:
    store = PostgresStore(database, 0)
    epoch = await store.take()
    assert await store.commit(batch(epoch, 1, at_ms=9_000)) == 1
    assert await store.commit(batch(epoch, 2, at_ms=5_000)) == 2
    assert await store.commit(batch(epoch, 2, at_ms=4_000, count=0, cut=1)) == 2
    assert await store.last() == (2, 9_000, 1)
    with pytest.raises(Conflict) as told:
        await store.commit(batch(epoch, 9))
    assert told.value.code == "row_exists", "its epoch counts"
    other = await PostgresStore(database, 0).take()
    assert await store.commit(batch(epoch, 3)) == StaleEpoch(other)
    assert await store.commit(batch(epoch, 9)) == StaleEpoch(other), "whatever its row"


async def test_a_take_between_the_begin_of_a_commit_and_its_write_fences_it(
    database: Database, postgres_schema: Schema
) -> None:
    """SCALE 1.2: a function that first reads the epoch would let this write pass."""
    old, new = PostgresStore(database, 0), PostgresStore(database, 0)
    epoch = await old.take()
    await old.commit(whole(epoch, 1))
    before = await content(old)
    url = postgres_schema.owner_url.partition("?")[0]
    async with (
        await psycopg.AsyncConnection.connect(url) as taker,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher,
    ):
        await taker.execute(
            f'select * from "{postgres_schema.name}".take_shard(0, %s, %s)'.encode(), ("[64, 1, []]", "b")
        )
        writes = asyncio.create_task(old.commit(whole(epoch, 2)))  # it has begun, and waits for the lock of the row
        waits = b"select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%%commit_runs%%'"
        while True:
            if await (await watcher.execute(waits)).fetchone():
                break
        assert not writes.done()
        await taker.commit()
        assert await writes == StaleEpoch(epoch + 1)
    assert await content(new) == before
    assert await new.commit(whole(epoch + 1, 2)) == 2


async def test_an_owner_whose_take_was_not_answered_finds_out_that_it_was_itself(postgres_schema: Schema) -> None:
    async with behind(postgres_schema.url) as proxy:
        database = await Database.open(through(postgres_schema, proxy), size=1)
        mine, other = PostgresStore(database, 0), PostgresStore(database, 0)
        epoch = await mine.take()
        nothing = Batch(epoch, 1, 0, 0, b"[]")
        proxy.cut_after("down", 0)
        with pytest.raises(Unavailable):
            await mine.take()
        assert await mine.commit(nothing) == 1, "nobody else has it"
        assert await mine.commit(batch(epoch, 1)) == StaleEpoch(epoch + 1), "and yet nothing is written under it"
        proxy.cut_after("down", 0)
        with pytest.raises(Unavailable):
            await mine.take()
        taken = await other.take()
        assert await mine.commit(nothing) == StaleEpoch(taken)
        await database.close()


async def test_a_batch_whose_caller_has_gone_before_it_was_sent_is_not_sent(database: Database) -> None:
    store = PostgresStore(database, 0)
    epoch = await store.take()
    gone = asyncio.create_task(store.commit(batch(epoch, 1)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait((gone,))
    assert (await store.last())[0] == 0
    assert await store.commit(batch(epoch, 1)) == 1


async def test_texts_that_no_text_of_postgres_may_hold_come_back_as_they_were(database: Database) -> None:
    store = PostgresStore(database, 0)
    epoch = await store.take()
    odd = ["run_\0", "run_\ue000", "run_\\u0000", "run_\ue0000", "run_\0\0\\\0", "run_\U0010ffff", "run_'\"%s%%{}"]
    rows = [head(name, reason=f"why {name}", tenant=name, name=name) for name in odd]
    await store.commit(
        batch(epoch, 1, heads=rows, timers=[TimerRow(name, name, 5) for name in odd],
              segments=[Segment(name, 0, 1, 1, b"\0\xff") for name in odd])
    )  # fmt: skip
    assert [await store.head(name) for name in odd] == rows
    assert await store.heads_of(odd) == dict(zip(odd, rows, strict=True))
    assert sorted(timer.stream for timer in await store.timers(9)) == sorted(odd)
    assert [(await store.segments(name))[0].data for name in odd] == [b"\0\xff"] * len(odd)


async def test_a_server_that_forgot_what_it_acknowledged_is_named(database: Database, postgres_schema: Schema) -> None:
    store = PostgresStore(database, 0)
    epoch = await store.take()
    for row in (1, 2, 3):
        await store.commit(batch(epoch, row))
    url = postgres_schema.owner_url.partition("?")[0]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
        table = f'"{postgres_schema.name}".shard'
        await owner.execute(f'update {table} set "row" = 2 where id = 0'.encode())
        with pytest.raises(Unavailable) as refused:
            await store.take()
        assert refused.value.code == "store_went_back"
        await owner.execute(f"update {table} set epoch = 0 where id = 0".encode())
        with pytest.raises(Unavailable) as refused:
            await store.commit(batch(epoch, 4))
        assert refused.value.code == "store_went_back"
        await owner.execute(f'update {table} set "row" = 3, epoch = {epoch - 1} where id = 0'.encode())
        with pytest.raises(Unavailable, match=r"went back.*row 3") as refused:
            await store.take()  # all rows are there, and it would have the epoch of before once more
        assert refused.value.code == "store_went_back"


async def test_a_segment_is_found_also_when_its_head_came_later(database: Database) -> None:
    store = PostgresStore(database, 0)
    epoch = await store.take()
    day = 86_400_000
    early, longer = Segment(RUN, 0, 4, 1, b"early"), Segment(RUN, 0, 5, 2, b"longer")
    after = Segment(RUN, 5, 2, 3, b"after")
    await store.commit(batch(epoch, 1, at_ms=3 * day, segments=[early]))
    assert await store.segments(RUN) == [early]
    await store.commit(batch(epoch, 2, at_ms=4 * day, heads=[head(RUN, started_ms=2 * day)]))
    assert await store.segments(RUN) == [early]
    await store.commit(batch(epoch, 3, at_ms=5 * day, segments=[longer, after]))
    assert await store.segments(RUN) == await store.all_segments(("", -1), 9) == [longer, after]


async def test_a_history_of_many_days_is_one_wherever_its_rows_lie(database: Database, postgres_schema: Schema) -> None:
    """Some days have partitions, others came too early; later those get theirs, and the rows move."""
    store = PostgresStore(database, 0)
    epoch, day = await store.take(), 86_400_000
    days = [100, 100, 101, 103, 103, 102, 104, 200, 200]  # 102: a clock that was set back
    for row, number in enumerate(days, 1):
        name = f"run_{number}"
        await store.commit(
            batch(epoch, row, at_ms=number * day + row, data=b'[["%b",0,[%d]]]' % (name.encode(), row),
                  heads=[head(name, started_ms=number * day)],
                  segments=[Segment(name, 0, 1, row, b"s%d" % row), Segment(name, 1, 1, row, b"t%d" % row)])
        )  # fmt: skip
    pointers = [Pointer(row, 0, len(b'[["run_100",0,['), 1, 7) for row in range(1, len(days) + 1)]
    await store.commit(batch(epoch, 10, count=0, segments=[Segment("run_p", 0, 9, 9, b"", 5, pointers)]))

    async def seen() -> list[Any]:
        (whole_one,) = await store.segments("run_p")
        return [
            [[row.row for row in await store.journal(after)] for after in range(10)],
            [piece for _, piece in whole_one.pieces], await store.all_segments(("", -1), 99),
            [await store.segments(f"run_{number}") for number in sorted(set(days))],
        ]  # fmt: skip

    before = await seen()
    assert before[0] == [list(range(after + 1, 10)) for after in range(10)]
    assert before[1] == [b"%d" % row for row in range(1, 10)]
    assert [[segment.data[:1] for segment in found] for found in before[3]] == [[b"s", b"t"]] * 6
    async with await psycopg.AsyncConnection.connect(postgres_schema.owner_url.partition("?")[0]) as owner:
        await owner.execute(f'select "{postgres_schema.name}".make_days(101, 103)'.encode())
    assert await seen() == before
    rewritten = [(row, b'[["",0,[],%d]]' % row) for row in (1, 3, 5, 9)]
    gone = [Removal(f"run_{number}", "removal/1", "acme", "ann", 9, 8) for number in (100, 103)]
    await store.commit(batch(epoch, 10, at_ms=201 * day, removals=gone, rewritten=rewritten))
    told = {row.row: row.data for row in await store.journal(0)}
    assert [told[row] for row, _ in rewritten] == [data for _, data in rewritten]
    assert told[2] == b'[["run_100",0,[2]]]'
    assert not await store.segments("run_100")
    assert not await store.segments("run_103")
    assert len(await store.segments("run_101")) == 2


async def test_a_commit_reads_the_rows_that_it_names_however_large_the_tables_are(postgres_schema: Schema) -> None:
    """The plans were made when the tables were empty, and no statistics say what they hold now."""
    database = await Database.open(postgres_schema.url, size=1)
    store, many = PostgresStore(database, 0), 3_000
    epoch = await store.take()
    removal = Removal("run_7", "removal/1", "acme", "ann", 9, 8)

    def everything(row: int) -> Batch:
        return batch(
            epoch, row, heads=[head("run_1")], segments=[Segment("run_1", 9, 1, row, b"s")], removals=[removal],
            timers=[TimerRow("run_2", "t", 9)], timers_done=[("run_3", "t"), ("run_4", "")], moved=["run_8"],
            tickets_done=[("run_3", "t"), ("run_4", "")], delivered=[MessageMark(1, 2, 1, 3)],
            rewritten=[(1, b"[]")], values=[Value("acme", b"v" * 32, b"v")],
        )  # fmt: skip

    await store.commit(everything(1))
    schema, numbers = f'"{postgres_schema.name}"', f"generate_series(1, {many}) n"
    async with await psycopg.AsyncConnection.connect(postgres_schema.owner_url.partition("?")[0]) as owner:
        for rows in (
            "head select 0, 'run_' || n, 'run', 'acme', 'order', 'RUNNING', '', 1, 0, 1, '' from",
            "timer select 0, 'run_' || n, 't', n from", "ticket select 0, 'run_' || n, 't', 'acme', n, '' from",
            "outbox select 0, 1, 2, 1, n, 'a', 'b', '', '', '' from",
            "segment select 0, 0, 'run_' || n, 0, 1, 1, '', 1 from",
        ):  # fmt: skip
            await owner.execute(f"insert into {schema}.{rows} {numbers} on conflict do nothing".encode())
    await database.row("select pg_stat_force_next_flush()")
    read = f"""select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables
      where schemaname = '{postgres_schema.name}'"""
    async with await psycopg.AsyncConnection.connect(
        postgres_schema.owner_url.partition("?")[0], autocommit=True
    ) as watcher:
        before = dict(await (await watcher.execute(read.encode())).fetchall())
        await store.commit(everything(2))
        await database.row("select pg_stat_force_next_flush()")
        await database.row("select 1")
        after = dict(await (await watcher.execute(read.encode())).fetchall())
    assert after != before
    assert not {name: count for name, count in after.items() if count - before[name] > many / 10}
    await database.close()
