"""Tests for every `EventLog`. The memory backend is the reference for the others."""

import pytest

from aob.core.errors import Unavailable
from aob.core.event import Positions
from aob.ports.event_log import LOG_TAKEN, ROWS_BYTES_MAX, EventLog, Row, advanced, rows_between

T0_MS = 1_790_000_000_000


def group(
    tenant: str = "acme", count: int = 2, at_ms: int = T0_MS, duplicate: int = 0, rejected: int = 0, partition: int = 0
) -> Row:
    """A row of events without content."""
    lines = b"\n".join(b'{"id":"%d","data":{}}' % n for n in range(count))
    return Row(0, tenant, at_ms, 0, count, duplicate, rejected, lines, b"notes-%d" % count, partition)


async def places(log: EventLog, *rows: Row) -> list[tuple[int, int]]:
    """Append; returns each row's number and the offset of its first event."""
    await log.append(rows)
    return [(row.row, row.first) for row in rows]


class EventLogSuite:
    """The contract of `aob.ports.event_log`."""

    async def make(self) -> EventLog:
        """A new, empty log."""
        raise NotImplementedError

    async def reopen(self, log: EventLog) -> EventLog:
        """The same log after its process has ended; a log in memory only returns itself."""
        return log

    async def beside(self, log: EventLog) -> EventLog | None:
        """The same log as another process has it; None if only one can open it."""
        return None

    @pytest.fixture
    async def log(self) -> EventLog:
        return await self.make()

    async def test_it_begins_empty(self, log: EventLog) -> None:
        assert await log.rows(0) == []
        assert await log.end() == (0, 0)
        assert await log.totals("acme") == (0, 0, 0)
        assert await log.row_at("acme", 0) == 0
        assert await log.row_before(T0_MS) == 0

    async def test_rows_are_dense_over_all_tenants_and_offsets_over_each(self, log: EventLog) -> None:
        assert await places(log, group(count=2), group("umbra", 3)) == [(1, 0), (2, 0)]
        assert await places(log, group(count=1)) == [(3, 2)]
        log = await self.reopen(log)
        assert await places(log, group("umbra", 1), group(count=4)) == [(4, 3), (5, 3)]
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
        last = group(at_ms=T0_MS + 3)
        await log.append([last])
        assert [row.at_ms for row in [*await log.rows(0), last]] == [T0_MS + 10] * 4

    async def test_what_came_is_what_was_accepted_repeated_and_refused(self, log: EventLog) -> None:
        await log.append([group(count=2, duplicate=1, rejected=3), group("umbra", 5)])
        await log.append([group(count=0, duplicate=7)])
        log = await self.reopen(log)
        assert await log.totals("acme") == (2, 8, 3)
        assert await log.totals("umbra") == (5, 0, 0)

    async def test_a_read_ends_after_so_many_bytes_and_goes_on_from_there(self, log: EventLog) -> None:
        large = b'{"id":"%b"}' % (b"x" * (ROWS_BYTES_MAX // 3))
        for _ in range(6):
            await log.append([Row(0, "acme", T0_MS, 0, 1, 0, 0, large, b"")])
        read, asked = list[int](), 0
        while rows := await log.rows(read[-1] if read else 0, tenant="acme" if asked % 2 else ""):
            read += [row.row for row in rows]
            assert all(row.lines == large for row in rows)
            assert len(rows) < 6
            asked += 1
        assert read == [1, 2, 3, 4, 5, 6]

    async def test_one_log_is_taken_and_taken_again(self, log: EventLog) -> None:
        await log.take()
        await log.append([group(count=2)])
        await log.take()
        assert await places(log, group(count=2)) == [(2, 2)]
        log = await self.reopen(log)
        await log.take()
        assert await places(log, group(count=2)) == [(3, 4)]

    async def test_an_older_owner_that_wakes_writes_nothing(self, log: EventLog) -> None:
        await log.take()
        await log.append([group(count=2)])
        after = await self.beside(log)
        if after is None:
            pytest.skip("only one process can open this log")
        assert await after.end() == (1, T0_MS), "reading takes nothing"
        await log.append([group(count=1)])
        await after.take()
        for work in (log.append([group(count=7)]), log.append([group(count=7)]), log.take()):
            with pytest.raises(Unavailable) as refused:
                await work
            assert refused.value.code == LOG_TAKEN
        assert await places(after, group(count=3)) == [(3, 3)]
        assert await log.totals("acme") == await after.totals("acme") == (6, 0, 0), "whoever lost it reads on"

    async def test_who_appends_first_takes_a_log_that_nobody_took(self, log: EventLog) -> None:
        after = await self.beside(log)
        if after is None:
            pytest.skip("only one process can open this log")
        await log.append([group(count=2)])
        assert await places(after, group(count=1)) == [(2, 2)]
        with pytest.raises(Unavailable):
            await log.append([group()])

    async def test_it_has_one_partition_when_nothing_else_is_said(self, log: EventLog) -> None:
        assert log.partitions == 1

    async def test_closing_twice_is_fine(self, log: EventLog) -> None:
        await log.append([group()])
        await log.close()
        await log.close()


PARTITIONS = 3


class PartitionedEventLogSuite:
    """The contract of `aob.ports.event_log` for a log of several partitions."""

    async def make(self, partitions: int) -> EventLog:
        """A new, empty log."""
        raise NotImplementedError

    async def reopen(self, log: EventLog) -> EventLog:
        """The same log after its process has ended."""
        return log

    @pytest.fixture
    async def log(self) -> EventLog:
        return await self.make(PARTITIONS)

    async def test_rows_and_offsets_are_dense_in_each_partition(self, log: EventLog) -> None:
        assert log.partitions == PARTITIONS
        rows = group(count=2), group(count=3, partition=2), group("umbra", 1, partition=2)
        assert await places(log, *rows) == [(1, 0), (1, 0), (2, 0)]
        log = await self.reopen(log)
        assert await places(log, group(count=1, partition=2), group(count=4)) == [(3, 3), (2, 2)]
        assert [await log.end(partition) for partition in range(PARTITIONS)] == [(2, T0_MS), (0, 0), (3, T0_MS)]
        assert await log.last_rows() == (2, 0, 3)
        assert [row.first for row in await log.rows(0, tenant="acme", partition=2)] == [0, 3]
        assert [await log.row_at("acme", offset, 2) for offset in range(5)] == [1, 1, 1, 3, 0]
        assert await log.row_at("acme", 0, 1) == 0
        await log.close()

    async def test_several_partitions_are_read_at_once(self, log: EventLog) -> None:
        assert (await log.last_rows(), await log.rows_of_each({0: 0, 2: 0}, 5)) == ((0, 0, 0), [])
        await log.append([group(count=1 + turn, partition=part) for turn in range(4) for part in (0, 2)])
        await log.append([group("umbra", partition=2)])
        assert await log.last_rows() == (4, 0, 5)

        async def found(after: dict[int, int], limit: int, tenant: str = "") -> list[tuple[int, int]]:
            return sorted((row.partition, row.row) for row in await log.rows_of_each(after, limit, tenant))

        assert await found({0: 1, 1: 0, 2: 3}, 2) == [(0, 2), (0, 3), (2, 4), (2, 5)]
        assert await found({0: 3, 2: 3}, 9, "umbra") == [(2, 5)]
        assert await found({}, 9) == await found({0: 4, 1: 7, 2: 5}, 9) == await found({0: 0}, 0) == []
        await log.close()

    async def test_a_read_of_several_partitions_leaves_none_out(self, log: EventLog) -> None:
        large = b'{"id":"%b"}' % (b"x" * (ROWS_BYTES_MAX * 2 // 3))
        await log.append([Row(0, "acme", T0_MS, 0, 1, 0, 0, large, b"", part) for part in (0, 0, 1, 2)])
        found = await log.rows_of_each({0: 0, 1: 0, 2: 0}, 1)
        assert [(row.partition, row.row) for row in found] == [(0, 1), (1, 1), (2, 1)]
        await log.close()

    async def test_times_go_on_in_each_partition_alone(self, log: EventLog) -> None:
        await log.append([group(at_ms=T0_MS + 10, partition=1)])
        await log.append([group(at_ms=T0_MS, partition=1), group(at_ms=T0_MS, partition=2)])
        assert [row.at_ms for row in await log.rows(0, partition=1)] == [T0_MS + 10] * 2
        assert [row.at_ms for row in await log.rows(0, partition=2)] == [T0_MS]
        assert [await log.row_before(T0_MS, partition) for partition in range(PARTITIONS)] == [0, 0, 1]
        await log.close()

    async def test_counts_are_those_of_all_partitions(self, log: EventLog) -> None:
        await log.append([group(count=2, duplicate=1), group(count=3, rejected=2, partition=1)])
        log = await self.reopen(log)
        await log.append([group(count=1, duplicate=4, partition=2)])
        assert await log.totals("acme") == (6, 5, 2)
        assert [await log.totals("acme", part) for part in range(PARTITIONS)] == [(2, 1, 0), (3, 0, 2), (1, 4, 0)]
        await log.close()

    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_a_reader_goes_on_from_its_vector_and_misses_nothing(self, log: EventLog, limit: int) -> None:
        written, read, at = dict[int, list[bytes]](), dict[int, list[bytes]](), (0,) * PARTITIONS
        for turn in range(6):
            groups = [group(count=1 + (turn + part) % 3, partition=part) for part in range(turn % 3, PARTITIONS)]
            await log.append(groups)
            for each in groups:
                written.setdefault(each.partition, []).append(each.lines)
            if turn % 2:  # it sometimes lags
                at = await self.told(log, at, limit, read)
        log = await self.reopen(log)
        at = await self.told(log, at, limit, read)
        assert (read, at) == (written, await log.last_rows())
        await log.close()

    @staticmethod
    async def told(log: EventLog, at: tuple[int, ...], limit: int, read: dict[int, list[bytes]]) -> tuple[int, ...]:
        before_ms = 0
        async for row in rows_between(log, at, await log.last_rows(), limit=limit):
            assert row.at_ms >= before_ms
            before_ms = row.at_ms
            read.setdefault(row.partition, []).append(row.lines)
            at = advanced(at, row)
        return at

    async def test_a_reader_of_a_tenant_stops_at_its_vector(self, log: EventLog) -> None:
        for turn in range(4):
            await log.append([group(at_ms=T0_MS + turn, partition=part) for part in (turn % 2, 2)])
            await log.append([group("umbra", at_ms=T0_MS + turn, partition=1)])
        found = [row async for row in rows_between(log, (1, 0, 1), (2, 3, 3), "acme", 2)]
        places = [(row.partition, row.row, row.at_ms - T0_MS) for row in found]
        assert places == [(1, 2, 1), (2, 2, 1), (0, 2, 2), (2, 3, 2)]
        assert await log.rows_before(T0_MS + 1) == (1, 3, 2)
        await log.close()

    async def test_no_two_events_of_a_tenant_have_one_number(self, log: EventLog) -> None:
        for part in range(PARTITIONS):
            await log.append([group(count=2, partition=part), group(count=3, partition=part)])
        numbers = [
            row.number + n
            async for row in rows_between(log, (0,) * PARTITIONS, await log.last_rows()) for n in range(row.count)
        ]  # fmt: skip
        assert len(set(numbers)) == len(numbers) == 5 * PARTITIONS
        assert numbers[: 2 + 3] == [0, 1, 2, 3, 4], "of the first partition they are the offsets"
        await log.close()

    async def test_a_position_names_only_the_partitions_that_were_written(self, log: EventLog) -> None:
        positions = Positions(Positions.EVENTS, 1, log.partitions)
        await log.append([group(partition=1)])
        rows = group(partition=1), group(partition=2)
        await log.append(rows)
        token = positions.written({row.partition: row.row for row in rows})
        assert positions.rows(token) == (0, 2, 1)
        assert await log.last_rows() == positions.rows(token)
        await log.close()
