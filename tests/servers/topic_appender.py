"""A process that appends to one partition of a topic: ids that all such processes share under a key, and its own
without one. Prints each answer.

Started by `test_postgres_log.py` with the URL of a database, a number, and how many shared ids there are.
"""

import asyncio
import json
import random
import sys

from aob.backends.postgres.database import Database
from aob.backends.postgres.log import PostgresLog
from aob.testing.conformance.log import TOPIC, event


async def append(url: str, number: int, shared: int) -> None:
    """Append in several lanes at once, in an order of one's own."""
    dice = random.Random(number)
    db = await Database.open(url, size=4)
    logs = [PostgresLog(db, lambda: 1) for _ in range(2)]
    ids = [f"shared-{n}" for n in range(shared)]
    dice.shuffle(ids)

    async def one(lane: int) -> None:
        for place in range(lane, shared, 4):
            records = [event(id) for id in dict.fromkeys([ids[place], dice.choice(ids)])]
            for keyed, sent in ((True, records), (False, [event(f"own-{number}-{place}")])):
                told = await logs[lane % 2].append(TOPIC, 0, sent, keyed=keyed)
                for record, where in zip(sent, told, strict=True):
                    print(json.dumps([record.id, where.offset, where.repeated]), flush=True)

    await asyncio.gather(*map(one, range(4)))
    for log in logs:
        await log.close()
    await db.close()


if __name__ == "__main__":
    asyncio.run(append(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
