"""Lines cut in the middle of a commit, a server killed in it: what was acknowledged is there once, what was not is
there wholly or not at all, and an owner that was replaced writes nothing."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from random import Random
from urllib.parse import urlsplit

import psycopg
import pytest

from aob.backends.postgres.database import Database
from aob.backends.postgres.store import PostgresStore
from aob.core.errors import AobError
from aob.ports.store import Batch, Segment, StaleEpoch, TimerRow
from aob.testing.conformance.store import batch, content, head
from aob.testing.proxy import WAYS, Proxy, Way
from tests.servers.fixtures import Schema, made_schema
from tests.servers.postgres import server


def through(schema: Schema, proxy: Proxy) -> str:
    """The URL of a schema behind a proxy."""
    return schema.url.replace(f":{urlsplit(schema.url).port}/", f":{proxy.port}/")


def behind(url: str) -> Proxy:
    """A proxy before the server of a URL."""
    return Proxy("127.0.0.1", urlsplit(url).port or 0)


class Owner:
    """The owner of a shard: takes it, writes rows with ids of its own, and remembers which were acknowledged."""

    def __init__(self, store: PostgresStore, name: str) -> None:
        self.store, self.name = store, name
        self.acknowledged: list[tuple[int, bytes]] = []
        self.unknown: list[bytes] = []
        self.epoch = self.row = self.count = 0

    async def take(self) -> None:
        """Take the shard, as often as needed, and read what is there."""
        while True:
            try:
                self.epoch = await self.store.take()
                self.row, _, _ = await self.store.last()
                return
            except AobError:
                await asyncio.sleep(0)

    def next(self) -> Batch:
        """One row, with something else in each kind of table that must agree with it."""
        self.count += 1
        row, data = (
            self.row + 1,
            b'[["run_%b",%d,[[1,"%b %d"]]]]' % (self.name.encode(), self.row, self.name.encode(), self.count),
        )
        return batch(
            self.epoch, row, data=data, heads=[head(f"run_{self.name}", seq=row)], timers=[TimerRow("run_t", "t", row)],
            segments=[Segment("run_s", row, 1, row, data)],
        )  # fmt: skip

    async def write(self) -> bool:
        """One commit; False when it has lost the shard, True else, also when the outcome is not known."""
        made = self.next()
        try:
            answer = await self.store.commit(made)
        except AobError:
            self.unknown.append(made.data)
            await self.take()
            return True
        if isinstance(answer, StaleEpoch):
            return False
        self.acknowledged.append((answer, made.data))
        self.row = answer
        return True


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Looks again and again."""
    while True:
        if await true():
            return
        await asyncio.sleep(0)


async def all_wrote(owners: list[Owner], more: int) -> None:
    """Each owner has got so many more rows acknowledged."""
    begun = [len(owner.acknowledged) for owner in owners]

    async def wrote() -> bool:
        return all(len(owner.acknowledged) >= at + more for owner, at in zip(owners, begun, strict=True))

    await until(wrote)


async def _written(store: PostgresStore, row: int) -> bool:
    return (await store.last())[0] >= row


