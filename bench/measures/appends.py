"""Appends to the event log and reads of it, by groups of events, on a file and on a Postgres server of its own: CPU of
this process and of the server together, wall apart."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

from aob.ports.event_log import EventLog, Row, rows_between
from bench.frame import Bench, Figure, measure, percentile
from bench.processes import POSTGRES, on_postgres, tree_s

GROUPS: Final = (1, 100, 1_000)
EVENTS: Final = 60_000
COMMITS_MAX: Final = 1_500
PARTITIONS: Final = 64
LINE: Final = (
    b'{"specversion":"1.0","id":"e%010d","source":"shop","type":"order.created","subject":"o-%d",'
    b'"time":"2026-01-01T00:00:00Z","data":{"order_id":"o-1","amount":12.5,"region":"north","customer":"c-17"}}'
)
NOTES: Final = b"n" * 24


@asynccontextmanager
async def of_a_file(bench: Bench) -> AsyncIterator[tuple[EventLog, Callable[[], float]]]:
    """The log of a home."""
    from aob.backends.sqlite.event_log import SqliteEventLog

    log = SqliteEventLog(bench.folder("log") / "gate.db")
    yield log, lambda: 0.0
    await log.close()


@asynccontextmanager
async def of_a_server(bench: Bench) -> AsyncIterator[tuple[EventLog, Callable[[], float]]]:
    """The log of a database that syncs."""
    from aob.backends.postgres.database import Database
    from aob.backends.postgres.event_log import PostgresEventLog

    with on_postgres(bench) as (at, url):
        db = await Database.open(url, size=2)
        yield PostgresEventLog(db, partitions=PARTITIONS), lambda: tree_s(at.pids[POSTGRES])
        await db.close()


def taken(bench: Bench, name: str) -> Iterator[Figure]:
    """The figures of one kind of log."""

    async def once() -> list[Figure]:
        dice, found = random.Random(1), list[Figure]()

        def rows(log: EventLog, count: int) -> list[Row]:
            lines: dict[int, list[bytes]] = {}
            for number in range(count):
                lines.setdefault(dice.randrange(log.partitions), []).append(LINE % (number, number))
            at_ms = int(time.time() * 1000)
            return [Row(0, "acme", at_ms, 0, len(each), 0, 0, b"\n".join(each), NOTES * len(each), part)
                    for part, each in lines.items()]  # fmt: skip

        async with (of_a_file if name == "sqlite" else of_a_server)(bench) as (log, server_cpu):
            await log.take()
            written = 0
            for group in GROUPS:
                groups = [rows(log, group) for _ in range(bench.times(min(COMMITS_MAX, EVENTS // group)))]
                written += group * len(groups)
                took_s, before = list[float](), server_cpu()
                with bench.clock() as span:
                    for each in groups:
                        began = time.perf_counter()
                        await log.append(each)
                        took_s.append(time.perf_counter() - began)
                server_s = server_cpu() - before
                cpu_us = (span.cpu_s + server_s) / (group * len(groups)) * 1e6
                note = f"server {server_s / (span.cpu_s + server_s):.0%}" if server_s else ""
                found += [
                    Figure(f"appends.{name}.{group}.cpu_us", cpu_us, "us an event", note=note),
                    Figure(f"appends.{name}.{group}.p50_ms", percentile(took_s, 0.5) * 1e3, "ms a commit"),
                ]
            before, read = server_cpu(), 0
            with bench.clock() as span:
                async for row in rows_between(log, [0] * log.partitions, await log.last_rows()):
                    read += row.count
            if read != written:
                raise RuntimeError(f"{written} events were written, {read} are read")
            cpu_us = (span.cpu_s + server_cpu() - before) / read * 1e6
            return [*found, Figure(f"appends.{name}.read.cpu_us", cpu_us, "us an event")]

    yield from asyncio.run(once())


@measure("appends_sqlite")
def appends_sqlite(bench: Bench) -> Iterator[Figure]:
    """Appends of 1, 100 and 1,000 events to the log of a home, each a commit and a sync; reading them all."""
    yield from taken(bench, "sqlite")


@measure("appends_postgres")
def appends_postgres(bench: Bench) -> Iterator[Figure]:
    """The same on a Postgres server, spread over 64 partitions; CPU of the server included."""
    yield from taken(bench, "postgres")
