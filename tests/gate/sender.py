"""A process that passes events through the gate into a log as fast as it can, and says which were acknowledged.

Started with a folder, or the URL of a Postgres database, and a number; each line it prints is an id whose answer it
has. It ends with 3 when another process has taken the log.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.errors import Unavailable
from aob.core.policy import Caller
from aob.gate import Ingest, Memory
from aob.ports.dead_letters import LogWithLetters
from aob.ports.event_log import LOG_TAKEN, rows_between
from tests.core.ingest.sample import CONTRACTS, apart

WHO = Caller("acme", "sender", frozenset({"run"}))


TAKEN = 3


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[LogWithLetters]:
    """The log at a place."""
    if not place.startswith("postgresql:"):
        log = SqliteEventLog(Path(place) / "events.db")
        yield log
        await log.close()
        return
    from aob.backends.postgres.database import Database
    from aob.backends.postgres.event_log import PostgresEventLog

    db = await Database.open(place, size=2)
    yield PostgresEventLog(db)
    await db.close()


async def send(place: str, life: int) -> None:
    """Until the end of the process, or until another takes the log."""
    async with opened(place) as log:
        try:
            await _send(log, life)
        except Unavailable as error:
            if error.code != LOG_TAKEN:
                raise
            sys.exit(TAKEN)


async def _send(log: LogWithLetters, life: int) -> None:
    await log.take()
    memory = Memory(lambda tenant: CONTRACTS)
    async for row in rows_between(log, [0] * log.partitions, await log.last_rows()):
        memory.remember(row.tenant, memory.gate(row.tenant).reread(row.lines, row.notes, row.number))
    async with Ingest(log, memory, lambda: int(time.time() * 1000), time.monotonic) as ingest:

        async def one(lane: int) -> None:
            for batch in range(1_000_000):
                # every second batch holds events that an earlier life may have sent, too
                ids = [f"{life if batch % 2 else 0}.{lane}.{batch}.{n}" for n in range(20)]
                told = json.loads(await ingest.ingest(WHO, b"\n".join(map(apart, ids))))
                assert told["received"] == told["accepted"] + told["duplicate"]
                sys.stdout.write("\n".join(ids) + "\n")
                sys.stdout.flush()

        await asyncio.gather(*map(one, range(6)))


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], int(sys.argv[2])))
