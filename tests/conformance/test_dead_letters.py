"""Every backend of the port `DeadLetters` does what the port says, alone and in the commit of its log."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from aob.backends.memory.event_log import MemoryDeadLetters, MemoryEventLog
from aob.backends.postgres.event_log import PostgresEventLog
from aob.backends.sqlite.event_log import SqliteEventLog
from aob.core.errors import Unavailable
from aob.ports.dead_letters import DeadLetters, DeadQuery, Letters, LogWithLetters
from aob.testing.conformance.dead_letters import DeadLettersSuite, LogWithLettersSuite, letter, refused
from aob.testing.conformance.event_log import T0_MS, group
from tests.servers.on_postgres import OnPostgres


class TestMemory(DeadLettersSuite):
    async def make(self) -> DeadLetters:
        return MemoryDeadLetters()


class TestMemoryWithItsLog(LogWithLettersSuite):
    async def make(self) -> LogWithLetters:
        return MemoryEventLog()


class _Folder:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "gate.db"


class TestSqlite(_Folder, DeadLettersSuite):
    async def make(self) -> DeadLetters:
        return SqliteEventLog(self.path).letters

    async def reopen(self, dead: DeadLetters) -> DeadLetters:
        await dead.close()
        return SqliteEventLog(self.path).letters


class TestSqliteWithItsLog(_Folder, LogWithLettersSuite):
    async def make(self) -> LogWithLetters:
        return SqliteEventLog(self.path)

    async def reopen(self, log: LogWithLetters) -> LogWithLetters:
        await log.close()
        return SqliteEventLog(self.path)

    async def test_a_commit_that_fails_leaves_neither_events_nor_letters(self) -> None:
        log = await self.make()
        await log.commit([group(count=2)], [refused(letter())])
        broken = msgspec.structs.replace(letter(), type=None)  # what the table refuses
        with pytest.raises(Unavailable):
            await log.commit([group(count=5)], [refused(letter(), broken)])
        assert (await log.totals("acme"), await log.end()) == ((2, 0, 0), (1, T0_MS))
        assert len(await log.letters.page(DeadQuery("acme"))) == 1
        row = group(count=1)
        assert await log.commit([row], [refused(letter())]) == [(2,)]
        assert (row.row, row.first) == (2, 2)
        await log.close()


class TestPostgres(OnPostgres, DeadLettersSuite):
    async def make(self) -> DeadLetters:
        return PostgresEventLog(self.db).letters

    async def test_two_writers_number_densely_and_never_block_each_other(self) -> None:
        tenants = ("acme", "umbra", "zeta")

        async def written(turn: int) -> None:
            one = await self.make()
            for n in range(10):
                order = tenants if (turn + n) % 2 else tenants[::-1]
                await one.write([refused(letter(id=f"{turn}-{n}"), letter(), tenant=tenant) for tenant in order])

        await asyncio.gather(*map(written, range(4)))
        dead = await self.make()
        for tenant in tenants:
            numbers = [each.number for each in await dead.page(DeadQuery(tenant, limit=1_000))]
            assert numbers == list(range(80, 0, -1))


class TestPostgresWithItsLog(OnPostgres, LogWithLettersSuite):
    async def make(self) -> LogWithLetters:
        return PostgresEventLog(self.db)

    async def reopen(self, log: LogWithLetters) -> LogWithLetters:
        await log.close()
        return PostgresEventLog(self.db)

    async def test_a_commit_that_fails_leaves_neither_events_nor_letters(self) -> None:
        log = await self.make()
        await log.commit([group(count=2)], [refused(letter())])
        broken = Letters("acme", (), [(1, None, "")])  # type: ignore[list-item]  # what the table refuses
        with pytest.raises(Unavailable):
            await log.commit([group(count=5)], [refused(letter()), broken])
        assert (await log.totals("acme"), await log.end()) == ((2, 0, 0), (1, T0_MS))
        assert len(await log.letters.page(DeadQuery("acme"))) == 1
        row = group(count=1)
        assert await log.commit([row], [refused(letter())]) == [(2,)]
        assert (row.row, row.first) == (2, 2)

    async def test_the_last_of_several_changes_of_a_letter_counts(self) -> None:
        log = await self.make()
        changes = [(1, "replayed", "first"), (1, "discarded", "second"), (1, "open", "third")]
        assert await log.commit([], [Letters("acme", [letter()], changes)]) == [(1,)]
        found = await log.letters.letter("acme", 1)
        assert found is not None
        assert (found.state, found.note) == ("open", "third")
