"""SQL on DuckDB: its process may die, hang or be closed at any point, and its files may be lost; the log has it all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, msgpack
from msgspec.json import decode, encode

from aob.backends.duckdb_serving import DuckServing
from aob.backends.duckdb_serving import process as processes_module
from aob.backends.duckdb_serving import serving as module
from aob.backends.duckdb_serving.child import Child
from aob.backends.duckdb_serving.decoding import Line
from aob.backends.duckdb_serving.parser_crosscheck import cross_check
from aob.backends.duckdb_serving.process import DuckProcess
from aob.backends.duckdb_serving.tenant import TenantTables
from aob.backends.duckdb_serving.wire import HEAD, Answer, Ask, Begin, Declare, Declared, Said, Sent
from aob.backends.memory.event_log import MemoryEventLog
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError, Invalid, TooLarge, Unavailable
from aob.core.serving import Guarded, guard
from aob.ports.event_log import Row
from aob.testing.conformance.serving import SHOP, WIDER, Shop, created
from tests.core.test_serving_statement import PIECES, VIEWS

COUNT = "select count(*) from events"
ENDLESS = "select count(*) from range(1000000) a, range(1000000) b, range(1000000) c"


class Log(MemoryEventLog):
    """A log that remembers after which rows it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_after: list[int] = []
        self.was_read = asyncio.Event()

    async def rows(self, after: int, limit: int = 100, tenant: str = "", partition: int = 0) -> list[Row]:
        self.read_after.append(after)
        self.was_read.set()
        return await super().rows(after, limit, tenant, partition)


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
    return int(shop.serving.figures()["pids"][-1])


def processes(shop: Shop) -> list[DuckProcess]:
    return list(shop.serving._processes._live.values())  # type: ignore[attr-defined]  # what nobody else may touch


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
    process = processes(shop)[-1]
    os.kill(pid(shop), signal.SIGKILL)
    await process._reading  # to see that its end was noticed
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
    assert (await shop.ask(COUNT, rows_min=(row,))).rows == [[1]]
    assert len(log.read_after) == 1


async def test_without_questions_the_process_ends_and_comes_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    await shop.write("acme", created("o1"))
    await shop.ask(COUNT)
    await processes(shop)[-1]._reading  # to see that it has ended
    assert await shop.rows(COUNT) == [[1]]


async def test_more_tenants_than_may_have_a_process_take_turns(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_module, "PROCESSES_MAX", 2)
    tenants = ["a", "b", "c"]
    for tenant in tenants:
        await shop.write(tenant, created(tenant))
    for tenant in (*tenants, "c", "a"):
        assert await shop.rows("select data->>'order_id' from events", tenant) == [[tenant]]
        assert len(shop.serving.figures()["pids"]) <= 2
    assert shop.serving.figures()["starts"] == 4


async def test_what_one_tenant_does_to_its_process_no_other_meets(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.2)
    await shop.ask("select 1", "good")
    await shop.ask("select 1", "bad")
    os.kill(pid(shop), signal.SIGSTOP)
    stuck = asyncio.ensure_future(shop.ask("select 2", "bad", time_max_ms=100))
    assert await shop.rows("select 1", "good") == [[1]]
    with pytest.raises(AobError):
        await stuck
    assert await shop.rows("select 1", "good") == [[1]]
    assert await shop.rows("select 1", "bad") == [[1]]
    assert shop.serving.figures()["starts"] == 3


def used_up(error: Exception) -> Callable[..., None]:
    def raised(*given: object) -> None:
        raise error

    return raised


@pytest.mark.parametrize("error", [MemoryError(), SystemError("error return without exception set")])
def test_a_process_that_met_the_end_of_its_memory_says_that_it_ends(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = TenantTables(None, 64)
    tables.declare(SHOP, ())
    with pytest.raises(Invalid):
        tables.ask(1, Ask("select nope from events", b"[]", 10, 1_000))
    assert not tables.spent
    monkeypatch.setattr(tables, "_answered", used_up(error))
    with pytest.raises(AobError):
        tables.ask(1, Ask(COUNT, b"[]", 10, 1_000))
    assert tables.spent
    tables.close()


@pytest.mark.parametrize(("process_mb", "ends"), [(1, True), (1_000_000, False)])
def test_a_process_that_holds_most_of_what_it_may_ends_behind_its_answer(
    process_mb: int, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    pipe = BytesIO()
    child = Child(Begin("", 64, process_mb), pipe)
    child._do(Sent(1, Declare(msgpack.encode(SHOP), ())))
    assert msgpack.decode(pipe.getvalue()[HEAD.size :], type=Said) == Said(1, Declared({0: 0}), ends)
    assert ended == [0] * ends


async def test_statements_that_ate_the_memory_of_the_parser_leave_the_next_one_alone(shop: Shop) -> None:
    """Lambdas in lambdas took what the process may hold; then `select 1` failed, for every tenant."""
    deep = "1"
    for n in range(18):
        deep = f"list_transform([1], x{n} -> {deep})"
    for _ in range(3):
        with pytest.raises(Invalid):
            await shop.ask(f"select {deep}")
    with pytest.raises(AobError):
        await shop.ask("select " + " + ".join(["1"] * 2_400))
    assert await shop.rows("select 1") == [[1]]


@pytest.mark.parametrize("n", [2**63, -(2**63) - 1, 2**64, 10**30, 10**45])
def test_an_integer_that_an_old_log_holds_is_told_and_never_left_out(n: int) -> None:
    tables = TenantTables(None, 64)
    tables.declare(SHOP, ())
    log = [created("o1", items=1), created("o2", items=n), created("o3", items=2)]
    lines = [Line(at, str(at), "web", "", 0, 1, "order.created", Raw(encode(each["data"])), None)
             for at, each in enumerate(log)]  # fmt: skip
    for at, line in enumerate(lines):
        tables._kept([line], [], {0: at})
    told = tables.ask(1, Ask("select items from order_created order by number", b"[]", 10, 1_000))
    assert isinstance(told, Answer)
    assert [row[0] for row in decode(told.rows)] == [1, pytest.approx(n), 2]
    tables.declare(WIDER, ())  # made anew from all events
    told = tables.ask(1, Ask("select count(items) from order_created", b"[]", 10, 1_000))
    assert isinstance(told, Answer)
    assert told.rows == b"[[3]]"
    tables.close()


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
            tables.ask(1, Ask(sql.replace("FILE", str(file)), b"[]", 10, 1_000, trusted=True))
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
            tables.ask(1, Ask(sql, b"[]", 10, 1_000, trusted=True))
    told = tables.ask(1, Ask(COUNT, b"[]", 10, 1_000))
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
        ("with pragma_database_list as (select 1) select * from pragma_database_list", frozenset()),
        ("with pragma_database_list as (select * from pragma_database_list) select 1", frozenset()),
        ("with a as (select 1) select * from b", frozenset()),
    ],
)
def test_what_duckdb_reads_otherwise_than_the_guard_does_not_run(sql: str, views: frozenset[str]) -> None:
    import duckdb

    with duckdb.connect() as db, pytest.raises(Invalid):
        cross_check(db, Guarded(sql, views))


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
            cross_check(db, checked)
        except Invalid as error:
            refused = error.code
        assert refused in {"", "sql_wrong"}
