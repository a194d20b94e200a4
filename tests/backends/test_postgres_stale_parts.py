"""A stale batch that travels with good ones writes nothing: no part of it, into no table."""

import asyncio
from typing import Any

import psycopg

from aob.backends.postgres.commits import commits_of
from aob.backends.postgres.database import Database
from aob.backends.postgres.store import PostgresStore
from aob.core.event import MessageMark
from aob.ports.store import Extent, Leftover, Pointer, Removal, Segment, StaleEpoch, TicketRow, TimerRow, Value
from aob.testing.conformance.store import RUN, batch, head, message, whole
from tests.servers.fixtures import Schema

LOG = Leftover("log", "acme", b"there", 9)
PARTS: dict[str, Any] = {
    "heads": [head(RUN, "FAILED")], "segments": [Segment(RUN, 1, 1, 2, b"late")],
    "pointers": [Segment("run_2", 0, 1, 1, b"", 0, [Pointer(1, 0, 0, 3, 5)])],
    "timers": [TimerRow(RUN, "late", 3)], "timers_done": [(RUN, "")],
    "tickets": [TicketRow(RUN, "late", "acme", 9, "boss")], "tickets_done": [(RUN, "")],
    "values": [Value("acme", b"l" * 32, b"late")], "outbox": [message(2)], "sent": [MessageMark(3, 4, 1, 2)],
    "received": [MessageMark(4, 3, 1, 8)], "delivered": [MessageMark(3, 4, 1, 1)],
    "extents": [Extent(3, 1, 2, 2, 1)], "removals": [Removal(RUN, "removal_1", "acme", "bob", 9, 8)],
    "moved": [RUN], "rewritten": [(1, b"[]")], "leftovers": [Leftover("log", "acme", b"late", 9)], "settled": [LOG],
    "dropped": [("acme", b"h" * 32)], "cut": 2, "count": 0,
}  # fmt: skip
"""Each part of a batch, so that it changes what `whole` and a leftover have written."""


async def rows(owner: "psycopg.AsyncConnection[Any]", schema: str, shard: int) -> dict[str, list[str]]:
    """All that the database has of a shard, by table."""
    listed = b"""select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = %s::regnamespace and a.attname in ('shard', 'id') and a.atttypid = 'int'::regtype
        and c.relkind in ('r', 'p') and not c.relispartition and (a.attname = 'shard' or c.relname = 'shard')"""
    found = {}
    for table, column in await (await owner.execute(listed, (f'"{schema}"',))).fetchall():
        sql = f'select t::text from "{schema}"."{table}" t where "{column}" = %s order by 1'
        found[table] = [text for (text,) in await (await owner.execute(sql.encode(), (shard,))).fetchall()]
    return found


async def test_no_part_of_a_stale_batch_is_written_beside_a_good_one(postgres_schema: Schema) -> None:
    database = await Database.open(postgres_schema.url)
    url = postgres_schema.owner_url.partition("?")[0]
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
            for at, (name, part) in enumerate(PARTS.items()):
                good, stale = PostgresStore(database, 2 * at % 16), PostgresStore(database, 2 * at % 16 + 1)
                epochs = [await good.take(), await stale.take()]
                firsts = [(await each.last())[0] + 1 for each in (good, stale)]
                for store, epoch, row in zip((good, stale), epochs, firsts, strict=True):
                    first = whole(epoch, row)
                    first.leftovers = [LOG]
                    assert await store.commit(first) == row
                await PostgresStore(database, stale.shard).take()
                before = [await rows(owner, postgres_schema.name, each.shard) for each in (good, stale)]
                given = {"segments" if name == "pointers" else name: part}
                calls = commits_of(database).stats["calls"]
                answers = await asyncio.gather(*(
                    store.commit(batch(epoch, row + 1, **{"heads": [head("run_3")], **given}))
                    for store, epoch, row in zip((good, stale), epochs, firsts, strict=True)
                ))  # fmt: skip
                after = [await rows(owner, postgres_schema.name, each.shard) for each in (good, stale)]
                assert answers == [firsts[0] + 1, StaleEpoch(epochs[1] + 1)], name
                assert commits_of(database).stats["calls"] == calls + 1, "both in one call"
                assert after[1] == before[1], f"{name} of a stale batch"
                assert after[0] != before[0], f"{name} of the other"
    finally:
        await database.close()
