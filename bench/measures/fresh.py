"""Freshness: from the scheduled send of an event to the delta of its metric, parsed by an SSE subscriber.

A real `aob up` with fsync on; this process is load generator, subscriber and reader at once. Open loop: an event counts
from the moment at which it was due, so a server that falls behind cannot hide it.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from typing import Any, Final

import uvloop

from bench.frame import Bench, Figure, measure, percentile
from bench.measures.serving import Served, connected, read_answer, served

REGIONS: Final = ("eu", "us", "apac", "latam")
CHANNELS: Final = ("web", "app", "pos", "partner", "api")
TYPES: Final = ("order.created", "payment.captured", "page.clicked", "stock.adjusted")
WEIGHTS: Final = (3, 3, 10, 2)
CONNECTIONS: Final = 16
SECONDS: Final = 6.0
WARM_SHARE: Final = 1 / 6
"""Of a round: what is not counted, because it warms up."""

FIELDS: Final = """
  amount: {type: number, minimum: 0, unit: EUR}
  currency: {type: string, minLength: 3, maxLength: 3}
  quantity: {type: integer, minimum: 1, maximum: 1000}
  region: {type: string, maxLength: 16}
  channel: {type: string, maxLength: 16}
  status: {type: string, maxLength: 16}
"""
EVENT: Final = """
event: {kind}
version: 1
owner: bench
fields:{fields}rules: [{{name: ok, rule: "data.status == 'ok'"}}]
"""
METRICS: Final = """
metric: events
version: 1
type: count
owner: bench
windows: [all, 1h]
dimensions: [region, channel]
moves: [{on: order.created}, {on: payment.captured}, {on: page.clicked}, {on: stock.adjusted}]
---
metric: revenue
version: 1
type: sum
unit: EUR
owner: bench
windows: [1h]
dimensions: [region, channel]
moves: [{on: payment.captured, value: data.amount}]
---
metric: order_value
version: 1
type: average
unit: EUR
owner: bench
windows: [1h]
dimensions: [region, channel]
moves: [{on: order.created, value: data.amount}]
---
metric: paid
version: 1
type: ratio
owner: bench
windows: [1h]
dimensions: [region, channel]
numerator: [{on: payment.captured}]
denominator: [{on: order.created}]
"""
CONTRACTS: Final = "---".join([*(EVENT.format(kind=kind, fields=FIELDS) for kind in TYPES), METRICS])
"""Four event types and four metrics over them."""


class Load:
    """One round: a rate, a batch, and what was seen."""

    def __init__(self, at: Served, rate: int, batch: int, seconds: float, seed: int) -> None:
        self.at, self.rate, self.batch, self.seconds = at, rate, batch, seconds
        dice = random.Random(seed)
        self.parts = [part_of(dice) for _ in range(2_000)]
        self.run = f"{seed:03d}{int(time.time()) % 100_000:05d}"
        self.acks: list[float] = []
        self.fresh: list[float] = []
        self.reads: list[float] = []
        self.refused = self.seen = self.count = 0
        self.odd = b""
        self.total = max(1, int(rate * seconds / batch)) * batch
        self.wanted = self.total
        self.told = asyncio.Event()

    async def take(self) -> None:
        """Send, listen and read until every event was told."""
        before = await self.counted()
        self.begin = asyncio.get_running_loop().create_future()
        listener = asyncio.create_task(self._listen(before))
        await self.begin
        reader = asyncio.create_task(self._read())
        queue: asyncio.Queue[tuple[float, int] | None] = asyncio.Queue()
        workers = [asyncio.create_task(self._send(queue)) for _ in range(CONNECTIONS)]
        self.origin = time.perf_counter() + 0.05
        self.wall = time.time() + 0.05
        for first in range(0, self.total, self.batch):
            due = self.origin + first / self.rate
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            queue.put_nowait((due, first))
        for _ in workers:
            queue.put_nowait(None)
        await asyncio.gather(*workers)
        self.wanted -= self.refused * self.batch
        if self.count >= self.wanted:
            self.told.set()
        try:
            async with asyncio.timeout(30):
                await self.told.wait()
        except TimeoutError:
            told = f"{self.seen:,} of {self.total:,} events were told, {await self.counted() - before:,} counted"
            raise RuntimeError(f"{told}, {self.refused:,} calls refused: {self.odd[:200]!r}") from None
        for task in (listener, reader):
            task.cancel()
        await asyncio.gather(listener, reader, return_exceptions=True)
        self.lost = self.total - self.refused * self.batch - await self.counted() + before

    async def counted(self) -> int:
        """How many events of the stream were counted so far."""
        return int((await self._get("/v1/metrics/events?window=all"))["value"] or 0)

    def _body(self, due: float, first: int) -> bytes:
        at = "%.6f" % (self.wall + due - self.origin)
        return "\n".join(
            f'{{"id":"e{self.run}_{number:09d}{before}{at}{after}'
            for number in range(first, first + self.batch)
            for before, after in (self.parts[number % 2_000],)
        ).encode()

    async def _send(self, queue: "asyncio.Queue[tuple[float, int] | None]") -> None:
        async with connected(self.at) as (reader, writer):
            while (item := await queue.get()) is not None:
                due, first = item
                body = self._body(due, first)
                lines = "content-type: application/x-ndjson", f"content-length: {len(body)}"
                writer.write(self.at.head("POST", "/v1/events", *lines) + body)
                status, answer = await read_answer(reader)
                if status != 200 or b'"accepted":%d,' % self.batch not in answer[:200]:
                    self.refused, self.odd = self.refused + 1, answer
                self.acks.append(time.perf_counter() - due)

    async def _listen(self, before: int) -> None:
        async with connected(self.at) as (reader, writer):
            writer.write(self.at.head("GET", "/v1/stream/events?metric=events&window=all"))
            if (status := await reader.readline()) != b"HTTP/1.1 200 OK\r\n":
                self.begin.set_exception(RuntimeError(f"no stream: {status!r}"))
            while line := await reader.readline():
                if not line.startswith(b"data:"):
                    continue
                now = time.perf_counter()
                count = self.count = int(json.loads(line[5:])["value"]) - before
                if not self.begin.done():
                    self.begin.set_result(None)
                # Each batch that this delta is the first to hold; a batch in part is told when it is whole.
                for first in range(self.seen, count - self.batch + 1, self.batch):
                    due = self.origin + first / self.rate
                    if due - self.origin > self.seconds * WARM_SHARE:
                        self.fresh.append(now - due)
                self.seen = max(self.seen, count // self.batch * self.batch)
                if count >= self.wanted:
                    self.told.set()

    async def _read(self) -> None:
        while True:
            begun = time.perf_counter()
            await self._get("/v1/metrics/revenue")
            self.reads.append(time.perf_counter() - begun)
            await asyncio.sleep(0.02)

    async def _get(self, path: str) -> Any:
        answer = await self.at.client.get(path)
        answer.raise_for_status()
        return answer.json()


def part_of(dice: random.Random) -> tuple[str, str]:
    """An event's text between its id and its time, and after its time."""
    kind = dice.choices(TYPES, WEIGHTS)[0]
    return (
        f'","type":"{kind}","source":"shop/checkout","time":',
        f',"version":1,"subject":"cust_{dice.randrange(20_000):06d}","data":{{"amount":{dice.random() * 200:.2f},'
        f'"currency":"EUR","quantity":{dice.randrange(1, 6)},"region":"{dice.choice(REGIONS)}",'
        f'"channel":"{dice.choice(CHANNELS)}","status":"ok"}}}}',
    )


