"""Records of topics in a home of one shard: appended one by one and in batches of 100, and read."""

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Final

from msgspec import Raw

import aob
from aob.ports.log import Record
from bench.frame import Bench, Figure, measure, percentile

LONE: Final = 1_500
BATCHES: Final = 1_000
BATCH: Final = 100
AT_ONCE: Final = 16  # batches that wait at the same time, each in a partition
READ: Final = 1_000
DATA: Final = Raw(b'{"order_id":"o-1","amount":12.5,"region":"north","customer":"c-17"}')
PLACE: Final = "default", "orders"


def _record(number: int) -> Record:
    return Record(f"r{number:010}", "/shop", "order.placed", PLACE[0], f"o-{number}", DATA)


def _fsyncs(bench: Bench, count: int) -> list[float]:
    """How long the disk takes to sync a page, in s."""
    took_s, path = list[float](), bench.folder("sync") / "file"
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4_096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            took_s.append(time.perf_counter() - began)
    return took_s


@measure("topics")
def topics(bench: Bench) -> Iterator[Figure]:
    """Append of one record beside a sync of the same disk; records a second in batches of 100; reading them all."""

    async def once() -> list[Figure]:
        lone, batches = bench.times(LONE), bench.times(BATCHES)
        sync_ms = percentile(_fsyncs(bench, lone), 0.5) * 1e3
        async with aob.open(bench.folder("home")) as app:
            log, took_s = app.shared.topics, list[float]()
            for number in range(lone):
                began = time.perf_counter()
                await log.append(*PLACE, 0, [_record(number)])
                took_s.append(time.perf_counter() - began)
            made = [[_record(number * BATCH + each) for each in range(BATCH)] for number in range(batches)]
            began = time.perf_counter()

            async def lane(which: int) -> None:
                for records in made[which::AT_ONCE]:
                    await log.append(*PLACE, 1 + which, records)

            await asyncio.gather(*map(lane, range(AT_ONCE)))
            written_s = time.perf_counter() - began
            began, read = time.perf_counter(), 0
            for partition in range(1 + AT_ONCE):
                start = 0
                while found := await log.read(*PLACE, partition, start, READ):
                    read, start = read + len(found), found[-1].offset + 1
            read_s = time.perf_counter() - began
        if read != lone + batches * BATCH:
            raise RuntimeError(f"{lone + batches * BATCH} records were appended, {read} are read")
        return [
            Figure("topics.append.p50_ms", percentile(took_s, 0.5) * 1e3, "ms", note=f"a sync {sync_ms:.3f} ms"),
            Figure(
                "topics.append.over_sync_ms", percentile(took_s, 0.5) * 1e3 - 2 * sync_ms, "ms beyond two syncs", 1.0
            ),
            Figure("topics.batches.per_s", batches * BATCH / written_s, "records/s", 10_000, at_most=False),
            Figure("topics.read.per_s", read / read_s, "records/s"),
        ]

    yield from asyncio.run(once())