async def check(store: PostgresStore, owners: list[Owner]) -> None:
    """All that was acknowledged is there, nothing twice, and all tables tell of the same last row."""
    rows = await store.journal(0, 1_000_000)
    assert [row.row for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.sound for row in rows)
    data = [row.data for row in rows]
    assert len(set(data)) == len(data), "something was written twice"
    there = {(row.row, row.data) for row in rows}
    known = {each for owner in owners for each in owner.acknowledged}
    assert known <= there, f"lost: {known - there}"
    assert {each for _, each in there - known} <= {each for owner in owners for each in owner.unknown}
    last = len(rows)
    assert (await store.last())[0] == last
    if last:
        assert [timer.due_ms for timer in await store.timers(1 << 60)] == [last]
        assert [each.data for each in await store.segments("run_s")] == data


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_line_cut_at_any_byte_of_a_commit_leaves_it_whole_or_not_there(
    way: Way, postgres_schema: Schema
) -> None:
    async with behind(postgres_schema.url) as proxy:
        direct = await Database.open(postgres_schema.url)
        database = await Database.open(through(postgres_schema, proxy), size=1)
        store, sure = PostgresStore(database, 0), PostgresStore(direct, 0)
        owner = Owner(store, "a")
        await owner.take()
        before = proxy.passed[way]
        await owner.write()
        size = proxy.passed[way] - before
        assert size > 20
        written = 0
        for at in (0, 1, 7, size // 3, size // 2, size - 2, size - 1, size):
            proxy.cut_after(way, at)
            told, cuts = len(owner.acknowledged), proxy.cuts
            assert await owner.write()
            proxy.release()
            assert proxy.cuts > cuts
            assert len(owner.acknowledged) == told or (at == size and way == "down")
            written += (await sure.last())[0] > told
            await check(sure, [owner])
            assert await owner.write(), "it goes on"
        assert written or way == "up"
        await check(sure, [owner])
        await database.close()
        await direct.close()


async def test_an_answer_that_never_comes_ends_the_wait_and_the_row_is_found(postgres_schema: Schema) -> None:
    async with behind(postgres_schema.url) as proxy:
        database = await Database.open(through(postgres_schema, proxy), size=1)
        direct = await Database.open(postgres_schema.url)
        owner = Owner(PostgresStore(database, 0), "a")
        await owner.take()
        proxy.hold("down")
        writes = asyncio.create_task(owner.write())
        sure = PostgresStore(direct, 0)
        await until(lambda: _written(sure, 1))
        assert not writes.done()
        proxy.cut()
        proxy.release()
        assert await writes
        assert (owner.acknowledged, owner.row, owner.epoch) == ([], 1, 2)
        assert await owner.write()
        await check(sure, [owner])
        await database.close()
        await direct.close()


async def test_an_owner_on_a_silent_line_is_replaced_and_what_it_had_sent_is_fenced(postgres_schema: Schema) -> None:
    """Half open: what the old owner sends is held on the way, and arrives after the other took the shard."""
    async with behind(postgres_schema.url) as proxy:
        database = await Database.open(through(postgres_schema, proxy), size=1)
        direct = await Database.open(postgres_schema.url)
        old, new = Owner(PostgresStore(database, 0), "old"), Owner(PostgresStore(direct, 0), "new")
        await old.take()
        assert await old.write()
        proxy.hold("up")
        late = asyncio.create_task(old.write())
        await new.take()
        assert await new.write()
        before = await content(new.store)
        proxy.release()
        assert not await late, "it must learn that it has lost the shard"
        assert await content(new.store) == before
        await check(new.store, [old, new])
        await database.close()
        await direct.close()


@pytest.mark.parametrize("seed", range(3))
async def test_owners_on_bad_lines_take_shards_from_one_another_and_nothing_is_lost(
    seed: int, postgres_schema: Schema
) -> None:
    """Two processes with three shards each, that are the same; their lines are cut at random bytes."""
    dice, shards = Random(seed), 3
    async with behind(postgres_schema.url) as first, behind(postgres_schema.url) as second:
        proxies = [first, second]
        databases = [await Database.open(through(postgres_schema, proxy), size=2) for proxy in proxies]
        owners = [
            [Owner(PostgresStore(database, shard), f"{at}") for at, database in enumerate(databases)]
            for shard in range(shards)
        ]

        async def life(owner: Owner, proxy: Proxy) -> None:
            await owner.take()
            for _ in range(25):
                if dice.random() < 0.3:
                    proxy.cut_after(dice.choice(WAYS), dice.randrange(4_000))
                if not await owner.write():
                    await owner.take()

        lives = (life(owner, proxy) for both in owners for owner, proxy in zip(both, proxies, strict=True))
        await asyncio.gather(*lives)
        direct = await Database.open(postgres_schema.url)
        for shard, both in enumerate(owners):
            assert sum(len(owner.acknowledged) for owner in both) > 10
            await check(PostgresStore(direct, shard), both)
        for database in (*databases, direct):
            await database.close()


@pytest.mark.usefixtures("postgres_url")  # a run without servers has none of its own either
async def test_a_server_that_is_killed_in_the_middle_of_commits_loses_nothing_acknowledged() -> None:
    with server({"fsync": "on"}) as one:
        schema = made_schema(one.url, 4)
        database = await Database.open(schema.url, size=2)
        owners = [Owner(PostgresStore(database, shard), f"{shard}") for shard in range(4)]
        await asyncio.gather(*(owner.take() for owner in owners))

        async def load(owner: Owner, until: asyncio.Event) -> None:
            while not until.is_set():
                assert await owner.write()

        async def under_load(deed: Callable[[], Awaitable[None]]) -> None:
            until = asyncio.Event()
            loads = [asyncio.create_task(load(owner, until)) for owner in owners]
            await all_wrote(owners, 5)
            await deed()
            await all_wrote(owners, 5)
            until.set()
            await asyncio.gather(*loads)
            for owner in owners:
                await check(owner.store, [owner])

        async def backend() -> None:
            with psycopg.connect(one.url, autocommit=True) as admin:
                found = admin.execute("select pid from pg_stat_activity where application_name like 'aob%'").fetchall()
            os.kill(int(found[0][0]), signal.SIGKILL)

        async def whole_server() -> None:
            one.stop(signal.SIGKILL)
            await asyncio.to_thread(one.start)

        async def in_order() -> None:
            one.stop(signal.SIGINT)
            await asyncio.to_thread(one.start)

        for deed in (backend, whole_server, in_order):
            await under_load(deed)
        await database.close()
