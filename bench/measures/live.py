"""Live metrics beside the wire: the gate and the fold, a read, a restart, memory, overload, the platform's own part.

What the way of an event takes as a whole is measured by `fresh`; the stream of events and the contracts are its own.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.frame import ROOT, Bench, Figure, measure, percentile
from bench.measures.fresh import CHANNELS, CONTRACTS, REGIONS, TYPES, part_of
from bench.measures.runs import finish, run
from bench.measures.serving import Served, connected, served
from bench.workflows import chain

BATCH: Final = 1_000
KILLED_AFTER: Final = 100
"""Calls behind the last snapshot when the server is killed: half of what makes a new one due."""
PER_S: Final = 1_000
"""Events a second of event time in the stream that a restart has behind it."""
OVERLOAD_CONNECTIONS: Final = 3_000
OVERLOAD_BATCH: Final = 200
OVERLOAD_S: Final = 6.0
OVERLOAD_PER_S: Final = 400_000
MARK: Final = b"@@@@@@@@"


def bodies(count: int, seed: int = 1, ending_s: float | None = None) -> Iterator[bytes]:
    """So many calls of `BATCH` lines of the stream; `PER_S` events a second of event time, up to an instant."""
    dice = random.Random(seed)
    parts = [part_of(dice) for _ in range(2_000)]
    end = time.time() if ending_s is None else ending_s
    total = count * BATCH
    for first in range(0, total, BATCH):
        at = "%.3f" % (end - (total - first) / PER_S)
        yield "\n".join(
            f'{{"id":"e{seed:03d}_{number:010d}{before}{at}{after}'
            for number in range(first, first + BATCH)
            for before, after in (parts[number % 2_000],)
        ).encode()


@asynccontextmanager
async def home(bench: Bench) -> AsyncIterator[Any]:
    """A fresh home in this process, with the contracts of the stream."""
    import aob

    async with aob.open(bench.folder("live")) as app:
        await app.push_contracts({"bench.yaml": CONTRACTS})
        yield app


@measure("gate_fold")
def gate_fold(bench: Bench) -> Iterator[Figure]:
    """What one core gates, tells apart, notes and folds, in process: schema, rule, dedup, four metrics."""
    from aob.core.contract import read_contracts
    from aob.core.ingest import Dedup, Gate
    from aob.metrics.live.tenant import Numbers
    from aob.metrics.platform import platform_contracts

    def once() -> tuple[float, ...]:
        own = read_contracts({"bench.yaml": CONTRACTS})
        gate, dedup, numbers = Gate(own), Dedup(), Numbers("bench", own, platform_contracts())
        took = [0.0, 0.0, 0.0, 0.0]
        now_ms, row = int(time.time() * 1_000), 0
        for body in bodies(bench.times(200)):
            row += 1
            marks = [time.process_time()]
            events = gate.read(body, now_ms).events
            marks.append(time.process_time())
            assert not dedup.claim(events, now_ms)
            marks.append(time.process_time())
            gate.notes(events)
            marks.append(time.process_time())
            numbers.add(events, {0: row})
            marks.append(time.process_time())
            took = [sum_ + after - before for sum_, before, after in zip(took, marks, marks[1:], strict=False)]
        assert numbers.fold.size()["cells"], "nothing was folded"
        return tuple(each / (row * BATCH) * 1e6 for each in took)

    async def tuned() -> list[tuple[float, ...]]:
        return [once() for _ in range(5)]

    gate_us, dedup_us, notes_us, fold_us = min(run(tuned()), key=sum)
    whole = gate_us + dedup_us + notes_us + fold_us
    note = f"batches of {BATCH}; dedup {dedup_us:.2f} us, notes {notes_us:.2f} us an event"
    yield Figure("gate_fold.events_per_cpu_s", 1e6 / whole, "/s", 250_000, at_most=False, note=note)
    yield Figure("gate_fold.gate_us", gate_us, "us", note="decoding, schema, time, rule")
    yield Figure("gate_fold.fold_us", fold_us, "us", note="four metrics, two windows, two dimensions")


@measure("metric_read")
def metric_read(bench: Bench) -> Iterator[Figure]:
    """A metric read from memory inside the process, each time after an event has moved it."""

    async def once() -> list[float]:
        from aob.core.metric_query import MetricQuery

        took = []
        async with home(bench) as app:
            for body in bodies(20):
                await app.metrics.ingest(app.who, body)
            for line in next(bodies(1, seed=2)).split(b"\n")[: max(100, bench.times(1_000))]:
                await app.metrics.ingest(app.who, line)
                begun = time.perf_counter()
                await app.metrics.metric(app.who, MetricQuery("revenue"))
                took.append(time.perf_counter() - begun)
        return took

    took = run(once())
    note = f"p99 {percentile(took, 0.99) * 1e3:.2f} ms; a window of an hour, never from the cache"
    yield Figure("metric_read.p50_ms", percentile(took, 0.5) * 1e3, "ms", 1.0, note=note)


BUILD: Final = """
import asyncio, os, sys
sys.path.insert(0, {root!r})
from bench.measures.live import bodies
from bench.measures.fresh import CONTRACTS
async def main():
    import aob
    async with aob.open({home!r}) as app:
        await app.push_contracts({{"bench.yaml": CONTRACTS}})
        for number, body in enumerate(bodies({calls})):
            if number == {saved}:
                await app.metrics.live.keeping.save()
            await app.metrics.ingest(app.who, body)
        print(app.wiring.figures()["fold"]["behind"], flush=True)
        os._exit(0)  # as a kill would: nothing is written on the way out
