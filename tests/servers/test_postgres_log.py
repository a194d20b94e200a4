"""The event log on a real server, with several processes: an owner that was stopped and wakes, appends
of one key by many, a line that is cut in a commit, a server that is killed. Nothing acknowledged is lost, nothing is
there twice, numbers are dense."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aob.backends.postgres.database import Database
from aob.backends.postgres.event_log import PostgresEventLog
from aob.core.errors import Unavailable
from aob.core.policy import Caller
from aob.gate import Commit, Ingest, Memory
from aob.gate import ingest as ingest_room
from aob.ports.dead_letters import DeadQuery
from aob.ports.event_log import LOG_TAKEN, Row, rows_between
from aob.testing.conformance.event_log import group
from aob.testing.proxy import Proxy, Way
from aob.testing.world.loop import replaced
from tests.core.ingest.sample import CONTRACTS, NOW_MS, apart, line
from tests.gate.sender import TAKEN
from tests.servers.fixtures import Schema, made_schema
from tests.servers.postgres import server

ROOT = Path(__file__).parents[2]
WHO = Caller("acme", "sender", frozenset({"run"}))
WAITING = (
    "select count(*) from pg_locks where not granted and pid in (select pid from pg_stat_activity where usename = user)"
)


def begun(module: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", module, *words], cwd=ROOT, stdout=subprocess.PIPE)


async def all_rows(log: PostgresEventLog) -> list[Row]:
    """All rows, after a look at their numbers and offsets."""
    found = [row async for row in rows_between(log, [0] * log.partitions, await log.last_rows())]
    ends, firsts = [0] * log.partitions, dict[tuple[str, int], int]()
    for row in sorted(found, key=lambda row: (row.partition, row.row)):
        ends[row.partition] += 1
        assert row.row == ends[row.partition]
        assert row.first == firsts.get((row.tenant, row.partition), 0)
        firsts[row.tenant, row.partition] = row.first + row.count
    return found


def ids_of(rows: list[Row]) -> list[str]:
    return [json.loads(each)["id"] for row in rows if row.count for each in row.lines.split(b"\n")]


# -- owners -------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(60)
async def test_an_owner_that_was_stopped_and_wakes_writes_nothing(postgres_schema: Schema) -> None:
    old = begun("tests.gate.sender", postgres_schema.url, "1")
    assert old.stdout is not None
    told = b""
    while told.count(b"\n") < 100:
        told += old.stdout.read1(65_536)
    old.send_signal(signal.SIGSTOP)
    db = await Database.open(postgres_schema.url, size=2)
    log = PostgresEventLog(db)
    await log.take()
    before = ids_of(await all_rows(log))
    await log.append([group("umbra", partition=part) for part in range(3)])
    old.send_signal(signal.SIGCONT)
    rest, _ = await asyncio.to_thread(old.communicate)
    assert old.returncode == TAKEN
    after = [row for row in await all_rows(log) if row.tenant == "acme"]
    assert ids_of(after) == before
    acknowledged = set(re.findall(r"^[01]\.\d+\.\d+\.\d+$", (told + rest).decode(), re.MULTILINE))
    assert len(acknowledged) >= 100
    assert acknowledged <= set(before)
    assert len(before) == len(set(before))
    await db.close()


async def test_a_gate_whose_log_was_taken_refuses_everything_and_reads_no_more(postgres_schema: Schema) -> None:
    db = await Database.open(postgres_schema.url, size=2)
    log, heard = PostgresEventLog(db), list[Commit]()
    await log.take()
    async with Ingest(log, Memory(lambda tenant: CONTRACTS), lambda: NOW_MS, lambda: 0.0, heard.extend) as ingest:
        await ingest.ingest(WHO, line("a"))
        after = PostgresEventLog(db)
        await after.take()
        await after.append([group()])
        for _ in range(3):
            with pytest.raises(Unavailable) as refused:
                await ingest.ingest(WHO, line("b"))
            assert refused.value.code == LOG_TAKEN
            await asyncio.sleep(0)
        assert ingest.failing is not None
        assert len(heard) == 1
    assert ids_of([row for row in await all_rows(after) if row.notes != b"notes-2"]) == ["a"]
    await db.close()


async def test_taking_waits_for_a_commit_that_is_under_way_and_sees_it(postgres_schema: Schema) -> None:
    db = await Database.open(postgres_schema.url, size=3)
    log, after = PostgresEventLog(db), PostgresEventLog(db)
    await log.append([group()])
    async with db.connection() as slow:  # holds back the commit's end
        await slow.execute("begin")
        await slow.execute(f"select {postgres_schema.name}.write_dead('[]', '')".encode())
        taking = asyncio.create_task(after.take())
        async with db.connection() as looks, asyncio.timeout(60):
            while not (await (await looks.execute(WAITING)).fetchone() or [0])[0]:
                assert not taking.done()
        await slow.execute("commit")
    await taking
    assert await after.last_rows() == await log.last_rows()
    await db.close()


async def test_callers_that_go_away_in_the_middle_of_a_commit_leave_the_log_whole(postgres_schema: Schema) -> None:
    db, dice, acknowledged = await Database.open(postgres_schema.url, size=2), random.Random(3), set[str]()
    log = PostgresEventLog(db)

    async def one(id: str) -> None:
        lines = [b'{"id":"%s.%d"}' % (id.encode(), n) for n in range(3)]
        await log.append([Row(0, "acme", NOW_MS, 0, 1, 0, 0, each, b"", dice.randrange(64)) for each in lines])
        acknowledged.update(f"{id}.{n}" for n in range(3))

    cancelled = 0
    for turn in range(30):
        tasks = [asyncio.create_task(one(f"{turn}.{n}")) for n in range(3)]
        for _ in range(dice.randrange(60)):
            await asyncio.sleep(0)
        for task in tasks[: dice.randrange(3)]:
            task.cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled += sum(isinstance(each, asyncio.CancelledError) for each in told)
        assert not [each for each in told if isinstance(each, Exception)]
    ids = ids_of(await all_rows(log))
    assert cancelled > 5
    assert acknowledged <= set(ids)
    assert len(ids) == len(set(ids)) == (await PostgresEventLog(db).totals("acme"))[0]
    await db.close()


# -- faults -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Database, Proxy]]:
    """A pool of one connection over a line that can be cut."""
    port = int(url.partition("@")[2].partition("/")[0].rpartition(":")[2])
    async with Proxy("127.0.0.1", port) as proxy:
        db = await Database.open(url.replace(f":{port}/", f":{proxy.port}/"), size=1)
        yield db, proxy
        await db.close()


CUTS: list[tuple[Way, int]] = [("up", 0), ("up", 70), ("up", 900), ("down", 0), ("down", 4), ("down", 40)]
"""Where the line is cut: after so many bytes of a commit to the server, or of its answer."""


async def test_wherever_the_line_is_cut_each_event_counts_once(postgres_schema: Schema) -> None:
    heard = list[Commit]()
    async with line_to(postgres_schema.url) as (db, proxy):
        log = PostgresEventLog(db)
        await log.take()
        memory = Memory(lambda tenant: CONTRACTS)
        with replaced((ingest_room, "AGAIN_S", 0.01)):
            async with Ingest(log, memory, lambda: NOW_MS, lambda: 0.0, heard.extend) as ingest:
                for n, (way, count) in enumerate(CUTS):
                    await until_told(ingest, apart(f"first-{n}"))
                    sent = [apart(f"{n}-{each}") for each in range(9)]
                    proxy.cut_after(way, count)
                    with pytest.raises(Unavailable):
                        await ingest.ingest(WHO, b"\n".join([*sent, b"{"]))
                    told = json.loads(await until_told(ingest, b"\n".join([*sent, apart(f"last-{n}")])))
                    verdicts = [each["verdict"] for each in told["verdicts"]]
                    before = "accepted" if way == "up" else "duplicate"
                    assert verdicts == [before] * 9 + ["accepted"], (way, count)
        assert proxy.cuts == len(CUTS)
        rows = await all_rows(log)
        assert len({row.partition for row in rows}) > 1
        ids = ids_of(rows)
        assert len(ids) == len(set(ids)) == len(CUTS) * 11
        assert sorted((each.partition, each.row) for each in heard) == sorted((row.partition, row.row) for row in rows)
        letters = await log.letters.page(DeadQuery("acme"))
        assert [each.number for each in letters] == list(range(sum(way == "down" for way, _ in CUTS), 0, -1))


async def until_told(ingest: Ingest, lines: bytes) -> bytes:
    """As a sender does: again until there is an answer; in between the gate reads its log."""
    while True:
        try:
            return await ingest.ingest(WHO, lines)
        except Unavailable as error:
            if error.code == LOG_TAKEN:
                raise
            if ingest._task is not None:
                await asyncio.wait({ingest._task})


@pytest.mark.usefixtures("postgres_url")  # a run without servers has none of its own either
@pytest.mark.timeout(120)
async def test_a_server_that_is_killed_loses_and_doubles_nothing() -> None:
    heard, acknowledged, enough = list[Commit](), set[str](), asyncio.Event()
    with server({"fsync": "on"}) as one:
        db = await Database.open(made_schema(one.url, 1).url, size=2)
        log, more, ended = PostgresEventLog(db), 300, False
        await log.take()

        async def sends(ingest: Ingest, lane: int) -> None:
            n = 0
            while not ended:
                ids = [f"{lane}.{n}.{each}" for each in range(5)]
                n += 1
                await until_told(ingest, b"\n".join(map(apart, ids)))
                acknowledged.update(ids)
                if len(acknowledged) >= more:
                    enough.set()

        memory = Memory(lambda tenant: CONTRACTS)
        with replaced((ingest_room, "AGAIN_S", 0.01)):
            async with Ingest(log, memory, lambda: NOW_MS, lambda: 0.0, heard.extend) as ingest:
                lanes = [asyncio.create_task(sends(ingest, lane)) for lane in range(8)]
                for _ in range(2):
                    await enough.wait()
                    os.killpg(one.pid, signal.SIGKILL)  # the server is the first of its group
                    one.stop()
                    await asyncio.to_thread(one.start)
                    more = len(acknowledged) + 300
                    enough.clear()
                await enough.wait()
                ended = True
                await asyncio.gather(*lanes)
        rows = await all_rows(log)
        ids = ids_of(rows)
        assert acknowledged <= set(ids)
        assert len(ids) == len(set(ids))
        assert sorted((each.partition, each.row) for each in heard) == sorted((row.partition, row.row) for row in rows)
        await db.close()
