"""The gate, the folds and SQL over the event log of a Postgres database: what is told is what one file tells; after a
crash the next home goes on, and the one before it writes nothing more."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.backends.postgres.event_log import PostgresEventLog
from aob.compose import App
from aob.compose.storage import files
from aob.core.errors import Unavailable
from aob.fanout.webhooks import inbox
from aob.ports.event_log import LOG_TAKEN
from tests.metrics.test_live_restart import some
from tests.metrics.test_partitions import events, first_day, opened, second_day
from tests.metrics.till import SHOP, counts, filled, numbers, sold
from tests.servers.on_postgres import OnPostgres
from tests.work.peers import peer

PARTITIONS = 64

RECOUNT = """
select count(*) filter (where type = 'sold') as sales, count(distinct source || ' ' || id) as ids, count(*) as events,
       coalesce(sum(case type when 'sold' then 1 else -1 end * (data ->> 'amount')::numeric), 0)::float as revenue,
       count(distinct data ->> 'customer') filter (where type = 'sold') as buyers
from {}.events where tenant = 'default'
"""


class TestHome(OnPostgres):
    @asynccontextmanager
    async def home(self, folder: Path) -> AsyncIterator[App]:
        """A home whose event log is the database's."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "SqliteEventLog", lambda path, mark: PostgresEventLog(self.db, partitions=PARTITIONS))
            patch.setattr(inbox, "QUEUE_MAX", 8)  # hooks fall behind, and read on from the log
            async with aob.open(folder) as app:
                yield app

    async def recount(self) -> dict[str, Any]:
        """The numbers that SQL makes of the view of events."""
        async with self.db.connection() as reader:
            found = await (await reader.execute(RECOUNT.format(self.schema.name).encode())).fetchone()
        assert found is not None
        sales, ids, count, revenue, buyers = found
        assert ids == count, "an event lies in the log twice"
        return {"sales": sales, "revenue": revenue, "buyers": buyers, "mean": revenue / sales if sales else None}

    @pytest.mark.timeout(120)
    async def test_all_that_is_told_of_events_is_what_one_partition_in_memory_tells(self, tmp_path: Path) -> None:
        found = list[dict[str, Any]]()
        for kind in ("memory", "postgres"):
            folder = tmp_path / kind
            async with peer() as ops:
                folder.mkdir()
                (folder / "aob.toml").write_text(f'[egress]\nprivate = ["127.0.0.1:{ops.port}"]\n')
                if kind == "memory":
                    async with opened(folder, kind, 1) as app:
                        found.append(await second_day(app, ops, await first_day(app, ops)))
                    continue
                async with self.home(folder) as app:
                    told = await first_day(app, ops)
                    assert sum(map(bool, app.metrics.live.ends)) > 10, "many partitions have rows"
                async with self.home(folder) as app:
                    found.append(await second_day(app, ops, told))
        one, many = found
        assert {name: (one[name], many[name]) for name in one if one[name] != many[name]} == {}

    @pytest.mark.parametrize("snapshot", [True, False])
    async def test_after_a_crash_the_next_home_has_all_and_the_one_before_writes_nothing(
        self, tmp_path: Path, snapshot: bool
    ) -> None:
        async with self.home(tmp_path / "home") as app:
            await app.push_contracts({"shop.yaml": SHOP})
            for seed in range(3):
                sent = [{**each, "subject": each["data"]["order_id"]} for each in some(seed)]
                position = (await app.ingest(sent))["position"]
            if snapshot:
                await app.metrics.live.keeping.save()
            await app.ingest([{**sold(2_000), "subject": "o-2000"}])
            before = {**await numbers(app), **counts(app)}
            assert await numbers(app) == await self.recount()
            copy = tmp_path / "copy"
            shutil.copytree(app.home, copy, ignore=shutil.ignore_patterns("*-shm", "aob.lock", "home.lock"))
            async with self.home(copy) as again:
                assert {**await numbers(again), **counts(again)} == before
                assert (await again.metric("sales", window="all", min_position=position))["value"] == before["sales"]
                assert (await again.ingest(sent))["accepted"] == 0, "what has come is remembered"
                assert (await again.ingest([sold(3_000)]))["accepted"] == 1
                with pytest.raises(Unavailable) as refused:
                    await app.ingest([sold(4_000)])
                assert refused.value.code == LOG_TAKEN
                assert await numbers(again) == await self.recount()
                assert (await numbers(again))["sales"] == before["sales"] + 1

    async def test_a_home_without_pages_counts_the_log_anew_and_comes_to_the_same(self, tmp_path: Path) -> None:
        async with self.home(tmp_path / "home") as app:
            await app.push_contracts({"shop.yaml": SHOP})
            for seed in range(4):
                await app.ingest(events(seed))
            before = {**await numbers(app), **counts(app)}
        for name in ("metrics.db", "metrics.db-wal"):
            (tmp_path / "home" / name).unlink(missing_ok=True)
        async with self.home(tmp_path / "home") as again:
            await filled(again)
            assert {**await numbers(again), **counts(again)} == before
            assert await numbers(again) == await self.recount()
            rows = await again.metrics.query(again.who, {"sql": "select count(*) from events"})
            assert rows["rows"] == [[before["accepted"]]]
