"""The cluster of a schema: who it is, and every set-up that is refused at start, with the line that mends it."""

import asyncio
import time
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from aob.backends.postgres.database import Database
from aob.backends.postgres.steps import RELIED_ON, STEPS, Step, refuse_changes, refuse_steps
from aob.core.errors import AobError, Conflict, Unavailable
from aob.core.rules import RULES

SERVER_MIN: Final = 150_000
SKEW_MAX_S: Final = 2.0
SYNCHRONOUS: Final = ("on", "remote_apply")
"""The settings of `synchronous_commit` under which what was answered is durable."""
LOSES: Final = "a crash would lose what was confirmed"
DAY_MS: Final = 86_400_000
DAYS_AHEAD: Final = 7
"""Partitions that are made before their day."""
DAYS_KEPT: Final = 2  # days that are over and keep their partitions, also empty ones
DROPPED_MAX: Final = 64  # partitions that are dropped at once


HOUR_S: Final = 3_600.0


class Cluster(msgspec.Struct, frozen=True):
    """A cluster as its schema tells it. `owner`: the user of this process owns the schema, so may change it; `pooler`:
    there is a pooler between; `skew_s`: how far the clock here is ahead of the server's; `store`: which of its
    databases this is; `rules`: the newest that documents may use."""

    id: bytes
    generation: int
    shards: int
    partitions: int
    version: int
    contract: int
    server: str
    owner: bool
    pooler: bool
    skew_s: float
    store: int = 1
    rules: int = 0


class Days(NamedTuple):
    """A table that is partitioned by day: its last day that has a partition, and whether rows missed theirs."""

    name: str
    last_day: int
    missed: bool


async def join(db: Database, known: bytes = b"", *, steps: tuple[Step, ...] = STEPS, store: int = 1) -> Cluster:
    """The cluster, once nothing of the set-up is to be refused. `known` is the id that the home keeps, `store` the
    number under which the settings name this database. Raises
    Unavailable `store_pooler`, `store_unsafe`, `store_old`, `store_read_only`, `clock_skew`, `store_missing`,
    `store_rights`, `store_half`; Conflict `newer_format`, `schema_behind`, `other_cluster`."""
    if db.pooler:
        await refuse_pooler(db)
    server, skew_s = await look_at_server(db)
    found = await read_cluster(db, server=server, skew_s=skew_s, steps=steps)
    if known and known != found.id:
        raise Conflict(
            f"{db.address.shown} holds the cluster {found.id.hex()[:12]}, and this home belongs to {known.hex()[:12]}",
            code="other_cluster",
            hint="name the database and schema of this home, or use an empty home; a further cluster needs ?schema=…",
        )
    if found.store != store:
        raise Conflict(f"{db.address.shown} is store {found.store} of its cluster, not store {store}",
                       code="other_cluster",
                       hint="AOB_STORE names store 1, AOB_STORE_2 store 2: aob db init --store 2")  # fmt: skip
    if abs(skew_s) > SKEW_MAX_S:
        ahead = "ahead of" if skew_s > 0 else "behind"
        why = f"the clock here is {abs(skew_s):.1f} s {ahead} the clock of {db.address.shown}"
        raise Unavailable(why, code="clock_skew", hint="set both by NTP (chrony, systemd-timesyncd); 2 s are allowed")
    return found


async def refuse_pooler(db: Database) -> None:
    """A pooler that lends a session for a statement alone breaks transactions. Raises Unavailable `store_pooler`."""
    try:
        async with db.transaction() as c:
            await c.execute("select 1")
    except Unavailable as error:
        if "pooling mode" not in error.detail:
            raise
        hint = "pool_mode = transaction, or session, in the pooler"
        raise Unavailable(error.detail, code="store_pooler", hint=hint) from error


