"""What the pool costs by itself: handlers that do nothing, from submit to report, without a journal."""

import asyncio
from collections.abc import Iterator
from typing import cast

from aob.core.graph.compiled.ir import NodeSpec, Task
from aob.core.node.function import FunctionConfig
from aob.core.rules import RULES
from aob.ports.log import Log
from aob.ports.model import Models
from aob.ports.workers import Job
from aob.work import Context, node, scan
from aob.work.egress import CheckedClient
from aob.work.kinds import performer, placer
from aob.work.pool import Pool, Processes, Threads
from aob.work.tools import ObjectStores, Tools
from bench.frame import Bench, Figure, measure

ROUNDS = 3
WAVE = 500
TARGET_US = 4.0


@node
async def nothing(order: str) -> None:
    """Return at once."""


@node
async def turn(order: str) -> None:
    """Let the loop have its turn once."""
    await asyncio.sleep(0)


@node
def in_thread(order: str) -> None:
    """Return at once, in a thread."""


async def cpu_us(bench: Bench, handler: str, count: int) -> float:
    """CPU microseconds a job, the best of some rounds."""
    function = Task("n", "function", FunctionConfig(handler), NodeSpec(), "", RULES)
    jobs = [
        Job(f"run_{n}", "n", 1, function, {"order": "a"}, True, "key", "default", "full", "medium")
        for n in range(count)
    ]
    async with Threads() as threads:
        tools = Tools(
            handlers=scan(nothing, turn, in_thread),
            http=CheckedClient(),
            threads=threads,
            processes=Processes(1),
            stores=ObjectStores({}),
            model=cast(Models, None),
            log=cast(Log, None),
        )
        left, over = 0, asyncio.Event()

        def report(job: Job, result: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                over.set()

        perform = performer(tools, lambda job: cast(Context, None))
        async with Pool(256, perform, report, place=placer(tools)) as pool:
            rounds = []
            for _ in range(ROUNDS):
                with bench.clock() as span:
                    for first in range(0, count, WAVE):
                        wave = jobs[first : first + WAVE]
                        left = len(wave)
                        over.clear()
                        for job in wave:
                            pool.submit(job)
                        await over.wait()
                rounds.append(span.cpu_s / count * 1e6)
    return min(rounds)


@measure("pool")
def pool(bench: Bench) -> Iterator[Figure]:
    """CPU of a job in the pool, from submit to report: at once, with one turn of the loop, in a thread."""
    counts = {"nothing": bench.times(100_000), "turn": bench.times(50_000), "in_thread": bench.times(10_000)}
    took = {name: asyncio.run(cpu_us(bench, name, count)) for name, count in counts.items()}
    yield Figure("pool.job.cpu_us", took["nothing"], "us", TARGET_US)
    yield Figure("pool.suspended.cpu_us", took["turn"], "us")
    yield Figure("pool.thread.cpu_us", took["in_thread"], "us")
