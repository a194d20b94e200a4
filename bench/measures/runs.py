"""Runs in process, on SQLite with fsync: chains, hops, fan-outs, patches, and what a step leaves on the disk."""

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from bench import handlers
from bench.frame import Bench, Figure, measure, percentile
from bench.workflows import INPUTS, chain, fan, mapped

BATCH = 500


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run on the loop and with the collector that `aob up` has."""
    gc.set_threshold(50_000, 20, 100)
    return uvloop.run(work)


@asynccontextmanager
async def home(bench: Bench, *documents: dict[str, Any]) -> AsyncIterator[Any]:
    """A fresh home with these workflows."""
    import aob

    async with aob.open(bench.folder("home"), app=handlers) as app:
        for document in documents:
            await app.push(document)
        yield app


async def finish(app: Any, workflow: str, count: int, mode: str) -> None:
    """Start runs in batches and wait until the last has ended."""
    core, ended, over = app.views.core, 0, asyncio.Event()
    committed = core.journal.on_commit

    def counted(commit: Any) -> None:
        nonlocal ended
        committed(commit)
        ended += sum(told.changes.over for told in commit.told)
        if ended >= count:
            over.set()

    core.journal.on_commit = counted
    for begun in range(0, count, BATCH):
        item = {"workflow": workflow, "inputs": INPUTS, "mode": mode}
        await app.views.start_many(app.who, [item] * min(BATCH, count - begun))
    await over.wait()
    core.journal.on_commit = committed


@measure("chain5")
def chain5(bench: Bench) -> Iterator[Figure]:
    """Workflows of five nodes in a chain, from the start to the committed end, one process, one shard."""

    async def once(mode: str, count: int) -> tuple[float, float, float]:
        async with home(bench, chain("chain", 5)) as app:
            await finish(app, "chain", count // 10 + 1, mode)
            with bench.clock() as span:
                await finish(app, "chain", count, mode)
        size = sum(f.stat().st_size for f in app.home.glob("shard-0.db*"))  # closed: no WAL, every segment written
        return span.wall_s, span.cpu_s, size / ((count + count // 10 + 1) * 5)

    targets = {"full": (0.10, 10_000), "fast": (0.05, 20_000)}
    for mode, (cpu_ms, per_s) in targets.items():
        count = bench.times(10_000)
        rounds = [run(once(mode, count)) for _ in range(bench.rounds(3))]
        wall, cpu, size = min(rounds, key=lambda r: r[1])
        yield Figure(f"chain5.{mode}.cpu_ms", cpu / count * 1e3, "ms", cpu_ms)
        yield Figure(f"chain5.{mode}.per_s", count / wall, "/s", per_s, at_most=False)
        if mode == "full":
            yield Figure("bytes.step", size, "B", note="the shard's files after the home is closed, a node")


async def hops_on(app: Any, count: int) -> list[float]:
    """How long each hop of so many runs of six nodes took, one after the other."""
    handlers.STAMPS.clear()
    for _ in range(count):
        await (await app.start("hops", INPUTS)).done()
    at = [stamp for _, stamp in handlers.STAMPS]
    return [at[i + 1] - at[i] for i in range(len(at) - 1) if (i + 1) % 6]


@measure("hop")
def hop(bench: Bench) -> Iterator[Figure]:
    """From a node's end to the next one's begin on an idle system: one commit, one fsync."""

    async def once() -> list[float]:
        async with home(bench, chain("hops", 6, "stamp")) as app:
            return await hops_on(app, bench.times(60))

    hops = run(once())
    yield Figure("hop.idle.p50_ms", percentile(hops, 0.5) * 1e3, "ms", note="to be held against fsync.p50_ms + 0.5")
    yield Figure("hop.idle.p99_ms", percentile(hops, 0.99) * 1e3, "ms", note="to be held against fsync p99 + 3")


@measure("fan")
def fan_out(bench: Bench) -> Iterator[Figure]:
    """A fan-out and its join: 100 nodes of a graph, and 10,000 items of a map."""

    async def once() -> tuple[float, float]:
        items = {"items": list(range(bench.times(10_000)))}
        async with home(bench, fan("fan", 100), mapped("map")) as app:
            await (await app.start("fan", INPUTS)).done()
            walls = []
            for _ in range(5):
                begun = time.perf_counter()
                await (await app.start("fan", INPUTS)).done()
                walls.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            told = await (await app.start("map", items)).done()
            assert told["status"] == "COMPLETED", told["error"]
            return percentile(walls, 0.5), time.perf_counter() - begun

    hundred, many = run(once())
    yield Figure("fan.100.ms", hundred * 1e3, "ms", 20)
    yield Figure("fan.10000.s", many, "s", 1.0)


@measure("long")
def long_run(bench: Bench) -> Iterator[Figure]:
    """One run of a million events: what a step costs at its begin and at its end, and what it takes to read it back."""

    async def once() -> tuple[float, float, float, int]:
        import aob

        count = bench.times(330_000)
        folder = bench.folder("long")
        async with aob.open(folder, app=handlers) as app:
            document = mapped("map")
            document["nodes"]["each"]["config"]["items"] = "inputs.rows"
            await app.push(document)
            lines = b"\n".join(b"%d" % i for i in range(count))
            digest = await app.views.core.values.put("default", lines)
            rows = {"rows": {"$ref": f"sha256:{digest.hex()}", "size": len(lines)}}
            run_ = await app.start("map", rows)
            marks: list[tuple[int, float]] = []
            stream = app.views.core.journal.streams[run_.id]
            committed = app.views.core.journal.on_commit

            def marked(commit: Any) -> None:
                committed(commit)
                marks.append((stream.seq, time.process_time()))

            app.views.core.journal.on_commit = marked
            await run_.done()
            tenth = len(marks) // 10
            first = (marks[tenth][1] - marks[0][1]) / max(1, marks[tenth][0] - marks[0][0])
            last = (marks[-1][1] - marks[-tenth][1]) / max(1, marks[-1][0] - marks[-tenth][0])
            events = stream.seq
        begun = time.perf_counter()
        async with aob.open(folder, app=handlers) as app:
            await app.run(run_.id)
        return first * 1e6, last * 1e6, time.perf_counter() - begun, events

    first, last, again, events = run(once())
    yield Figure("long.events", events, "events")
    yield Figure("long.first_tenth.cpu_us", first, "us", note="CPU an event")
    yield Figure("long.last_tenth.cpu_us", last, "us", first * 1.5 + 1, note="flat: about what the first tenth costs")
    yield Figure("long.read_back.s", again, "s")


@measure("patch")
def patch_of_200(bench: Bench) -> Iterator[Figure]:
    """A patch of a graph of 200 nodes, from the request to its commit: checked, compiled, published."""

    async def once() -> list[float]:
        took = []
        document = chain("wide", 200)
        document["nodes"]["n0"] = {"kind": "wait", "config": {"message": "go"}}
        async with home(bench, document) as app:
            run_ = await app.start("wide", INPUTS)
            for i in range(bench.times(30)):
                node = {"kind": "function", "config": {"handler": "noop"}}
                body = {"operations": [
                    {"op": "add_node", "id": f"x{i}", "node": node}, {"op": "connect", "from": "n199", "to": f"x{i}"},
                ]}  # fmt: skip
                begun = time.perf_counter()
                await app.views.propose(app.who, run_.id, body)
                took.append(time.perf_counter() - begun)
        return took

    took = run(once())
    yield Figure("patch.200.p50_ms", percentile(took, 0.5) * 1e3, "ms", 10)
    yield Figure("patch.200.p99_ms", percentile(took, 0.99) * 1e3, "ms")


OPEN_FIRST = """
import asyncio, sys, time
begun = time.perf_counter()
import aob
sys.path.insert(0, {root!r})
async def main():
    from bench import handlers
    from bench.workflows import chain
    async with aob.open({home!r}, app=handlers) as app:
        await app.push(chain("one", 1))
        told = await (await app.start("one", {{}})).done()
        assert told["status"] == "COMPLETED"
        print(time.perf_counter() - begun)
asyncio.run(main())
"""


@measure("open")
def open_first(bench: Bench) -> Iterator[Figure]:
    """From a fresh interpreter's `import aob` over `aob.open` to the first finished workflow."""
    took = []
    for _ in range(bench.rounds(5)):
        code = OPEN_FIRST.format(root=os.getcwd(), home=str(bench.folder("first")))
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        if done.stderr:
            raise RuntimeError(done.stderr)
        took.append(float(done.stdout))
    yield Figure("open.first_workflow.s", min(took), "s", 0.4)
