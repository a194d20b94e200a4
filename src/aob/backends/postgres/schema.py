"""Makes and changes the schema of a cluster with the owner's rights, in one transaction under one advisory lock."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from msgspec import structs

from aob.backends.postgres.address import ROLE
from aob.backends.postgres.cluster import DAY_MS, DAYS_AHEAD, look_at_server
from aob.backends.postgres.database import Connection, Database
from aob.backends.postgres.steps import (
    STEPS,
    Made,
    Making,
    Step,
    Wanted,
    finished,
    forward,
    lock,
    new_schema,
    refuse_changes,
    refuse_steps,
)
from aob.core.errors import Conflict, Invalid, Problem, Unavailable
from aob.core.rules import RULES

SHARDS: Final = 16
PARTITIONS: Final = 64
OWNER: Final = "the owner's URL"
STEP_MS: Final = 3_600_000  # a step may take longer than a statement of a service
OWNERS_RIGHTS: Final = (
    "a user with the right to create (grant create on database …) and createrole, or name a role that is there with "
    "--service; a schema that is there is changed by its owner only; --print-sql gives the SQL to whoever may"
)
RELEASE: Final = version("agentic-orchestration-builder")


async def init(url: str, wanted: Wanted, *, steps: Sequence[Step] = STEPS, ahead: int = DAYS_AHEAD) -> Made:
    """Make the schema of a cluster, its role and its rights. Of a cluster that is there it gives the rights again.
    Raises Conflict `other_numbers` for one with other numbers, and what a start refuses."""
    _check(wanted)
    async with owning(url, "db init") as db:
        sql = db.statements("cluster.sql")
        async with db.transaction() as c:
            await c.execute(lock(db.schema).encode())
            await c.execute(lock(f"role {wanted.service}").encode())  # else two tell different passwords of one role
            there = await (await c.execute(sql["exists"], (db.schema, wanted.service))).fetchone()
            schema, role = there or (None, None)
            if schema:
                return await _again(db, c, wanted, steps)
            password = wanted.password if wanted.password or role else secrets.token_urlsafe(24)
            verifier = "" if role or not password else _verifier(c, wanted.service, password)
            making = _making(db.schema, wanted, verifier, ahead)
            await c.execute("\n".join(new_schema(making, steps)).encode())
    made = password != wanted.password
    return Made(
        db.schema, wanted.service, making.cluster.hex(), making.shards, making.partitions,
        tuple(step.number for step in steps), db.address.with_user(wanted.service, password) if made else "",
        wanted.store,
    )  # fmt: skip


async def upgrade(url: str, *, finish: bool = False, steps: Sequence[Step] = STEPS) -> Made:
    """Take the steps that are missing; those that take something away only to `finish`, when no member of another
    release lives: from then on documents may use the rules of this release, and older ones are members no more. Raises
    Conflict `members_differ`, and what a start refuses."""
    async with owning(url, "db upgrade") as db, db.transaction() as c:
        await c.execute(lock(db.schema).encode())
        taken = await _taken(db, c)
        refuse_steps([row for row in taken if row[0] == steps[0].number or row[3]], steps[:1], db.address.shown,
                     db.schema, known=steps[-1].number)  # fmt: skip
        ended = {row[0] for row in taken if row[3]}
        todo = [s for s in steps if s.number not in ended and (finish or s.kind == "expand")]
        if finish:
            await _refuse_others(db, c)
        await _refuse_gone(db, c)
        made = await _told(db, c, tuple(step.number for step in todo))
        await c.execute("\n".join(forward(db.schema, made.service, RELEASE, todo)).encode())
        return await _finished(db, c, made) if finish else made


@asynccontextmanager
async def owning(url: str, purpose: str) -> AsyncIterator[Database]:
    """A connection of the owner to a server that is not refused. What the owner may not do is told as that."""
    db = await Database.open(url, size=1, purpose=purpose, setting=OWNER, statement_ms=STEP_MS)
    try:
        await look_at_server(db)
        yield db
    except Unavailable as error:
        if error.code != "store_rights":
            raise
        raise Unavailable(error.detail, code="store_rights", hint=OWNERS_RIGHTS) from error
    finally:
        await db.close()


def printed(schema: str, wanted: Wanted, *, steps: Sequence[Step] = STEPS) -> str:
    """The SQL that `init` runs, for a person who runs it. The password of the role is set apart."""
    _check(wanted)
    making = _making(schema, wanted, "", DAYS_AHEAD)
    after = f"-- the password of the services, as your console sets it: alter role \"{wanted.service}\" password '…';"
    return "\n".join(["begin;", *new_schema(making, steps), "commit;", after, ""])


def _making(schema: str, wanted: Wanted, verifier: str, ahead: int) -> Making:
    return Making(
        schema, wanted.service, verifier, wanted.cluster or secrets.token_bytes(16), wanted.shards or SHARDS,
        wanted.partitions or PARTITIONS, RELEASE, int(time.time() * 1_000) // DAY_MS, ahead, wanted.store,
    )  # fmt: skip


async def _again(db: Database, c: Connection, wanted: Wanted, steps: Sequence[Step]) -> Made:
    """What `init` does for a cluster that is there already."""
    refuse_steps(await _taken(db, c), steps, db.address.shown, db.schema)
    made = await _told(db, c, ())
    if made.store_number != wanted.store or (wanted.cluster and wanted.cluster.hex() != made.cluster):
        why = f"{db.address.shown} is store {made.store_number} of the cluster {made.cluster[:12]}"
        hint = "each database of a cluster has its own number, and another cluster its own ?schema=…"
        raise Conflict(why, code="other_cluster", hint=hint)
    for name, asked, has in (("shards", wanted.shards, made.shards), ("partitions", wanted.partitions, made.partitions),
                             ("service", wanted.service, made.service)):  # fmt: skip
        if asked and asked != has:
            raise Conflict(f"{db.address.shown} has a cluster with {name} {has}, not {asked}", code="other_numbers",
                           hint="leave the option out, or name another schema: ?schema=…")  # fmt: skip
    await _refuse_gone(db, c)
    await c.execute("\n".join(forward(db.schema, made.service, RELEASE, ())).encode())
    return made


async def _finished(db: Database, c: Connection, made: Made) -> Made:
    """Write down that older releases are gone, unless that is known. Nobody joins from here to the end."""
    sql = db.statements("cluster.sql")
    await c.execute(sql["alone"])
    await _refuse_others(db, c)
    last = await (await c.execute(sql["finished"])).fetchone()
    if not made.steps and last is not None and (last[0], last[1]) == (RELEASE, RULES):
        return made
    if last is not None and last[1] > RULES:
        raise Conflict(f"release {last[0]} finished the last upgrade, under rules {last[1]}", code="newer_format",
                       hint=f"use release {last[0]} or a later one")  # fmt: skip
    await c.execute(finished(db.schema, made.service, RELEASE, made.steps).encode())
    return structs.replace(made, finished=RELEASE)


async def _refuse_gone(db: Database, c: Connection) -> None:
    """What has another shape (a later server tells some otherwise) is noted anew; what is gone stays an error."""
    changes = await (await c.execute(db.statements("cluster.sql")["missing"])).fetchall()
    refuse_changes([each for each in changes if not each[1]], db.address.shown, db.schema)


async def _taken(db: Database, c: Connection) -> list[tuple[object, ...]]:
    """The steps of a schema; none when it has not even their table. Raises Unavailable `store_missing` for one that is
    not there, or that is somebody else's: nothing of a cluster is in it."""
    sql = db.statements("cluster.sql")
    row = await (await c.execute(sql["schema"], (db.schema,))).fetchone()
    if row is None or not row[2]:
        mend = "name another schema: ?schema=…; what is in this one is none of a cluster" if row else "aob db init"
        raise Unavailable(
            f"{db.address.shown}: there is no cluster in the schema {db.schema}", code="store_missing", hint=mend
        )
    return await (await c.execute(sql["steps"])).fetchall() if "step" in row[2] else []