asyncio.run(main())
"""


@measure("restart")
def restart(bench: Bench) -> Iterator[Figure]:
    """`aob up` on a home with a million events behind it whose server was killed: until it takes requests."""
    calls = max(2, bench.times(1_000))
    saved = calls - bench.times(KILLED_AFTER)
    where = bench.folder("restart")
    code = BUILD.format(root=str(ROOT.parent), home=str(where), calls=calls, saved=saved)
    built = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    async def once() -> tuple[float, int, float]:
        ready: list[float] = []
        async with served(bench, ready, where) as at:
            answer = (await at.client.get("/v1/metrics/events?window=all")).json()
            rss = at.rss_mb()
            at.kill()  # or the way out would write a snapshot
        return ready[0], answer["value"], rss

    rounds = [uvloop.run(once()) for _ in range(bench.rounds(3))]
    assert all(value == calls * BATCH for _, value, _ in rounds), rounds
    note = (
        f"{calls * BATCH:,} events, {int(built.stdout):,} rows of {BATCH:,} behind the snapshot; "
        f"each event counted once; {min(rss for _, _, rss in rounds):.0f} MB"
    )
    yield Figure("restart.1m.s", min(took for took, _, _ in rounds), "s", 3.0, note=note)


CELLS: Final = """
import gc, sys, time
sys.path.insert(0, {root!r})
from bench.frame import rss_mb
from bench.measures.live import cell_lines
from bench.measures.fresh import CONTRACTS
from aob.core.contract import read_contracts
from aob.core.ingest import Gate
from aob.metrics.live.tenant import Numbers
from aob.metrics.platform import platform_contracts
own = read_contracts({{"bench.yaml": CONTRACTS}})
gate, numbers = Gate(own), Numbers("bench", own, platform_contracts())
now_ms = int(time.time() * 1000)
numbers.add(gate.read(next(cell_lines(1)), now_ms).events, {{0: 1}})
gc.collect()
before, cells = rss_mb(), numbers.fold.size()["cells"]
for row, lines in enumerate(cell_lines({seconds}), 2):
    numbers.add(gate.read(lines, now_ms).events, {{0: row}})
