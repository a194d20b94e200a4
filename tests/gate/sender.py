"""A process that passes events through the gate into a file as fast as it can, and says which were acknowledged.

Started by `test_kill.py` with a folder and a number; each line it prints is an id whose answer it has.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.policy import Caller
from aob.gate import Ingest, Memory
from tests.core.ingest.sample import CONTRACTS, line

WHO = Caller("acme", "sender", frozenset({"run"}))


async def send(folder: Path, life: int) -> None:
    """Until the end of the process."""
    log = SqliteEventLog(folder / "events.db")
    memory = Memory(lambda tenant: CONTRACTS)
    after = 0
    while rows := await log.rows(after):
        for row in rows:
            memory.remember(row.tenant, memory.gate(row.tenant).reread(row.lines, row.notes, row.first))
            after = row.row
    async with Ingest(log, memory, lambda: int(time.time() * 1000), time.monotonic) as ingest:

        async def one(lane: int) -> None:
            for batch in range(1_000_000):
                # every second batch holds events that an earlier life may have sent, too
                ids = [f"{life if batch % 2 else 0}.{lane}.{batch}.{n}" for n in range(20)]
                told = json.loads(await ingest.ingest(WHO, b"\n".join(map(line, ids))))
                assert told["received"] == told["accepted"] + told["duplicate"]
                sys.stdout.write("\n".join(ids) + "\n")
                sys.stdout.flush()

        await asyncio.gather(*map(one, range(6)))


if __name__ == "__main__":
    asyncio.run(send(Path(sys.argv[1]), int(sys.argv[2])))
