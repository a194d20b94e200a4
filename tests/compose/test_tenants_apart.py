"""Two tenants of one home, of the same names and numbers: nothing of one ever appears at the other, however it asks."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose import App
from aob.core.errors import AobError
from aob.core.event import Positions
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from tests.metrics.till import SHOP, ingest_as, refunded, sold

ANN = Caller("alpha", "ann", frozenset({"admin", "run", "view", "approve", "patch"}))
BEN = Caller("beta", "ben", frozenset({"admin", "run", "view", "approve", "patch"}))
MARKS = {"alpha": "almond", "beta": "birch"}
"""Words that only one of them knows."""
OWN = """
event: happened.MARK
version: 1
owner: MARK
fields: {MARK: {type: string}}
---
metric: count_MARK
version: 1
type: count
moves: [{on: happened.MARK}]
dimensions: [MARK]
windows: [all]
---
alert: sales_high
description: about MARK
metric: sales
window: all
by: [region]
when: value > 1.0
---
slo: slo_MARK
metric: sales
objective: freshness
limit: 5s
target: 0.9
window: 1h
"""
ECHO = re.compile(r"""there is no [a-z ]+ '[^']*'|"id":"[a-z]+"|"where":\{"region":"[a-z]+-1"\}|"query":"[a-z]+\"""")
"""Where an answer repeats what was asked for."""


def events(mark: str, seed: int) -> list[dict[str, Any]]:
    """The same ids, sources and orders at both; values with the mark in them."""
    dice = random.Random(seed)
    made: list[dict[str, Any]] = []
    for _ in range(30):
        number = dice.randrange(40)
        kind = dice.choice((sold, sold, refunded))
        made.append(kind(number, float(number), f"{mark}-{number % 3}", subject=f"about-{mark}"))
        made[-1]["data"]["customer"] = f"{mark}-{number % 5}"
    made.append({"type": f"happened.{mark}", "source": "till", "id": f"h-{seed}", "data": {mark: mark}})
    made.append(sold(f"bad-{seed}", 1.0) | {"data": {"order_id": mark, "amount": mark}})
    return made


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path, egress={"private": ["127.0.0.1:9"]}) as app:
        for who in (ANN, BEN):
            mark = MARKS[who.tenant]
            await app.metrics.push_contracts(who, {"shop.yaml": SHOP, "own.yaml": OWN.replace("MARK", mark)})
            await app.metrics.create_webhook(
                who, f"http://127.0.0.1:9/{mark}", events=[f"never.{mark}"], description=f"of {mark}"
            )
        for seed in range(6):
            await asyncio.gather(*(ingest_as(app, who, *events(MARKS[who.tenant], seed)) for who in (ANN, BEN)))
        yield app


async def asked(call: Awaitable[Any]) -> str:
    """An answer as text; a refusal as its own words."""
    try:
        return msgspec.json.encode(await call).decode()
    except AobError as error:
        return f"refused {error.code}: {error}"


async def streamed(app: App, who: Caller, position: str, count: int) -> str:
    """The first things that a stream of everything tells."""
    told = []
    feed = app.metrics.stream(
        who, types=frozenset({"*"}), metrics=[MetricQuery("sales", window="all", by=("region",))], position=position
    )
    async with asyncio.timeout(60), aclosing(feed) as opened:  # type: ignore[type-var]
        async for _, event, data in opened:
            told.append([event, data])
            if len(told) >= count:
                break
    return msgspec.json.encode(told).decode()


def questions(app: App, who: Caller, words: str) -> list[Awaitable[Any]]:
    """Everything that can be read, asked of one's own things or, when `words` is another's mark, of the other's."""
    m = app.metrics
    return [
        m.metrics(who), m.metric(who, MetricQuery("sales", window="all", by=("region",))),
        m.metric(who, MetricQuery("sales", window="all", where={"region": f"{words}-1"})),
        m.metric(who, MetricQuery(f"count_{words}", window="all", by=(words,))),
        m.metric(who, MetricQuery("buyers", window="all", known_at_ms=1 << 45)),
        m.batch(who, [{"metric": f"count_{words}"}, {"entity": "order", "id": "o-1"},
                      {"metric": "sales", "by": ["region"]}]),
        *(m.entity(who, "order", f"o-{n}", history=50) for n in range(5)),
        m.entity(who, "order", words, history=5), m.entity(who, "order", "o-1", as_of_ms=1 << 44),
        m.changelog(who, "sales", since_ms=0, until_ms=1 << 45, limit=500),
        m.changelog(who, "sales", since_ms=0, until_ms=1 << 45, where={"region": f"{words}-1"}),
        m.changelog(who, f"count_{words}", since_ms=0, until_ms=1 << 45),
        m.contracts(who), m.contract(who, "metric", f"count_{words}"), m.contract(who, "event", f"happened.{words}"),
        m.lineage(who), m.lineage(who, metric=f"count_{words}"), m.catalog(who), m.search(who, words),
        m.search(who, "count"), m.alerts(who), m.alert(who, "sales_high"), m.slos(who), m.slo(who, f"slo_{words}"),
        m.webhooks(who), m.deadletters(who, state="all", limit=100), m.deadletter_groups(who, state="all"),
        *(m.deadletter(who, n) for n in range(1, 9)),
    ]  # fmt: skip