gc.collect()
print(rss_mb() - before, numbers.fold.size()["cells"] - cells)
"""


def cell_lines(seconds: int) -> Iterator[bytes]:
    """An event for each cell that a second can have: every type, region and channel."""
    end = int(time.time()) - 10
    for second in range(end - seconds, end):
        yield "\n".join(
            f'{{"id":"c{second}{kind}{region}{channel}","type":"{kind}","source":"shop/checkout","time":{second}.5,'
            f'"version":1,"subject":"cust_1","data":{{"amount":12.5,"currency":"EUR","quantity":1,"region":"{region}",'
            f'"channel":"{channel}","status":"ok"}}}}'
            for kind in TYPES for region in REGIONS for channel in CHANNELS
        ).encode()  # fmt: skip


@measure("cells")
def cells(bench: Bench) -> Iterator[Figure]:
    """The memory of 100,000 live cells, as the resident size of a process grows by them."""
    seconds = -(-bench.times(100_000) // (len(TYPES) * len(REGIONS) * len(CHANNELS)))
    code = CELLS.format(root=str(ROOT.parent), seconds=seconds)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    mb, count = done.stdout.split()
    note = f"{int(count):,} cells of {seconds:,} seconds, {float(mb) * 1e6 / int(count):,.0f} bytes a cell"
    yield Figure("cells.100k.mb", float(mb) * 100_000 / int(count), "MB", note=note)


class Overload:
    """Calls that are due faster than they can be taken, each sent when it is due, and what became of each."""

    def __init__(self, at: Served, rate: int, seconds: float, connections: int) -> None:
        self.at, self.rate, self.seconds, self.connections = at, rate, seconds, connections
        lines = next(bodies(1, seed=9)).split(b"\n")[:OVERLOAD_BATCH]
        self.body = b"\n".join(lines).replace(b'"e009_0', b'"' + MARK)
        self.acks: list[float] = []
        self.turned: list[float] = []
        self.odd = self.unsaid = self.unsent = 0
        self.cause = b""

    async def take(self) -> None:
        """Send for some seconds, then wait for every answer."""
        async with AsyncExitStack() as stack:
            free = [await stack.enter_async_context(connected(self.at)) for _ in range(self.connections)]
            await self._send(free)

    async def _send(self, free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        size = len(self.body) - len(MARK) + 8
        lines = "content-type: application/x-ndjson", f"content-length: {size}"
        head = self.at.head("POST", "/v1/events", *lines)
        calls, origin = set[asyncio.Task[None]](), time.perf_counter()

        async def call(number: int, due: float, pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
            reader, writer = pair
            writer.write(head + self.body.replace(MARK, b"o%07d" % number))
            status, answer, waits = await _told(reader)
            took_s = time.perf_counter() - due
            if status == 200 and b'"accepted":%d,' % OVERLOAD_BATCH in answer[:200]:
                self.acks.append(took_s)
            elif status == 429:
                self.turned.append(took_s)
                self.unsaid += not waits
            else:
                self.odd, self.cause = self.odd + 1, answer[:200]
            free.append(pair)

        for number in range(int(self.rate * self.seconds / OVERLOAD_BATCH)):
            due = origin + number * OVERLOAD_BATCH / self.rate
            if (wait_s := due - time.perf_counter()) > 0 or number % 20 == 0:
                await asyncio.sleep(max(0.0, wait_s))
            if not free:
                self.unsent += 1
                continue
            task = asyncio.create_task(call(number, due, free.pop()))
            calls.add(task)
            task.add_done_callback(calls.discard)
        self.sent_s = time.perf_counter() - origin
        await asyncio.gather(*calls)


async def _told(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Status and body of an answer, and whether it says when to come again."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return int(head[9:12]), await reader.readexactly(length), b"retry-after:" in head


async def _counted(at: Served) -> int:
    answer = await at.client.get("/v1/metrics/events?window=all")
    answer.raise_for_status()
    return int(answer.json()["value"] or 0)


@measure("overload")
def overload(bench: Bench) -> Iterator[Figure]:
    """More events than can be taken, in an open loop, then `kill -9`: what is refused, how long the others wait."""
    where = bench.folder("overload")

    async def take() -> tuple[Overload, int]:
        async with served(bench, home=where) as at:
            (await at.client.put("/v1/contracts", json={"files": {"bench.yaml": CONTRACTS}})).raise_for_status()
            connections = 8 if bench.small else OVERLOAD_CONNECTIONS
            load = Overload(at, OVERLOAD_PER_S, bench.seconds(OVERLOAD_S, 2.0), connections)
            await load.take()
            at.kill()
        async with served(bench, home=where) as at:
            return load, await _counted(at)

    load, counted = uvloop.run(take())
    assert not load.odd, f"{load.odd} calls ended oddly: {load.cause!r}"
    acknowledged = len(load.acks) * OVERLOAD_BATCH
    sent = (len(load.acks) + len(load.turned)) * OVERLOAD_BATCH / load.sent_s
    note = (
        f"{sent:,.0f} events/s sent in calls of {OVERLOAD_BATCH} on {load.connections:,} connections, "
        f"{acknowledged:,} acknowledged, {load.unsent} calls found no connection"
    )
    said = f"429, {load.unsaid} of them without Retry-After"
    if load.turned:
        said += f", told after {percentile(load.turned, 0.5) * 1e3:,.0f} ms"
    yield Figure("overload.refused", len(load.turned), "calls", note=f"{said}; {note}")
    yield Figure("overload.ack_max_ms", max(load.acks) * 1e3, "ms", note="from the scheduled send to the answer")
    yield Figure("overload.ack_p50_ms", percentile(load.acks, 0.5) * 1e3, "ms")
    yield Figure("overload.lost", max(0, acknowledged - counted), "events", 0, note="after kill -9 and a restart")


class Untold:
    """In place of the platform's own metrics: nothing is read and nothing is folded."""

    def __init__(self, *parts: object) -> None:
        pass

    async def recover(self) -> None:
        """There is nothing."""

    async def __aenter__(self) -> "Untold":
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    def heard(self, group: object) -> None:
        """Nothing is told."""

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]:
        """Nothing is kept."""
        return iter(())


@measure("platform")
def platform(bench: Bench) -> Iterator[Figure]:
    """What the platform's own metrics cost a run of five nodes: with them and without, in turn."""
    from aob.compose.metrics import wiring
    from bench import handlers

    async def once(folder: Path, count: int) -> float:
        import aob

        async with aob.open(folder, app=handlers) as app:
            await app.push(chain("chain", 5))
            await finish(app, "chain", count // 10 + 1, "full")
            await asyncio.sleep(0.2)  # what is made once is made
            with bench.clock() as span:
                await finish(app, "chain", count, "full")
                await asyncio.sleep(0.1)  # what is read behind the runs belongs to them
            return span.cpu_s / count * 1e6

    names = vars(wiring)
    count, whole = bench.times(6_000), names["Platform"]
    told, untold = list[float](), list[float]()
    try:
        for _ in range(bench.rounds(4)):
            for kind, found in ((whole, told), (Untold, untold)):
                names["Platform"] = kind
                found.append(run(once(bench.folder("platform"), count)))
    finally:
        names["Platform"] = whole
    with_us, without_us = min(told), min(untold)
    note = f"{with_us:.0f} us of CPU a run with them, {without_us:.0f} us without"
    yield Figure("platform.cpu_share", (with_us - without_us) / without_us * 100, "%", 5.0, note=note)