async def _told(db: Database, c: Connection, steps: tuple[int, ...]) -> Made:
    row = await (await c.execute(db.statements("cluster.sql")["made"])).fetchone()
    assert row is not None
    cluster, shards, partitions, service, store = row
    return Made(db.schema, service, cluster.hex(), shards, partitions, steps, store_number=store)


async def _refuse_others(db: Database, c: Connection) -> None:
    others = await (await c.execute(db.statements("cluster.sql")["others"], (RELEASE, RULES))).fetchall()
    if others:
        named = ", ".join(f"{name} ({release})" for name, release in others[:5])
        raise Conflict(f"members of another release live: {named}", code="members_differ",
                       hint="update them first, then aob db upgrade --finish")  # fmt: skip


def _verifier(c: Connection, user: str, password: str) -> str:
    """The password as the server keeps it, so that no log of statements shows it."""
    return c.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()


def _check(wanted: Wanted) -> None:
    problems = []
    if not ROLE.fullmatch(wanted.service) or wanted.service.startswith("pg_"):
        problems.append(Problem("service", f"{wanted.service[:60]!r} is no name of a role", "bad_settings",
                                hint="letters, digits and _ . @ -, 63 at most"))  # fmt: skip
    if not 0 <= wanted.shards <= 256:
        problems.append(Problem("shards", f"{wanted.shards} is not from 1 to 256", "bad_settings"))
    if wanted.partitions not in (0, 64, 128, 256):
        problems.append(Problem("partitions", f"{wanted.partitions} is not 64, 128 or 256", "bad_settings"))
    if problems:
        raise Invalid("a cluster cannot be made so", problems)
