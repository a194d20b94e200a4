"""Tests for every `Serving`: it follows the log, shows a tenant only its own data, and enforces limits."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet, EntityMove, EventContract
from aob.core.errors import Busy, Invalid, NotFound, TooLarge, Unavailable
from aob.core.ingest import Gate
from aob.core.serving import DEAD_LETTERS, METRICS
from aob.gate import DeadLetterRows
from aob.ports.dead_letters import DeadLetter, Letters, LogWithLetters
from aob.ports.event_log import EventLog, Row
from aob.ports.serving import Question, Serving, Supply, Table

NOW_MS: Final = 1_800_000_000_000
_PLACED: Final = EntityMove("order", "data.order_id", {"status": "'placed'", "amount": "data.amount"})
_PAID: Final = EntityMove("order", "data.order_id", {"status": "'paid'"})
_DELETED: Final = EntityMove("order", "data.order_id", removes="true")
_ID: Final = {"order_id": {"type": "string"}}


def _contract(type: str, version: int, more: Mapping[str, JsonValue], *moves: EntityMove) -> EventContract:
    schema = {"type": "object", "properties": {**_ID, **more}, "required": ["order_id", *more]}
    return EventContract(type, version, schema, entities=moves)


CREATED: Final = _contract("order.created", 1, {"amount": {"type": "number"}, "items": {"type": "integer"}}, _PLACED)
SHOP: Final = ContractSet(
    events={
        "order.created": {1: CREATED},
        "order.paid": {1: _contract("order.paid", 1, {}, _PAID)},
        "order.deleted": {1: _contract("order.deleted", 1, {}, _DELETED)},
    }
)
WIDER: Final = ContractSet(
    events={
        **SHOP.events,
        "order.created": {
            1: CREATED,
            2: _contract(
                "order.created", 2,
                {"amount": {"type": "number"}, "items": {"type": "integer"}, "note": {"type": "string"}}, _PLACED,
            ),
        },
        "order.noted": {1: _contract("order.noted", 1, {"note": {"type": "string"}})},
    }
)  # fmt: skip


def event(type: str, id: str, at_ms: int, data: JsonObject) -> JsonObject:
    """An event as it is sent."""
    return {"id": id, "source": "web", "type": type, "time": at_ms / 1_000, "data": data}


def created(id: str, amount: float = 1.0, items: int = 1, *, at_ms: int = NOW_MS, **more: JsonValue) -> JsonObject:
    """An event `order.created`."""
    data = {"order_id": id, "amount": amount, "items": items, **more}
    return event("order.created", f"c-{id}-{at_ms}", at_ms, data)


def said(type: str, id: str, at_ms: int = NOW_MS) -> JsonObject:
    """An event of an order with nothing but its id."""
    return event(type, f"{type}-{id}-{at_ms}", at_ms, {"order_id": id})


class Shop:
    """A log, the contracts of its tenants, and a `Serving` that follows them."""

    def __init__(self, log: LogWithLetters) -> None:
        self.log = log
        self.contracts: dict[str, ContractSet] = {}
        self.supplied: list[Mapping[str, JsonValue]] = []
        self.serving: Serving

    def contracts_of(self, tenant: str) -> ContractSet:
        """The present contracts of a tenant."""
        return self.contracts.get(tenant, SHOP)

    async def metrics(self, tenant: str) -> Sequence[Mapping[str, JsonValue]]:
        """The rows of the view `metrics`."""
        return self.supplied

    async def write(self, tenant: str, *events: JsonObject, dead: Sequence[DeadLetter] = ()) -> int:
        """Pass events through the gate into the log; returns their row."""
        lines = b"\n".join(msgspec.json.encode(event) for event in events)
        gate = Gate(self.contracts_of(tenant))
        gated = gate.read(lines, NOW_MS)
        assert not gated.refused, gated.refused
        row = Row(0, tenant, NOW_MS, 0, len(events), 0, 0, gated.text, gate.notes(gated.events))
        await self.log.append([row])
        await self.log.letters.write([Letters(tenant, dead)])
        return row.row

    async def ask(self, sql: str, tenant: str = "acme", parameters: Any = (), **more: Any) -> Table:
        """Ask in SQL."""
        return await self.serving.query(Question(tenant, sql, parameters, **more))

    async def rows(self, sql: str, tenant: str = "acme", parameters: Any = (), **more: Any) -> list[list[Any]]:
        """The rows of an answer."""
        return (await self.ask(sql, tenant, parameters, **more)).rows


class ServingSuite:
    """The contract of `aob.ports.serving`."""

    async def make(
        self, log: EventLog, contracts_of: Callable[[str], ContractSet], supplies: Sequence[Supply]
    ) -> Serving:
        """A `Serving` over a log. The suite closes it."""
        raise NotImplementedError

    async def make_log(self) -> LogWithLetters:
        """A new, empty log."""
        raise NotImplementedError

    @pytest.fixture
    async def shop(self) -> Any:
        """A shop whose tables have not been queried yet."""
        shop = Shop(await self.make_log())
        shop.serving = await self.make(shop.log, shop.contracts_of, [
            Supply(DEAD_LETTERS, DeadLetterRows(shop.log.letters)), Supply(METRICS, shop.metrics),
        ])  # fmt: skip
        yield shop
        await shop.serving.close()
        await shop.serving.close()
        await shop.log.close()

    # -- it follows the log -----------------------------------------------------------------------------------------

    async def test_accepted_events_are_rows_with_typed_columns(self, shop: Shop) -> None:
        await shop.write("acme", created("o1", 2.5, 3), said("order.paid", "o1"))
        assert await shop.rows("select number, id, source, type, data->>'order_id' from events order by number") == [
            [0, f"c-o1-{NOW_MS}", "web", "order.created", "o1"],
            [1, f"order.paid-o1-{NOW_MS}", "web", "order.paid", "o1"],
        ]
        table = await shop.ask("select number, time, amount, items + 1 as more from order_created")
        assert table.rows == [[0, "2027-01-15T08:00:00.000Z", 2.5, 4]]
        assert table.columns == ["number", "time", "amount", "more"]
        assert table.views == ["order_created"]

    async def test_a_question_holds_all_that_was_written_before_it(self, shop: Shop) -> None:
        for n in range(5):
            row = await shop.write("acme", created(f"o{n}"))
            table = await shop.ask("select count(*) from events")
            assert table.rows == [[n + 1]]
            assert table.read_to[0] >= row

    async def test_a_question_holds_the_row_that_it_asks_for(self, shop: Shop) -> None:
        row = await shop.write("acme", created("o1"))
        await shop.write("other", created("o2"))
        assert await shop.rows("select count(*) from events", rows_min=(row,)) == [[1]]
        with pytest.raises(Unavailable) as told:
            await shop.ask("select count(*) from events", rows_min=(row + 100,))
        assert told.value.code == "serving_behind"

    async def test_poking_a_tenant_that_nobody_asked_does_nothing(self, shop: Shop) -> None:
        shop.serving.poke("acme")
        assert shop.serving.figures()["questions"] == 0

    async def test_new_contracts_show_what_was_there_before(self, shop: Shop) -> None:
        await shop.write("acme", created("o1", 2.0))
        assert await shop.rows("select amount from order_created") == [[2.0]]
        shop.contracts["acme"] = WIDER
        await shop.write("acme", created("o2", 3.0, note="hi"), said("order.paid", "o2"))
        assert await shop.rows("select version, amount, note from order_created order by number") == [
            [1, 2.0, None], [2, 3.0, "hi"],
        ]  # fmt: skip
        assert await shop.rows("select count(*) from order_noted") == [[0]]
        names = {view.name for view in await shop.serving.views("acme")}
        assert {"events", "order_created", "order_noted", "entities_order", "deadletters", "metrics"} <= names

    async def test_dead_letters_and_metrics_are_as_they_are_now(self, shop: Shop) -> None:
        letter = DeadLetter(0, NOW_MS, "order.created", "web", "x", b'[{"stage":"schema"}]', b'{"id":')
        await shop.write("acme", created("o1"), dead=[letter])
        shop.supplied = [{"name": "revenue", "value": 2.5, "dimensions": {"region": "eu"}, "until": NOW_MS}]
        assert await shop.rows("select type, state, reasons->0->>'stage', line from deadletters") == [
            ["order.created", "open", "schema", '{"id":']
        ]
        sql = "select name, value, dimensions->>'region', until from metrics"
        assert await shop.rows(sql) == [["revenue", 2.5, "eu", "2027-01-15T08:00:00.000Z"]]
        shop.supplied = []
        assert await shop.rows(sql) == []

    async def test_times_are_instants_that_any_place_reads_in_its_own_way(self, shop: Shop) -> None:
        await shop.write("acme", created("o1", placed_at="2026-07-01T12:00:00+02:00"))
        new_york = "time at time zone 'America/New_York'"
        table = await shop.ask(
            f"select {new_york}, hour({new_york}), time, date_trunc('day', time), epoch_ms(time) from events"  # noqa: S608
        )
        assert table.rows == [
            ["2027-01-15T03:00:00.000", 3, "2027-01-15T08:00:00.000Z", "2027-01-15T00:00:00.000Z", NOW_MS],
        ]  # fmt: skip
        assert table.types[2] == "TIMESTAMP WITH TIME ZONE"
        for view in ("order_created", "entities_order_history"):
            told = await shop.rows(f"select {new_york} from {view}")  # noqa: S608  (both are written above)
            assert told == [["2027-01-15T03:00:00.000"]]
        assert await shop.rows("select changed_at at time zone 'Asia/Tokyo' from entities_order") == [
            ["2027-01-15T17:00:00.000"],
        ]  # fmt: skip

    async def test_an_integer_is_told_as_it_is(self, shop: Shop) -> None:
        sent: list[Any] = [2**63 - 1, -(2**63), 9_007_199_254_740_993, 3.0, 1e3, 0]  # 3.0 is an integer of JSON
        await shop.write("acme", *(created(f"o{number}", items=items) for number, items in enumerate(sent)))
        told = "select items, items + 0::HUGEINT, sum(items) over (partition by order_id) from order_created"
        assert await shop.rows(f"{told} order by order_id") == [[items] * 3 for items in sent]

    # -- entities ---------------------------------------------------------------------------------------------------

    async def test_an_entity_is_what_was_last_said_of_it_by_event_time(self, shop: Shop) -> None:
        await shop.write("acme", said("order.paid", "o1", NOW_MS - 1_000), created("o1", 2.0, at_ms=NOW_MS - 2_000))
        await shop.write("acme", created("o2", 5.0, at_ms=NOW_MS - 500))
        assert await shop.rows("select id, status, amount from entities_order order by id") == [
            ["o1", "paid", 2.0], ["o2", "placed", 5.0],
        ]  # fmt: skip
        now = await shop.serving.entity("acme", "order", "o1")
        assert now == {"state": {"status": "paid", "amount": 2.0}, "changed_at": NOW_MS - 1_000}
        then = await shop.serving.entity("acme", "order", "o1", as_of_ms=NOW_MS - 1_001)
        assert then == {"state": {"status": "placed", "amount": 2.0}, "changed_at": NOW_MS - 2_000}
        assert await shop.serving.entity("acme", "order", "o1", as_of_ms=NOW_MS - 2_001) is None

    async def test_a_removed_entity_is_gone_until_it_is_spoken_of_again(self, shop: Shop) -> None:
        await shop.write("acme", created("o1", 2.0, at_ms=NOW_MS - 3), said("order.deleted", "o1", NOW_MS - 2))
        assert await shop.rows("select * from entities_order") == []
        assert await shop.serving.entity("acme", "order", "o1") is None
        await shop.write("acme", said("order.paid", "o1", NOW_MS - 1))
        assert await shop.rows("select status, amount from entities_order") == [["paid", None]]

    async def test_the_history_is_told_newest_first(self, shop: Shop) -> None:
        await shop.write("acme", created("o1", 2.0, at_ms=NOW_MS - 2), said("order.paid", "o1", NOW_MS - 1))
        history = await shop.serving.history("acme", "order", "o1")
        assert [(each["at"], each["event"], each["changed"]) for each in history] == [
            (NOW_MS - 1, "order.paid", {"status": "paid"}),
            (NOW_MS - 2, "order.created", {"status": "placed", "amount": 2.0}),
        ]
        assert await shop.serving.history("acme", "order", "o1", until_ms=NOW_MS - 2) == history[1:]
        assert await shop.serving.history("acme", "order", "o1", limit=1) == history[:1]
        assert await shop.serving.history("acme", "order", "o2") == []
        with pytest.raises(NotFound):
            await shop.serving.history("acme", "ghost", "o1")

    # -- queries ----------------------------------------------------------------------------------------------------

    async def test_parameters_are_bound_and_never_read_as_sql(self, shop: Shop) -> None:
        await shop.write("acme", created("o1"), created("o2"))
        evil = "o1' or '1'='1"
        sql = "select data->>'order_id' from events where data->>'order_id' = "
        assert await shop.rows(sql + "?", parameters=["o1"]) == [["o1"]]
        assert await shop.rows(sql + "?", parameters=[evil]) == []
        assert await shop.rows(sql + "$name", parameters={"name": "o2"}) == [["o2"]]
        with pytest.raises(Invalid):
            await shop.ask(sql + "?")
        with pytest.raises(Invalid):
            await shop.ask("select ?", parameters=[{"a": 1}])

    async def test_every_value_comes_back_as_json(self, shop: Shop) -> None:
        sql = (
            "select null, true, 1, 1.5::double, 'a\"b', date '2026-01-02', timestamp '2026-01-02 03:04:05', [1, null],"
            " {'a': 1}, 'nan'::double, [1e308 * 10.0], 12345678901234567890, 'é', now() > timestamp '2020-01-01'"
        )
        assert await shop.rows(sql) == [
            [
                None, True, 1, 1.5, 'a"b', "2026-01-02", "2026-01-02T03:04:05.000", [1, None], {"a": 1}, None, [None],
                12345678901234567890, "é", True,
            ]
        ]  # fmt: skip

    async def test_what_is_not_allowed_is_refused(self, shop: Shop) -> None:
        for sql in ("select * from read_csv('x')", "drop table events", "select 1; select 2"):
            with pytest.raises(Invalid) as told:
                await shop.ask(sql)
            assert told.value.code == "sql_refused"

    async def test_what_is_wrong_is_told(self, shop: Shop) -> None:
        await shop.write("acme", created("o1"))
        for sql in ("select nope from events", "selec 1", "select 'a' + 1 from events", "select abs()"):
            with pytest.raises(Invalid) as told:
                await shop.ask(sql)
            assert told.value.code in {"sql_wrong", "sql_refused"}

    # -- limits -----------------------------------------------------------------------------------------------------

    async def test_rows_over_the_cap_are_cut_and_it_says_so(self, shop: Shop) -> None:
        table = await shop.ask("select * from range(100) order by 1 desc", rows_max=3)
        assert table.rows == [[99], [98], [97]]
        assert table.truncated
        whole = await shop.ask("select * from range(3)", rows_max=3)
        assert not whole.truncated

    async def test_a_statement_that_takes_too_long_is_broken_off(self, shop: Shop) -> None:
        for sql in (
            "with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r",
            "select count(*) from range(1000000) a, range(1000000) b, range(1000000) c",
            "select sum(hash(a.range)) from range(1000000000000) a",
        ):
            with pytest.raises(TooLarge) as told:
                await shop.ask(sql, time_max_ms=200)
            assert told.value.code == "query_too_slow"
        assert await shop.rows("select 1") == [[1]]

    async def test_a_statement_that_takes_too_much_memory_is_refused(self, shop: Shop) -> None:
        for sql in (
            "select list(range) from range(200000000)",
            "select repeat('x', 100000) from range(1000)",
            "select string_agg(repeat('x', 100000), '') from range(1000000)",
        ):
            with pytest.raises(TooLarge) as told:
                await shop.ask(sql)
            assert told.value.code == "query_too_large"
        assert await shop.rows("select 1") == [[1]]

    async def test_too_many_questions_of_one_tenant_are_told_to_wait(self, shop: Shop) -> None:
        await shop.ask("select 1")
        asked = [shop.ask("select count(*) from range(20000000)") for _ in range(30)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert any(isinstance(each, Busy) for each in told)
        assert all(isinstance(each, Busy | Table) for each in told)
        assert await shop.rows("select 1") == [[1]]

    async def test_a_caller_who_goes_away_stops_its_statement(self, shop: Shop) -> None:
        await shop.ask("select 1")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(shop.ask("select count(*) from range(1000000) a, range(1000000) b"), 0.2)
        assert await shop.rows("select 1") == [[1]]

    # -- tenants ----------------------------------------------------------------------------------------------------

    async def test_a_tenant_never_sees_the_rows_of_another(self, shop: Shop) -> None:
        tenants = ["acme", "Acme", "acme ", "acme/../other", "other", "", "a" * 200, "é"]
        for n, tenant in enumerate(tenants):
            await shop.write(tenant, created(f"o{n}"))
        for n, tenant in enumerate(tenants):
            assert await shop.rows("select data->>'order_id' from events", tenant) == [[f"o{n}"]]
            assert await shop.rows("select id from entities_order", tenant) == [[f"o{n}"]]
            for other in range(len(tenants)):
                assert len(await shop.serving.history(tenant, "order", f"o{other}")) == (other == n)

    @settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
    @given(data=st.data())
    async def test_no_question_tells_one_tenant_of_another(self, shop: Shop, data: st.DataObject) -> None:
        secret = {"red": "RED-SECRET", "blue": "BLUE-SECRET"}
        for tenant, word in secret.items():
            await shop.write(tenant, created(word, data.draw(st.floats(0, 100))))
        tenant, other = data.draw(st.permutations(["red", "blue"]))
        for sql in data.draw(st.lists(_STATEMENTS, min_size=1, max_size=8)):
            try:
                told = msgspec.json.encode(await shop.ask(sql.replace("OTHER", other), tenant)).decode()
            except (Invalid, TooLarge) as error:
                told = str(error)
            assert secret[other] not in told


_SOURCES: Final = st.sampled_from(
    [
        "events", "order_created", "entities_order", "entities_order_history", "deadletters", "metrics", "OTHER.events",
        "OTHER.main.events", '"OTHER"."events"', "main.events", "_aob.said", "temp.batch", "duckdb_tables()",
        "information_schema.tables", "(select * from events)", "events as OTHER", "sqlite_master", "'OTHER.duckdb'",
        "range(3)", "(from OTHER.events)", "query('from OTHER.events')", "glob('*')", "read_text('*.duckdb')",
    ]
)  # fmt: skip
_VALUES: Final = st.sampled_from(
    [
        "*",
        "count(*)",
        "data",
        "changed",
        "id",
        "to_json(events)",
        "current_setting('x')",
        "1",
        "data->>'order_id'",
        "(from OTHER.events)",
    ]
)
_STATEMENTS: Final = st.builds(
    lambda value, source, join, tail: f"select {value} from {source}{join}{tail}",  # noqa: S608  (that is the test)
    _VALUES,
    _SOURCES,
    st.one_of(
        st.just(""), _SOURCES.map(lambda source: f", {source} x"), _SOURCES.map(lambda s: f" union all from {s}")
    ),
    st.sampled_from(
        ["", " limit 5", " where true", " order by 1", "; from OTHER.events", " -- ", " where 1 in (from OTHER.events)"]
    ),
)
