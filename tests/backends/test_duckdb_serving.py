"""SQL on DuckDB: its process may die, hang or be closed at any point, and its files may be lost; the log has it all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.backends.duckdb_serving import DuckServing
from aob.backends.duckdb_serving import serving as module
from aob.backends.duckdb_serving.second_look import look_again
from aob.backends.duckdb_serving.tenant import TenantTables
from aob.backends.duckdb_serving.wire import Answer, Ask
from aob.backends.memory.event_log import MemoryEventLog
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError, Invalid, TooLarge, Unavailable
from aob.core.serving import Guarded, guard
from aob.ports.event_log import Row
from aob.testing.conformance.serving import SHOP, Shop, created
from tests.core.test_serving_statement import PIECES, VIEWS

COUNT = "select count(*) from events"
ENDLESS = "select count(*) from range(1000000) a, range(1000000) b, range(1000000) c"


class Log(MemoryEventLog):
    """A log that remembers after which rows it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_after: list[int] = []
        self.was_read = asyncio.Event()

    async def rows(self, after: int, limit: int = 100, tenant: str = "") -> list[Row]:
        self.read_after.append(after)
        self.was_read.set()
        return await super().rows(after, limit, tenant)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def shop(log: Log, tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(log)
    shop.serving = DuckServing(log, shop.contracts_of, tmp_path / "serving")
    yield shop
    await shop.serving.close()


def pid(shop: Shop) -> int:
    return int(shop.serving.figures()["pid"])


async def again(shop: Shop, log: Log, tmp_path: Path) -> None:
    await shop.serving.close()
    log.read_after.clear()
    shop.serving = DuckServing(log, shop.contracts_of, tmp_path / "serving")


async def test_nothing_runs_before_the_first_question_and_nothing_after_the_end(shop: Shop) -> None:
    assert shop.serving.figures()["state"] == "stopped"
    await shop.write("acme", created("o1"))
    await shop.ask(COUNT)
    process = pid(shop)
    assert shop.serving.figures()["state"] == "running"
    await shop.serving.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(Unavailable):
        await shop.ask(COUNT)


async def test_death_in_an_answer_costs_that_answer_and_no_more(shop: Shop) -> None:
    await shop.write("acme", created("o1"))
    await shop.ask(COUNT)
    asked = asyncio.ensure_future(shop.ask(ENDLESS))
    await asyncio.wait({asked}, timeout=0.1)
    os.kill(pid(shop), signal.SIGKILL)
    with pytest.raises(Unavailable) as told:
        await asked
    assert told.value.code == "serving_lost"
    assert await shop.rows(COUNT) == [[1]]
    assert shop.serving.figures()["starts"] == 2


async def test_a_process_that_hangs_is_killed_and_started_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.2)
    await shop.ask("select 1")
    os.kill(pid(shop), signal.SIGSTOP)
    with pytest.raises(TooLarge) as told:
        await shop.ask("select 2", time_max_ms=100)
    assert told.value.code == "query_too_slow"
    assert await shop.rows("select 1") == [[1]]


async def test_death_between_questions_is_nobodys_failure(shop: Shop) -> None:
    await shop.ask("select 1")
    process = shop.serving._process  # type: ignore[attr-defined]  # to see that its end was noticed
    os.kill(pid(shop), signal.SIGKILL)
    await process._reading
    await shop.write("acme", created("o1"))
    assert await shop.rows(COUNT) == [[1]]


async def test_after_a_restart_it_goes_on_where_it_was(shop: Shop, log: Log, tmp_path: Path) -> None:
    row = await shop.write("acme", created("o1"))
    await shop.ask(COUNT)
    await again(shop, log, tmp_path)
    await shop.write("acme", created("o2"))
    assert await shop.rows(COUNT) == [[2]]
    assert log.read_after[0] == row


async def test_files_that_are_broken_are_built_again(shop: Shop, log: Log, tmp_path: Path) -> None:
    await shop.write("acme", created("o1"))
    await shop.ask(COUNT)
    await again(shop, log, tmp_path)
    for path in (tmp_path / "serving").iterdir():
        path.write_bytes(b"no database at all")
    assert await shop.rows(COUNT) == [[1]]
    assert log.read_after[0] == 0


async def test_tables_of_another_log_are_thrown_away(shop: Shop, tmp_path: Path) -> None:
    for n in range(3):
        await shop.write("acme", created(f"old{n}"))
    await shop.ask(COUNT)
    await shop.serving.close()
    shop.log = Log()
    shop.serving = DuckServing(shop.log, shop.contracts_of, tmp_path / "serving")
    await shop.write("acme", created("new"))
    assert await shop.rows("select data->>'order_id' from events") == [["new"]]


