"""One life of a home with an agent that writes to a ledger outside, and kills its process at a point of its steps.

python -m tests.crash.agent_life HOME POINT      POINT: end, or where record POINT is killed; set_back: the agent is set
                                                 back, and killed while it handles the third record again; again: one
                                                 more record comes then
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec import Raw

import aob
from aob.core.event import PARTITIONS, partition_of
from aob.core.policy import LOCAL
from aob.ports.log import Record

POINTS = ("before_effect", "after_effect", "after_settle", "before_commit", "after_commit")
HOME, POINT = (Path(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else (Path(), "")
LEDGER, KILLED = HOME.parent / "ledger", HOME.parent / f"killed-{POINT}"


def kill(point: str) -> None:
    """Ends this process as a power cut would, once at each point."""
    if point == POINT:
        KILLED.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@aob.agent(consumes=["orders"], produces=["paid"], on_uncertain="repeat", backoff="1ms")
async def pays(record: Any, ctx: Any) -> None:
    """Pays once an order: the other side knows an order by its key, as services with idempotency keys do."""
    mine = record.data == POINT
    intended = await ctx.intend("pay", {"order": record.id})
    if intended.granted:
        if mine:
            kill("before_effect")
        with LEDGER.open("a") as file:
            file.write(f"{ctx.idempotency}\n")
        if mine:
            kill("after_effect")
        await ctx.settle("paid")
    if mine:
        kill("after_settle")
    ctx.set_state((ctx.state or 0) + 1)
    ctx.emit("paid", "paid", {"order": record.id, "nth": ctx.state})
    if record.data == POINTS[2]:
        kill("set_back")
    if mine:
        kill("before_commit")


async def life() -> None:
    if not HOME.exists():
        async with aob.open(HOME) as app:
            for topic in ("orders", "paid"):
                await app.metrics.create_topic(LOCAL, topic)
            orders = [
                Record(f"o{n}", "test", "order", "default", "ann", Raw(f'"{point}"'.encode()))
                for n, point in enumerate(POINTS)
            ]
            await app.shared.topics.append("default", "orders", partition_of("ann", PARTITIONS), orders)
    async with aob.open(HOME, app=SimpleNamespace(pays=pays)) as app:
        count = len(POINTS)
        if POINT == "set_back":
            await app.metrics.reset_agent(LOCAL, "pays", to="begin")
        if POINT == "again":
            await app.produce("orders", "order", "again", id="last", subject="ann")
            count += 1
        journal = app.views.core.journal
        partition = partition_of("ann", PARTITIONS)
        while True:
            bell = journal.bells.next("default", "paid")
            found = await app.shared.topics.read("default", "paid", partition, 0)
            if POINT == "after_commit" and len(found) == len(POINTS):
                kill("after_commit")
            if POINT in ("end", "again") and len(found) >= count:
                for each in found:
                    print(bytes(each.record.data).decode(), flush=True)
                return
            await bell


if __name__ == "__main__":
    asyncio.run(life())
