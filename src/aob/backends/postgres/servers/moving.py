"""Moves one shard from a database of its cluster to another: fenced, copied verbatim, compared, switched in one commit,
removed where it was. Whoever moves it holds its lease. What was cut off at any point is done again from the beginning:
until the switch the shard is where it was, from then on where it goes."""

import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from aob.backends.postgres.cluster import DAY_MS, DAYS_AHEAD
from aob.backends.postgres.database import Connection, Database
from aob.core.errors import Conflict, NotFound, Unavailable

STEPS: Final = ("fenced", "copied", "landed", "switched", "emptied")
"""What has happened when `step` is called."""
SUMS: Final = (
    "select count(*), coalesce(bit_xor(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0), "
    "coalesce(sum(octet_length(t::text)), 0)::bigint from (select {columns} from {table} where shard = {shard}) t"
)
"""How many rows there are, a checksum in any order, and their size as texts."""
FIRST: Final = 0
"""The shard with the home's own streams, which stays beside the event log, keys and leases."""
Step = Callable[[str], None]


class Moved(msgspec.Struct, frozen=True):
    """A shard that is in the store `target` now. `rows` and `bytes` were copied; none: it was there already."""

    shard: int
    source: int
    target: int
    rows: int = 0
    bytes: int = 0


async def move_shard(
    main: Database, servers: dict[int, Database], shard: int, target: int, step: Step = lambda done: None
) -> Moved:
    """Move a shard to the store `target`. `main` is store 1, `servers` has it and the others, all by their owners.
    `step` is called with each of `STEPS`. Raises NotFound `no_shard`, Conflict `shard_stays`."""
    if shard == FIRST:
        raise Conflict("shard 0 has the workflows, keys and alerts, and stays in store 1", code="shard_stays",
                       hint="move others: with most shards elsewhere, store 1 has little more than it")  # fmt: skip
    sql = main.statements("moving.sql")
    placed = await main.row(sql["place"], (shard,))
    if placed is None:
        raise NotFound(f"there is no shard {shard}", code="no_shard", hint="aob shards lists them")
    source: int = placed[0]
    told = Moved(shard, source, target)
    if source != target:
        told = await _copied(servers, told, step)
        given = {"shard": shard, "source": source, "target": target, "rows": told.rows, "bytes": told.bytes}
        if await main.row(sql["switch"], given) is None:
            raise Conflict(f"shard {shard} is not in store {source} any more", code="shard_stays",
                           hint="somebody else moved it: aob shards says where it is")  # fmt: skip
        step("switched")
    for number, db in servers.items():
        if number != target:
            await _empty(db, shard, target)
    step("emptied")
    return told


async def _copied(servers: dict[int, Database], told: Moved, step: Step) -> Moved:
    """Bring everything of the shard to its target, which says that it has it; nobody asks there before the switch."""
    source, target, shard = servers[told.source], servers[told.target], told.shard
    theirs, ours = source.statements("moving.sql"), target.statements("moving.sql")
    if await source.row(theirs["fence"], (f"move-{secrets.token_hex(6)}", shard)) is None:
        raise Unavailable(f"{source.address.shown} does not say that it has shard {shard}", code="store_schema",
                          hint="aob db check; was it restored from an old backup?")  # fmt: skip
    step("fenced")
    await _make_days(source, target, shard)
    rows = size = 0
    async with source.connection() as out, out.transaction(), target.transaction() as into:
        await out.execute("set transaction isolation level repeatable read, read only")
        tables = await _tables(out, source, target, into)
        await into.execute(ours["hold"], (shard,))
        for name, columns in tables:
            await into.execute(_removal(target, name, shard))
            await _copy(out, into, (source.schema, target.schema), name, columns, shard)
            here, there = [await _sum(c, db.schema, name, columns, shard) for c, db in ((out, source), (into, target))]
            if here != there:
                raise Unavailable(f"the copy of {name} of shard {shard} is not alike: {there}, not {here}",
                                  code="store_failed", hint="nothing is changed; try again")  # fmt: skip
            rows, size = rows + here[0], size + here[2]
        row = await (await out.execute(theirs["shard"], (shard,))).fetchone()
        assert row is not None
        await into.execute(ours["arrive"], (*row, shard))
        step("copied")
    step("landed")
    return Moved(shard, told.source, told.target, rows, size)


async def _tables(out: Connection, source: Database, target: Database, into: Connection) -> list[tuple[str, str]]:
    """The tables to copy. Both databases have taken the same steps, or nothing is."""
    found = []
    for c, db in ((out, source), (into, target)):
        rows = await (await c.execute(db.statements("moving.sql")["tables"])).fetchall()
        found.append([(str(name), str(columns)) for name, columns in rows])
    here, there = found
    if here != there:
        raise Conflict(f"{target.address.shown} has other tables than {source.address.shown}", code="schema_behind",
                       hint="aob db upgrade for both")  # fmt: skip
    return here


async def _copy(
    out: Connection, into: Connection, schemas: tuple[str, str], name: str, columns: str, shard: int
) -> None:  # fmt: skip
    source, target = schemas
    read = f'copy (select {columns} from "{source}"."{name}" where shard = {shard}) to stdout (format binary)'  # noqa: S608
    write = f'copy "{target}"."{name}" ({columns}) from stdin (format binary)'
    async with out.cursor().copy(read.encode()) as reading, into.cursor().copy(write.encode()) as writing:
        async for data in reading:
            await writing.write(data)


async def _sum(c: Connection, schema: str, name: str, columns: str, shard: int) -> tuple[Any, ...]:
    text = SUMS.format(columns=columns, table=f'"{schema}"."{name}"', shard=shard)
    row = await (await c.execute(text.encode())).fetchone()
    assert row is not None
    return row


async def _make_days(source: Database, target: Database, shard: int) -> None:
    """Partitions for the days of the shard, so that its rows lie where they are looked for."""
    until = int(time.time() * 1_000) // DAY_MS + DAYS_AHEAD
    make = target.statements("moving.sql")["make_days"]
    for (day,) in await source.rows(source.statements("moving.sql")["days"], {"shard": shard}):
        if 0 <= day <= until:
            await target.row(make, (day, day))


async def _empty(db: Database, shard: int, target: int) -> None:
    """Remove what is left of a shard that is elsewhere now."""
    sql = db.statements("moving.sql")
    await db.run(sql["gone"], (target, shard))
    for name, _ in await db.rows(sql["tables"]):
        async with db.connection() as c:
            await c.execute(_removal(db, name, shard))


def _removal(db: Database, name: str, shard: int) -> bytes:
    return f'delete from "{db.schema}"."{name}" where shard = {shard}'.encode()  # noqa: S608