async def look_at_server(db: Database) -> tuple[str, float]:
    """The release of the server, and how far the clock here is ahead. Refuses a server on which a commit that was
    answered can be lost, or that is not meant for this."""
    asked = time.time()
    row = await db.row(db.statements("cluster.sql")["server"], (list(RELIED_ON),))
    now = (asked + time.time()) / 2
    assert row is not None
    number, release, fsync, pages, synchronous, recovering, read_only, encoding, theirs, settings = row
    where = db.address.shown
    if number < SERVER_MIN:
        raise Unavailable(f"{where} is PostgreSQL {release}", code="store_old", hint="PostgreSQL 15 or later is needed")
    for name, value in (("fsync", fsync), ("full_page_writes", pages)):
        if value != "on":
            hint = f"alter system set {name} = on; select pg_reload_conf();"
            raise Unavailable(f"{where} has {name} = {value}: {LOSES}", code="store_unsafe", hint=hint)
    if synchronous not in SYNCHRONOUS:
        user = db.address.user or "…"
        raise Unavailable(f"{where} has synchronous_commit = {synchronous}: {LOSES}", code="store_unsafe",
                          hint=f'alter role "{user}" set synchronous_commit = on')  # fmt: skip
    if recovering or read_only == "on":
        why = "is a replica" if recovering else "has default_transaction_read_only = on"
        raise Unavailable(f"{where} {why}", code="store_read_only", hint="name the primary, which can be written")
    if encoding != "UTF8":
        raise Unavailable(f"{where} has the encoding {encoding}", code="store_unsafe",
                          hint="createdb --encoding=UTF8 --template=template0, then `aob db init`")  # fmt: skip
    for name, value in settings:
        if value != RELIED_ON[name]:
            user = db.address.user or "…"
            raise Unavailable(f"{where} has {name} = {value}, and statements rely on {RELIED_ON[name]}",
                              code="store_unsafe",
                              hint=f"alter role \"{user}\" set {name} = '{RELIED_ON[name]}'")  # fmt: skip
    return str(release), now - float(theirs)


async def read_cluster(
    db: Database, *, server: str = "", skew_s: float = 0.0, steps: tuple[Step, ...] = STEPS
) -> Cluster:
    """The cluster of the schema. Refuses a schema that is missing, half made, of another release, or closed to us."""
    sql, where = db.statements("cluster.sql"), db.address.shown
    row = await db.row(sql["schema"], (db.schema,))
    if row is None or (not row[2] and row[0]):
        raise Unavailable(f"{where}: there is no cluster in the schema {db.schema}", code="store_missing",
                          hint="aob db init with the owner's URL makes it")  # fmt: skip
    usable, owner, tables = row
    if not usable:
        raise Unavailable(f"{where}: {db.address.user} may not use the schema {db.schema}", code="store_rights",
                          hint="aob db init with the owner's URL gives the service its rights")  # fmt: skip
    taken = await db.rows(sql["steps"]) if "step" in tables else []
    version, contract = refuse_steps(taken, steps, where, db.schema)
    refuse_changes(await db.rows(sql["missing"]), where, db.schema)
    if lacking := [name for (name,) in await db.rows(sql["rights"])]:
        raise Unavailable(f"{where}: {db.address.user} lacks {', '.join(lacking[:5])}", code="store_rights",
                          hint="aob db upgrade with the owner's URL gives the service its rights again")  # fmt: skip
    found = await db.row(sql["cluster"])
    assert found is not None
    cluster, generation, shards, partitions, store, rules, release = found
    if (rules or 0) > RULES:
        why = f"{where}: documents of this cluster may use rules {rules}, and this release knows up to {RULES}"
        raise Conflict(why, code="newer_format", hint=f"start release {release} or a later one")
    return Cluster(
        cluster, generation, shards, partitions, version, contract, server, owner, db.pooler, skew_s, store, rules or 0
    )


async def make_days(db: Database, now_ms: int, ahead: int = DAYS_AHEAD) -> int:
    """Make partitions for the day before, this day and those ahead; how many were not there yet."""
    day = now_ms // DAY_MS
    row = await db.row(db.statements("cluster.sql")["make_days"], (max(day - 1, 0), day + ahead))
    return int(row[0]) if row else 0


async def drop_empty_days(db: Database, now_ms: int, most: int = DROPPED_MAX) -> list[str]:
    """Drop partitions of days that are over and that retention has emptied, one a transaction; their names."""
    dropped: list[str] = []
    while len(dropped) < most:
        row = await db.row(db.statements("cluster.sql")["drop_empty_day"], (now_ms // DAY_MS - DAYS_KEPT,))
        if row is None or row[0] is None:
            break
        dropped.append(row[0])
    return dropped


async def keep_days(db: Database) -> None:
    """Make the partitions of the days ahead, and drop empty ones, now and each hour, until it is cancelled. While the
    database is away, or another does it, it waits for the next time: rows without a partition are kept all the same."""
    while True:
        with suppress(AobError):
            await make_days(db, int(time.time() * 1_000))
            await drop_empty_days(db, int(time.time() * 1_000))
        await asyncio.sleep(HOUR_S)


async def read_days(db: Database) -> list[Days]:
    """Every table that is partitioned by day."""
    return [Days(*row) for row in await db.rows(db.statements("cluster.sql")["days"])]


async def new_generation(db: Database) -> int:
    """Begin a new generation of the cluster, which an accepted loss or a restore does; its number."""
    row = await db.row(db.statements("cluster.sql")["new_generation"])
    assert row is not None
    return int(row[0])
