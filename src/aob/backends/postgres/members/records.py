"""Port `Records` on Postgres. Times are the server's; writes are ordered by one lock."""

from typing import Any

from aob.backends.postgres.database import Database
from aob.ports.cluster import PAST_MAX, Record, check_record, version_differs


class PostgresRecords:
    """The records of the cluster of a schema. Closing does not close the database, which others use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.statements("records.sql")

    async def changed(self) -> int:
        row = await self._database.row(self._sql["changed"])
        return int(row[0]) if row else 0

    async def read(self, name: str) -> Record | None:
        row = await self._database.row(self._sql["read"], (name,))
        return _record(row) if row else None

    async def every(self, start: str) -> list[Record]:
        return [_record(row) for row in await self._database.rows(self._sql["every"], (start,))]

    async def write(self, name: str, data: bytes, after: int, by: str, past: int = PAST_MAX) -> Record:
        check_record(name, data, past)
        row = await self._database.row(self._sql["write"], (name, data, after, by, past))
        assert row is not None, "the function answers with one row"
        version, at_ms = row
        if at_ms is None:
            raise version_differs(name, after, version)
        return Record(name, version, data, by, int(at_ms))

    async def past(self, name: str) -> list[Record]:
        return [_record(row) for row in await self._database.rows(self._sql["past"], (name,))]

    async def close(self) -> None:
        """Does nothing: the database belongs to the process."""


def _record(row: tuple[Any, ...]) -> Record:
    name, version, data, by, at_ms = row
    return Record(name, version, bytes(data), by, int(at_ms))
