"""An agent on a topic of a home in a folder: many records in batches; from the append of one to its output."""

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

from bench.frame import Bench, Figure, measure, percentile

RECORDS: Final = 20_000
HOPS: Final = 200
KEYS: Final = 1_000
APPEND: Final = 500


@measure("agents")
def agents(bench: Bench) -> Iterator[Figure]:
    """One embedded agent that keeps a state a key: records in batches; the time from an append to its output."""
    import aob
    from aob.core.event import partition_of
    from aob.core.policy import LOCAL
    from aob.core.value import canonical
    from aob.ports.log import Record

    @aob.agent(consumes=["in"], produces=["out"], concurrency=64)
    async def counts(record: Any, ctx: Any) -> None:
        ctx.set_state((ctx.state or 0) + 1)
        if left:
            left.pop()
        if not left:
            all_handled.set()
        if record.type == "hop":
            ctx.emit("out", "hop", record.data)

    all_handled, left = asyncio.Event(), list[None]()

    async def once() -> list[Figure]:
        home, number, hops = bench.folder("home"), bench.times(RECORDS), bench.times(HOPS)
        async with aob.open(home) as app:
            for topic in ("in", "out"):
                await app.metrics.create_topic(LOCAL, topic)
        async with aob.open(home, app=SimpleNamespace(counts=counts)) as app:
            journal, topics = app.views.core.journal, app.shared.topics
            left.extend([None] * number)
            by_partition: dict[int, list[Record]] = {}
            for n in range(number):
                record = Record(f"r{n}", "bench", "plain", "default", f"k{n % KEYS}", data=canonical_raw({"n": n}))
                by_partition.setdefault(partition_of(record.subject, journal.partitions), []).append(record)
            with bench.clock() as span:
                for partition, records in by_partition.items():
                    for at in range(0, len(records), APPEND):
                        await topics.append("default", "in", partition, records[at : at + APPEND])
                await all_handled.wait()
            took_ms = list[float]()
            partition = partition_of("hop", journal.partitions)
            for n in range(hops):
                bell, began = journal.bells.next("default", "out"), time.perf_counter()
                await app.produce("in", "hop", n, subject="hop")
                await bell
                took_ms.append((time.perf_counter() - began) * 1e3)
            told = await topics.read("default", "out", partition, 0, hops + 1)
            if len(told) != hops:
                raise RuntimeError(f"{hops} records came out as {len(told)}")
        return [
            Figure("agents.batch.per_s", number / span.wall_s, "records a second"),
            Figure("agents.batch.cpu_us", span.cpu_s / number * 1e6, "us a record"),
            Figure("agents.hop.p50_ms", percentile(took_ms, 0.5), "ms from append to output"),
        ]

    def canonical_raw(value: object) -> Any:
        from msgspec import Raw

        return Raw(canonical(value))

    yield from asyncio.run(once())