SQL = [
    "select * from events", "select * from sold", "select * from entities_order", "select * from deadletters",
    "select * from metrics", "select * from {other}.events", 'select * from "{other}".main.events',
    "select * from main.events", "select table_name from information_schema.tables", "select * from duckdb_tables()",
    "select * from duckdb_databases()", "show databases", "attach '{other}.duckdb'", "use {other}",
    "select (select count(*) from {other}.sold)", "with e as (select * from {other}.events) select * from e",
    "select * from events union all select * from {other}.events", "select * from read_csv('gate.db')",
    "select current_setting('home_directory')", "select * from temp.events", "select * from system.main.events",
]  # fmt: skip


@pytest.mark.parametrize(("who", "other"), [(ANN, BEN), (BEN, ANN)], ids=["alpha", "beta"])
class TestWhatOneTenantReads:
    async def test_is_its_own_whatever_it_asks(self, app: App, who: Caller, other: Caller) -> None:
        mine, theirs = MARKS[who.tenant], MARKS[other.tenant]
        own = [await asked(each) for each in questions(app, who, mine)]
        assert sum(mine in each for each in own) > 15, "so little of its own is seen that nothing is shown"
        for answer in own:
            assert theirs not in answer
        for answer in [await asked(each) for each in questions(app, who, theirs)]:
            assert theirs not in ECHO.sub("", answer)

    async def test_from_any_position_of_a_stream_is_its_own(self, app: App, who: Caller, other: Caller) -> None:
        mine, theirs = MARKS[who.tenant], MARKS[other.tenant]
        for row in (0, 3, 7):
            told = await streamed(app, who, Positions(Positions.EVENTS).token(row), 8)
            assert mine in told
            assert theirs not in told

    async def test_by_sql_is_its_own(self, app: App, who: Caller, other: Caller) -> None:
        mine, theirs = MARKS[who.tenant], MARKS[other.tenant]
        answers = [await asked(app.metrics.query(who, {"sql": sql.format(other=other.tenant)})) for sql in SQL]
        assert mine in answers[0]
        assert mine in answers[1]
        for sql, answer in zip(SQL, answers, strict=True):
            assert theirs not in answer, sql
            if "{other}" in sql or "duckdb_" in sql:
                assert answer.startswith("refused"), sql

    async def test_are_numbers_that_the_other_does_not_move(self, app: App, who: Caller, other: Caller) -> None:
        before = await asked(app.metrics.metric(who, MetricQuery("revenue", window="all", by=("region",))))
        await ingest_as(app, other, *[sold(f"more-{n}", 100.0) for n in range(20)])
        await app.metrics.discard_deadletters(other, [1, 2])
        after = await asked(app.metrics.metric(who, MetricQuery("revenue", window="all", by=("region",))))
        value = msgspec.json.decode(after)
        assert msgspec.json.decode(before)["rows"] == value["rows"]
        states = {
            row["number"]: row["state"] for row in (await app.metrics.deadletters(who, state="all"))["deadletters"]
        }
        assert (states[1], states[2]) == ("open", "open")

    async def test_cannot_be_changed_by_the_other(self, app: App, who: Caller, other: Caller) -> None:
        (hook,) = await app.metrics.webhooks(who)
        for call in (
            app.metrics.webhook(other, hook["id"]), app.metrics.update_webhook(other, hook["id"], paused=True),
            app.metrics.delete_webhook(other, hook["id"]), app.metrics.deliveries(other, hook["id"]),
        ):  # fmt: skip
            assert (await asked(call)).startswith("refused not_found")
        await app.metrics.silence_alert(other, "sales_high", until_ms=int(time.time() * 1_000) + 3_600_000)
        groups = [each for each in await app.metrics.alerts(who) if each["name"] == "sales_high"]
        assert groups, "one for each region that has been judged, else one for all"
        assert not any(each["state"] == "silenced" or each.get("silenced_until") for each in groups)


async def test_the_same_ids_count_at_both(app: App) -> None:
    for who in (ANN, BEN):
        told = await ingest_as(app, who, sold("shared", 3.0), sold("shared", 3.0))
        assert (told["accepted"], told["duplicate"]) == (1, 1)