async def test_poking_feeds_a_tenant_that_asks(shop: Shop, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POKE_S", 0.0)
    await shop.ask(COUNT)
    log.was_read.clear()
    row = await shop.write("acme", created("o1"))
    shop.serving.poke("acme")
    shop.serving.poke("acme")
    await log.was_read.wait()
    assert (await shop.ask(COUNT, row_min=row)).rows == [[1]]
    assert len(log.read_after) == 1


async def test_without_questions_the_process_ends_and_comes_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    await shop.write("acme", created("o1"))
    await shop.ask(COUNT)
    await shop.serving._process._reading  # type: ignore[attr-defined]  # to see that it has ended
    assert await shop.rows(COUNT) == [[1]]


async def test_more_tenants_than_may_be_open_take_turns(shop: Shop) -> None:
    tenants = [f"t{n}" for n in range(20)]
    for tenant in tenants:
        await shop.write(tenant, created(tenant))
    for tenant in (*tenants, *tenants):
        assert await shop.rows("select data->>'order_id' from events", tenant) == [[tenant]]
    assert shop.serving.figures()["starts"] == 1


OUTSIDE = [
    "select * from read_csv('FILE')",
    "from 'FILE'",
    "select * from read_text('FILE')",
    "select * from read_blob('FILE')",
    "select * from glob('/*')",
    "select * from 'http://127.0.0.1:9/x.csv'",
    "select getenv('HOME')",
]


@pytest.mark.parametrize("in_memory", [True, False])
def test_behind_the_guard_the_database_itself_reaches_nothing_outside(tmp_path: Path, in_memory: bool) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a\n1\n")
    tables = TenantTables(None if in_memory else tmp_path / "t.duckdb", 64)
    tables.declare(SHOP, ())
    for sql in OUTSIDE:
        with pytest.raises(AobError):
            tables.ask(1, Ask("acme", sql.replace("FILE", str(file)), b"[]", 10, 1_000, trusted=True))
    tables.close()


@pytest.mark.parametrize(
    "sql",
    [
        "attach 'FILE' as other", "copy (select 1) to 'FILE'", "export database 'FILE'", "install httpfs",
        "load httpfs", "set memory_limit = '9GB'", "set enable_external_access = true",
        "set lock_configuration = false", "set temp_directory = '/tmp'", "set threads = 9",
    ],
)  # fmt: skip
def test_behind_the_guard_no_setting_can_be_changed(tmp_path: Path, sql: str) -> None:
    import duckdb

    tables = TenantTables(None, 64)
    with pytest.raises(duckdb.Error):
        tables._db.execute(sql.replace("FILE", str(tmp_path / "out")))
    assert not list(tmp_path.iterdir())
    tables.close()


def test_behind_the_guard_a_question_changes_nothing() -> None:
    tables = TenantTables(None, 64)
    tables.declare(ContractSet(), ())
    for sql in ("delete from events returning *", "insert into events(id) values ('x') returning id"):
        with pytest.raises(AobError):
            tables.ask(1, Ask("acme", sql, b"[]", 10, 1_000, trusted=True))
    told = tables.ask(1, Ask("acme", COUNT, b"[]", 10, 1_000))
    assert isinstance(told, Answer)
    assert told.rows == b"[[0]]"
    tables.close()


@pytest.mark.parametrize(
    ("sql", "views"),
    [
        ("select * from main.events", frozenset()),
        ("select * from other.events", frozenset({"events"})),
        ("select * from db.main.events", frozenset({"events"})),
        ("select getenv('x')", frozenset()),
        ("select * from read_csv('x')", frozenset()),
        ("select 1; select 2", frozenset()),
    ],
)
def test_what_duckdb_reads_otherwise_than_the_guard_does_not_run(sql: str, views: frozenset[str]) -> None:
    import duckdb

    with duckdb.connect() as db, pytest.raises(Invalid):
        look_again(db, Guarded(sql, views))


@given(st.lists(PIECES, max_size=14))
def test_both_parsers_agree_on_every_statement_that_the_guard_lets_through(pieces: list[str]) -> None:
    import duckdb

    try:
        checked = guard("select " + " ".join(pieces), VIEWS)
    except Invalid:
        return
    with duckdb.connect() as db:
        refused = ""
        try:
            look_again(db, checked)
        except Invalid as error:
            refused = error.code
        assert refused in {"", "sql_wrong"}
