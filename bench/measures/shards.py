"""Two shards against one: owner processes that each make their own load, so that only the machine is shared."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.frame import Bench, Figure, measure

ROUNDS = 3
CHILD = "import sys; from bench.measures.shards import work; work(sys.argv[1], *map(int, sys.argv[2:]))"


def work(home: str, shard: int, shards: int, count: int) -> None:
    """The life of one owner: open the shard, warm up, say so, wait for the word, run, say how long it took."""
    from aob.compose.app import assemble
    from aob.compose.layout import Layout
    from aob.compose.settings import read_settings
    from bench import handlers
    from bench.measures.runs import finish, run
    from bench.workflows import chain

    async def once() -> None:
        async with AsyncExitStack() as stack:
            folder = Path(home)
            app: Any = await assemble(stack, folder, read_settings(folder, {}), [handlers], Layout.of(shards), shard)
            await stack.enter_async_context(app.working())
            await app.push(chain("chain", 5))
            await finish(app, "chain", count // 10 + 1, "full")
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            begun, used = time.perf_counter(), time.process_time()
            await finish(app, "chain", count, "full")
            print(time.perf_counter() - begun, time.process_time() - used, flush=True)

    run(once())


def together(home: Path, shards: int, count: int) -> tuple[float, float]:
    """Chains a second of so many owners at the same time, until the last has finished, and ms of CPU a chain."""
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(home), str(shard), str(shards), str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for shard in range(shards)
    ]  # fmt: skip
    try:
        for owner in owners:
            assert owner.stdout is not None
            if owner.stdout.readline() != "ready\n":
                raise RuntimeError(f"an owner did not start: {owner.communicate()[1]}")
        for owner in owners:
            assert owner.stdin is not None
            owner.stdin.write("go\n")
            owner.stdin.flush()
        ended = [owner.communicate() for owner in owners]
    finally:
        for owner in owners:
            owner.kill()
            owner.wait()
    if any(said for _, said in ended) or any(owner.returncode for owner in owners):
        raise RuntimeError(f"an owner said: {[said for _, said in ended]}")
    took = [tuple(map(float, figures.split())) for figures, _ in ended]
    return shards * count / max(wall for wall, _ in took), sum(cpu for _, cpu in took) / shards / count * 1e3


@measure("shards")
def two_shards(bench: Bench) -> Iterator[Figure]:
    """What a second owner process adds: chains of five, each with its own file, its own load, its own fsyncs."""
    count, n = bench.times(10_000), bench.rounds(ROUNDS)
    rounds = [(together(bench.folder("one"), 1, count), together(bench.folder("two"), 2, count)) for _ in range(n)]
    for name, at in (("shards.1", 0), ("shards.2", 1)):
        yield Figure(f"{name}.per_s", statistics.median(each[at][0] for each in rounds), "/s")
        yield Figure(f"{name}.cpu_ms", min(each[at][1] for each in rounds), "ms", note="CPU a chain, whatever the load")
    ratio = statistics.median(two[0] / one[0] for one, two in rounds)
    yield Figure("shards.2.ratio", ratio, "x", 1.6, at_most=False, note="needs two idle cores: see the load")
