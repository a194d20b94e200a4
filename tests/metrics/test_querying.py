"""Queries by names read the live numbers, others ask the tables; a body that is no query is told why."""

from collections.abc import Mapping
from typing import Any

import pytest

from aob.core.answers import JsonObject
from aob.core.contract_model import ContractSet, EntityMove, EventContract
from aob.core.errors import Invalid, NotFound, Refused
from aob.core.metric_query import MetricQuery
from aob.core.policy import LOCAL, Caller
from aob.core.serving import View, guard, views_of
from aob.metrics.serving import Querying
from aob.ports.serving import Question, Table

CONTRACTS = ContractSet(
    events={
        "order.created": {
            1: EventContract(
                "order.created", 1,
                {"properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}}},
                entities=(EntityMove("order", "data.order_id", {"status": "'placed'", "amount": "data.amount"}),),
            )
        }
    }
)  # fmt: skip


class Tables:
    """A `Serving` that checks the statement as the true one does, and answers with nothing."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def query(self, question: Question) -> Table:
        views = await self.views(question.tenant)
        written = guard(question.sql, frozenset(view.name for view in views))
        self.asked.append(question)
        return Table(["id"], ["VARCHAR"], [["o1"]], False, (7,), 1.0, sorted(written.views), written.sql)

    async def views(self, tenant: str) -> list[View]:
        return list(views_of(CONTRACTS).values())


class Numbers:
    """A reader that knows two metrics by region."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, MetricQuery]] = []
        self.rows: dict[str, list[JsonObject]] = {
            "revenue": [{"by": {"region": "eu"}, "value": 10.0}, {"by": {"region": "us"}, "value": 30.0}],
            "orders": [{"by": {"region": "eu"}, "value": 2}, {"by": {"region": "cn"}, "value": 5}],
        }

    async def read_metric(self, tenant: str, query: MetricQuery) -> JsonObject:
        self.asked.append((tenant, query))
        if query.metric not in self.rows:
            raise NotFound(f"no metric {query.metric!r}", code="metric_not_found")
        rows = self.rows[query.metric]
        answer: JsonObject = {"value": sum(row["value"] for row in rows), "position": f"p-{query.metric}"}
        return {**answer, "rows": rows} if query.by or query.step else answer


class Asking:
    """What a test asks with."""

    def __init__(self) -> None:
        self.tables, self.numbers = Tables(), Numbers()
        self.querying = Querying(
            self.tables, self.numbers, lambda token: (int(token),), lambda rows: f"p{rows[0]}",  # type: ignore[arg-type]  # a part of it
        )  # fmt: skip

    async def __call__(self, body: Mapping[str, Any], who: Caller = LOCAL) -> Any:
        return await self.querying.query(who, dict(body))


@pytest.fixture
def ask() -> Asking:
    return Asking()


async def test_metrics_by_name_become_the_columns_of_one_row(ask: Asking) -> None:
    answer = await ask({"metrics": ["revenue", "orders"], "window": "1h", "where": {"channel": "web"}})
    assert answer["columns"] == ["revenue", "orders"]
    assert answer["rows"] == [[40.0, 7]]
    assert answer["position"] == "p-revenue"
    assert [query.where for _, query in ask.numbers.asked] == [{"channel": "web"}] * 2
    assert ask.tables.asked == []


async def test_dimensions_join_the_rows_and_what_is_not_there_is_null(ask: Asking) -> None:
    answer = await ask({"metrics": ["revenue", "orders"], "dimensions": ["region"]})
    assert answer["columns"] == ["region", "revenue", "orders"]
    assert answer["rows"] == [["cn", None, 5], ["eu", 10.0, 2], ["us", 30.0, None]]


async def test_rows_are_ordered_as_asked_with_nulls_last(ask: Asking) -> None:
    answer = await ask({"metrics": ["revenue", "orders"], "dimensions": ["region"], "order": ["-revenue"], "limit": 2})
    assert [row[0] for row in answer["rows"]] == ["us", "eu"]
    assert answer["truncated"] is True


async def test_a_step_gives_a_column_of_times(ask: Asking) -> None:
    ask.numbers.rows["orders"] = [{"at": 60_000, "value": 2}, {"at": 0, "value": 1}]
    answer = await ask({"metrics": ["orders"], "since": 0, "until": 120_000, "step": "1m"})
    assert answer["columns"] == ["time", "orders"]
    assert answer["rows"] == [[0, 1], [60_000, 2]]


async def test_entities_are_asked_by_their_columns_with_values_bound(ask: Asking) -> None:
    answer = await ask(
        {"entity": "order", "fields": ["status"], "where": {"amount": 5, "status": None}, "order": ["-amount"]}
    )
    (question,) = ask.tables.asked
    assert question.sql == (
        'SELECT id, "status" FROM "entities_order" WHERE "amount" = ? AND "status" IS NULL ORDER BY "amount" DESC, id'
    )
    assert question.parameters == [5]
    assert answer["position"] == "p7"


async def test_a_value_of_an_entity_query_is_never_read_as_sql(ask: Asking) -> None:
    await ask({"entity": "order", "where": {"status": "' or 1=1 --"}})
    assert ask.tables.asked[0].parameters == ["' or 1=1 --"]
    assert "1=1" not in ask.tables.asked[0].sql


@pytest.mark.parametrize("place", ["fields", "order"])
async def test_a_field_that_is_none_is_told_with_the_nearest(ask: Asking, place: str) -> None:
    with pytest.raises(Invalid, match="do you mean 'status'"):
        await ask({"entity": "order", place: ["statu"]})
    with pytest.raises(Invalid):
        await ask({"entity": "order", place: ['status" from events --']})


async def test_an_unknown_entity_is_not_found(ask: Asking) -> None:
    with pytest.raises(NotFound) as told:
        await ask({"entity": "ghost"})
    assert told.value.code == "entity_not_found"


async def test_sql_goes_to_the_tables_of_the_caller_with_its_parameters_and_position(ask: Asking) -> None:
    who = Caller("acme", "ann", frozenset({"view"}))
    await ask({"sql": "select id from events where id = ?", "parameters": ["x"], "min_position": "5", "limit": 3}, who)
    (question,) = ask.tables.asked
    assert (question.tenant, question.parameters, question.rows_min, question.rows_max) == ("acme", ["x"], (5,), 3)


async def test_a_caller_who_may_not_look_is_refused(ask: Asking) -> None:
    with pytest.raises(Refused):
        await ask({"sql": "select 1"}, Caller("acme", "bob", frozenset()))


@pytest.mark.parametrize(
    "body",
    [
        {}, {"sql": "select 1", "metrics": ["a"]}, {"sql": 1}, {"sql": "select 1", "limit": 0},
        {"sql": "select 1", "limit": 10_001}, {"sql": "select 1", "tenant": "other"},
        {"sql": "select 1", "parameters": [[1]]}, {"sql": "select 1", "timeout_ms": 60_000}, {"metrics": []},
        {"metrics": ["a"] * 2}, {"metrics": ["revenue"], "order": ["nope"]}, {"metrics": ["revenue"], "step": "1m"},
        {"metrics": "revenue"}, {"metrics": ["revenue"], "where": {"a": 1}}, {"entity": ""},
        {"entity": "order", "x": 1}, {"metrics": [str(n) for n in range(21)]},
    ],
)  # fmt: skip
async def test_a_body_that_is_no_query_is_refused_with_its_place(ask: Asking, body: JsonObject) -> None:
    with pytest.raises((Invalid, NotFound)) as told:
        await ask(body)
    assert told.value.code in {"bad_query", "entity_not_found"}
    assert ask.tables.asked == []


async def test_an_unknown_metric_is_told_as_the_reader_tells_it(ask: Asking) -> None:
    with pytest.raises(NotFound, match="nope"):
        await ask({"metrics": ["revenue", "nope"]})
