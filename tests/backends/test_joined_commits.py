"""Which commits of a process travel together, and in which order: without a server."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from aob.backends.postgres import commits as module
from aob.backends.postgres.commits import Commits
from aob.core.errors import Unavailable
from aob.testing.conformance.store import batch, head


class NoDatabase:
    """A database whose statements are never sent: what would be is noted."""

    def __init__(self) -> None:
        self.sent = list[list[tuple[int, int]]]()
        self.errors = list[Unavailable]()

    def statements(self, name: str) -> dict[str, str]:
        return {"commit": ""}

    def connection(self, **how: Any) -> Any:
        return Connection(self)


class Connection:
    """Takes one statement, and answers that all of its batches are written."""

    def __init__(self, database: NoDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing is open."""

    async def execute(self, statement: Any, given: Any, **how: Any) -> Any:
        numbers = [int(text) for text in given[0].strip("{}").split(",")]
        told = [(numbers[at], numbers[at + 2]) for at in range(0, len(numbers), 11)]
        self._database.sent.append(told)
        await asyncio.sleep(0)
        if self._database.errors:
            raise self._database.errors.pop(0)

        async def fetchone() -> Any:
            return ([-1] * len(told),)

        return SimpleNamespace(fetchone=fetchone)


@pytest.fixture
def database() -> NoDatabase:
    return NoDatabase()


async def committed(database: NoDatabase, *wanted: tuple[int, int], size: int = 0) -> list[Any]:
    """The answers of commits that are asked for at once, by shard and row."""
    joined: Any = Commits(database)  # type: ignore[arg-type]
    made = (batch(1, row, data=b"[]" + b" " * size, heads=[head("run_1")]) for _, row in wanted)
    works = [joined.commit(shard, each) for (shard, _), each in zip(wanted, made, strict=True)]
    return await asyncio.gather(*works, return_exceptions=True)


async def test_several_are_written_in_the_order_of_their_shards_so_that_no_two_processes_wait_for_each_other(
    database: NoDatabase,
) -> None:
    assert await committed(database, (7, 1), (2, 1), (9, 1), (0, 1), (2, 2)) == [-1] * 5
    assert database.sent == [[(0, 1), (2, 1), (7, 1), (9, 1)], [(2, 2)]], "one of each shard, the next ones after it"


async def test_further_ones_wait_when_those_of_one_statement_have_so_many_bytes(
    database: NoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 1_000)
    assert await committed(database, (3, 1), (1, 1), (2, 1), size=600) == [-1] * 3
    assert database.sent == [[(3, 1)], [(1, 1)], [(2, 1)]]
    database.sent.clear()
    assert await committed(database, (3, 1), (1, 1), size=5_000) == [-1] * 2
    assert database.sent == [[(3, 1)], [(1, 1)]], "a larger one goes alone"


async def test_when_the_outcome_is_not_known_nothing_is_sent_again(database: NoDatabase) -> None:
    lost = Unavailable("the connection ended", code="store_away", unknown=True)
    database.errors = [lost]
    told = await committed(database, (1, 1), (2, 1))
    assert [each.fields.get("unknown") for each in told] == [True, True]
    assert database.sent == [[(1, 1), (2, 1)]]


async def test_what_the_server_refuses_among_others_is_tried_alone(database: NoDatabase) -> None:
    database.errors = [Unavailable("a number is too large", code="store_failed")]
    assert await committed(database, (1, 1), (2, 1)) == [-1] * 2
    assert sorted(database.sent) == [[(1, 1)], [(1, 1), (2, 1)], [(2, 1)]]


async def test_the_codes_of_the_server_itself_are_those_of_all(database: NoDatabase) -> None:
    database.errors = [Unavailable("it is away", code="store_away")]
    assert [each.code for each in await committed(database, (1, 1), (2, 1))] == ["store_away"] * 2
    assert len(database.sent) == 1
