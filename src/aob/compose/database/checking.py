"""Looks at a cluster's database as a service does: everything that a start refuses, and what should be mended soon."""

import time
from typing import TYPE_CHECKING, Any

from aob.compose.files import Seen
from aob.compose.settings import Settings
from aob.core.errors import CallerError
from aob.core.rules import RULES
from aob.ports.installed import required

if TYPE_CHECKING:
    from aob.backends.postgres.cluster import Cluster, Days


async def check_database(url: str, settings: Settings, store: int = 1) -> list[Seen]:
    """What is well and what is not. Raises what a start would."""
    required("psycopg", "postgres", "a Postgres store")
    from aob.backends.postgres.cluster import join, read_days
    from aob.backends.postgres.database import Database

    own = settings.server_url(str(store)) if store != 1 else settings.database_url() if settings.in_database else ""
    given = url or own
    if not given:
        raise CallerError("say which database: AOB_STORE, or a URL", code="store_unnamed",
                          hint="aob db check postgresql://user:password@host/database")  # fmt: skip
    db = await Database.open(given, size=1, purpose="db check", setting="the URL" if url else "AOB_STORE")
    try:
        cluster = await join(db, store=store)
        placed = await db.rows(db.statements("cluster.sql")["placed"]) if store == 1 else []
        finished = await db.row(db.statements("cluster.sql")["finished"])
        return [
            *_cluster(cluster, db.address.shown), *_upgrade(finished), *_placed(placed, settings),
            *_days(await read_days(db)),
        ]  # fmt: skip
    finally:
        await db.close()


def _cluster(found: "Cluster", where: str) -> list[Seen]:
    shards = f"{found.shards} shards, {found.partitions} partitions of the event log"
    seen = [
        Seen("server", True, f"PostgreSQL {found.server} at {where}; what is confirmed is durable"),
        Seen("clock", True, f"{abs(found.skew_s):.2f} s from the server's"),
        Seen("cluster", True, f"{found.id.hex()}, generation {found.generation}: {shards}"),
        Seen("schema", True, f"step {found.version}, whole"),
        Seen("rights", True, "reads, and calls functions"),
    ]
    if found.owner:
        says = "this user owns the schema: more rights than a service needs"
        seen[-1] = Seen("rights", False, says, "name the role that aob db init made in AOB_STORE")
    if found.pooler:
        seen.append(Seen("pooler", True, "a pooler stands between: nothing here depends on a session"))
    return seen


def _upgrade(last: "tuple[Any, ...] | None") -> list[Seen]:
    """Which upgrade was finished last, and whether this release's is to be."""
    if last is None:
        return []
    release, rules, _, by, at = last
    says = f"release {release} and rules {rules} count, finished by {by} at {at[:19]}"
    if rules >= RULES:
        return [Seen("upgrade", True, says)]
    mend = f"aob db upgrade --finish, once every process is of this release: until then rules {RULES} are used nowhere"
    return [Seen("upgrade", False, says, mend)]


def _placed(found: "list[tuple[Any, ...]]", settings: Settings) -> list[Seen]:
    """Where the shards are, when not all are here; and what has no URL."""
    if len(found) < 2:
        return []
    seen = [Seen("stores", True, "; ".join(f"store {number}: {count} shards" for number, count, _ in found))]
    for number, _, _ in found:
        if number != 1 and not settings.server_url(str(number)):
            seen.append(Seen("stores", False, f"AOB_STORE_{number} is not set", "no process starts without it"))
    return seen


def _days(found: "list[Days]") -> list[Seen]:
    """A daily table that will soon have no partition, or had none for what was written."""
    tomorrow = int(time.time()) // 86_400 + 1
    seen = []
    for each in found:
        ahead = each.last_day - tomorrow + 1
        says = f"partitions for {max(ahead, 0)} days after today"
        if each.missed:
            says += ", and rows that missed theirs"
        mend = "any role that runs makes them each hour: does one run? aob db upgrade makes them too"
        well = ahead >= 1 and not each.missed
        seen.append(Seen(f"table {each.name}", well, says, "" if well else mend))
    return seen