@measure("fresh")
def fresh(bench: Bench) -> Iterator[Figure]:
    """Event to delta at four rates: acknowledged durably, folded, pushed; with reads beside it."""
    rounds = (("1k", 1_000, 1, 2.0, 5.0), ("10k", 10_000, 100, 4.0, 8.0), ("50k", 50_000, 500, 8.0, 15.0),
              ("100k", 100_000, 1_000, 15.0, 60.0))  # fmt: skip
    seconds = bench.seconds(SECONDS, 2.5)

    async def take() -> list[tuple[str, Load, float, float, float]]:
        taken = []
        async with served(bench) as at:
            pushed = await at.client.put("/v1/contracts", json={"files": {"bench.yaml": CONTRACTS}})
            pushed.raise_for_status()
            for number, (name, rate, batch, p50, p95) in enumerate(rounds):
                load = Load(at, rate, batch, seconds, number)
                cpu = at.cpu_s()
                await load.take()
                taken.append((name, load, at.cpu_s() - cpu, p50, p95))
        return taken

    for name, load, cpu, p50, p95 in uvloop.run(take()):
        assert not load.lost, f"{load.lost} of {load.total} events were not counted"
        note = f"{load.total / load.seconds:,.0f}/s offered; ack p50 {percentile(load.acks, 0.5) * 1e3:.1f} ms" + (
            f"; {load.refused} refused" if load.refused else ""
        )
        yield Figure(f"fresh.{name}.p50_ms", percentile(load.fresh, 0.5) * 1e3, "ms", p50, note=note)
        yield Figure(f"fresh.{name}.p95_ms", percentile(load.fresh, 0.95) * 1e3, "ms", p95)
        yield Figure(f"fresh.{name}.events_per_cpu_s", load.total / cpu, "/s", note="server, HTTP and fsync included")
        yield Figure(f"fresh.{name}.read_p50_ms", percentile(load.reads, 0.5) * 1e3, "ms", note="client included")
