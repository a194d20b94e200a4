"""The journal on Postgres over a line that breaks at any byte, and beside a second owner: what a caller was told is
there, once, and a new owner finds the same."""

import asyncio
from collections import Counter
from random import Random

import pytest

from aob.backends.postgres.database import Database
from aob.backends.postgres.store import PostgresStore
from aob.core.errors import Unavailable
from aob.journal import journal
from aob.testing.proxy import WAYS, Proxy
from tests.backends.test_postgres_faults import behind, through
from tests.journal.tally import Add, End, Later, Shell
from tests.servers.fixtures import Schema


@pytest.mark.parametrize("seed", range(2))
async def test_what_a_caller_was_told_stands_once_however_the_line_breaks(
    seed: int, postgres_schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_S", 0.0)
    monkeypatch.setattr(journal, "CUT_ROWS", 7)
    dice, told, unknown = Random(seed), Counter[str](), Counter[str]()

    async def people(shell: Shell, proxy: Proxy) -> None:
        for step in range(60):
            if dice.random() < 0.25:
                proxy.cut_after(dice.choice(WAYS), dice.randrange(3_000))
            names = [f"t_{dice.randrange(5)}" for _ in range(dice.randrange(1, 6))]
            try:
                asks = [(name, shell.journal.ask(name, Add())) for name in names]
            except Unavailable:
                assert await shell.journal.mended()
                continue
            answers = await asyncio.gather(*(ask for _, ask in asks), return_exceptions=True)
            for name, answer in zip(names, answers, strict=True):
                assert not isinstance(answer, BaseException) or isinstance(answer, Unavailable)
                (unknown if isinstance(answer, Unavailable) else told)[name] += 1
            if step % 20 == 19:
                shell.journal.tell(f"t_{step}", Later("x", shell.now_ms() - 1))

    async with behind(postgres_schema.url) as proxy:
        database = await Database.open(through(postgres_schema, proxy), size=2)
        first = Shell(PostgresStore(database, 0))
        async with first.journal:
            await people(first, proxy)
            proxy.release()
            cuts = proxy.cuts
        await database.close()
    assert cuts > 3
    assert told.total() > 30
    direct = await Database.open(postgres_schema.url)
    second = Shell(PostgresStore(direct, 0))
    async with second.journal as j:
        for name in told | unknown:
            stream = await j.ask(name, Add())
            assert stream is not None
            assert told[name] + 1 <= second.count(name) <= told[name] + unknown[name] + 1
        await asyncio.gather(*(j.ask(name, End()) for name in told))
    rows = await second.journal.store.journal(0, 1_000_000)
    assert [row.row for row in rows] == list(range(1, len(rows) + 1))
    await direct.close()


async def test_an_owner_whose_shard_was_taken_tells_nobody_anything_more(postgres_schema: Schema) -> None:
    one, two = [await Database.open(postgres_schema.url) for _ in range(2)]
    old, new = Shell(PostgresStore(one, 3)), Shell(PostgresStore(two, 3))
    async with old.journal as before:
        await asyncio.gather(*(before.ask(f"t_{n}", Add()) for n in range(20)))
        async with new.journal as after:
            asks = [before.ask(f"t_{n}", Add()) for n in range(20)]
            answers = await asyncio.gather(*asks, return_exceptions=True)
            assert all(isinstance(answer, Unavailable) for answer in answers)
            assert before.broken is not None
            assert before.broken.code == "stale_epoch"
            await asyncio.gather(*(after.ask(f"t_{n}", Add()) for n in range(20)))
            assert [new.count(f"t_{n}") for n in range(20)] == [2] * 20
    for database in (one, two):
        await database.close()
