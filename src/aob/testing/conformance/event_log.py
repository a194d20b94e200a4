"""What every `EventLog` must do, as tests. The memory backend passes first and is the oracle of the others."""

import pytest

from aob.ports.event_log import EventLog, Group, Place

T0_MS = 1_790_000_000_000


def group(tenant: str = "acme", count: int = 2, at_ms: int = T0_MS, **more: object) -> Group:
    """A group of events that say nothing."""
    lines = b"\n".join(b'{"id":"%d","data":{}}' % n for n in range(count))
    return Group(tenant, at_ms, lines, b"notes-%d" % count, count, **more)  # type: ignore[arg-type]  # a test's own


class EventLogSuite:
    """The contract of `aob.ports.event_log`."""

    async def make(self) -> EventLog:
        """A new, empty log."""
        raise NotImplementedError

    async def reopen(self, log: EventLog) -> EventLog:
        """The same log after its process has ended; one that lives in memory only gives itself."""
        return log

    @pytest.fixture
    async def log(self) -> EventLog:
        """The log under test."""
        return await self.make()

    async def test_it_begins_empty(self, log: EventLog) -> None:
        assert await log.rows(0) == []
        assert await log.end() == (0, 0)
        assert await log.totals("acme") == (0, 0, 0)
        assert await log.row_at("acme", 0) == 0
        assert await log.row_before(T0_MS) == 0

    async def test_rows_are_dense_over_all_tenants_and_offsets_over_each(self, log: EventLog) -> None:
        assert await log.append([group(count=2), group("umbra", 3)]) == [Place(1, 0), Place(2, 0)]
        assert await log.append([group(count=1)]) == [Place(3, 2)]
        log = await self.reopen(log)
        assert await log.append([group("umbra", 1), group(count=4)]) == [Place(4, 3), Place(5, 3)]
        assert await log.end() == (5, T0_MS)

    async def test_rows_come_back_as_they_were_written(self, log: EventLog) -> None:
        await log.append([group(count=2, duplicate=3, rejected=4), group("umbra", 1)])
        log = await self.reopen(log)
        first, second = await log.rows(0)
        assert (first.row, first.tenant, first.first, first.count) == (1, "acme", 0, 2)
        assert (first.duplicate, first.rejected, first.notes) == (3, 4, b"notes-2")
        assert first.lines == group(count=2).lines
        assert second.tenant == "umbra"

    async def test_rows_are_read_after_a_row_so_many_and_of_one_tenant(self, log: EventLog) -> None:
        for tenant in ("acme", "umbra", "acme", "acme"):
            await log.append([group(tenant, 1)])
        assert [row.row for row in await log.rows(1)] == [2, 3, 4]
        assert [row.row for row in await log.rows(0, 2)] == [1, 2]
        assert [row.row for row in await log.rows(0, 2, "acme")] == [1, 3]
        assert await log.rows(4) == []

    async def test_a_row_is_found_by_an_offset_and_by_an_instant(self, log: EventLog) -> None:
        await log.append([group(count=2, at_ms=T0_MS)])
        await log.append([group(count=0, at_ms=T0_MS + 5)])
        await log.append([group(count=2, at_ms=T0_MS + 10)])
        assert [await log.row_at("acme", offset) for offset in range(5)] == [1, 1, 3, 3, 0]
        assert await log.row_at("umbra", 0) == 0
        assert [await log.row_before(T0_MS + ms) for ms in (-1, 0, 4, 5, 10, 99)] == [0, 1, 1, 2, 3, 3]

    async def test_times_of_rows_never_go_back(self, log: EventLog) -> None:
        await log.append([group(at_ms=T0_MS + 10)])
        await log.append([group(at_ms=T0_MS)])
        log = await self.reopen(log)
        await log.append([group(at_ms=T0_MS + 3)])
        assert [row.at_ms for row in await log.rows(0)] == [T0_MS + 10] * 3

    async def test_what_came_is_what_was_accepted_repeated_and_refused(self, log: EventLog) -> None:
        await log.append([group(count=2, duplicate=1, rejected=3), group("umbra", 5)])
        await log.append([group(count=0, duplicate=7)])
        log = await self.reopen(log)
        assert await log.totals("acme") == (2, 8, 3)
        assert await log.totals("umbra") == (5, 0, 0)

    async def test_closing_twice_is_fine(self, log: EventLog) -> None:
        await log.append([group()])
        await log.close()
        await log.close()
