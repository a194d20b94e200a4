"""Why a number moved: the parts add up to the whole, for the window and the filter that the caller names."""

from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.contract import read_contracts
from aob.core.metric_query import MetricQuery
from aob.metrics.live import account
from aob.metrics.live.account import Account, Moving, minus
from tests.core.metric.ingesting import Intake
from tests.core.metric.oracle import MOVES
from tests.core.metric.shop_world import CONTRACTS, DAY, HOUR, MINUTE, stream
from tests.core.metric.test_oracle import DAYS, ms, same

SALES = """
event: sale
version: 1
fields: {amount: {type: number}}
---
event: refund
version: 1
fields: {amount: {type: number}, sold_at: {type: string, format: date-time}}
---
metric: money
version: 1
type: sum
moves:
  - {on: sale, value: data.amount}
  - {on: refund, value: data.amount, retract: true, at: timestamp(data.sold_at)}
windows: [1h, all]
"""
REST = frozenset(("bestsellers", "earners", "stock"))
"""What they tell is no sum: lists, and what was said last."""


@pytest.mark.parametrize("each_max", [5, 1_000])
@pytest.mark.parametrize("window", ["all", "1h", "this_hour", "five"])
@pytest.mark.parametrize("where", [{}, {"region": "eu"}])
def test_the_parts_add_up_to_the_whole(
    monkeypatch: pytest.MonkeyPatch, each_max: int, window: str, where: dict[str, str]
) -> None:
    monkeypatch.setattr(account, "EACH_MAX", each_max)
    contracts, now_ms = read_contracts(CONTRACTS), ms(DAYS["an ordinary day"])
    intake = Intake(contracts)
    sent = stream(3, 90, now_ms, 2 * HOUR, DAY)
    events = intake.take([each.line for each in sent], now_ms)
    cut = len(events) // 2
    since_ms = now_ms - 20 * MINUTE
    for metric in (*MOVES, "aov"):
        if metric in REST:
            continue
        told = Account(contracts, MetricQuery(metric, window, where=where), since_ms, now_ms)
        told.base(events[:cut])
        told.begin()
        for number, event in enumerate(events[cut:]):
            told.take([(event, Moving(1, number, event.at_ms, event.at_ms < since_ms, event, b""))])
        told.end()
        assert same(told.change, minus(told.after, told.before)), metric
        parts = told.parts()
        for name in told.change if isinstance(told.change, dict) else [None]:
            got = [part["change"] if name is None else (part["change"] or {}).get(name) for part in parts]
            want = told.change if name is None else told.change[name]
            assert abs(sum(each or 0 for each in got) - (want or 0)) < 1e-6 * max(1, abs(want or 0)), (metric, name)
        assert len(told.newest) <= each_max


async def test_a_refund_with_a_time_of_its_own_shows_its_true_change(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"sales.yaml": SALES})
        live = app.metrics.live
        now_ms = live.now_ms()

        def event(kind: str, amount: float, ago_ms: int, **more: Any) -> dict[str, Any]:
            time = (now_ms - ago_ms) / 1_000
            return {"type": kind, "source": "s", "id": f"{kind}", "time": time, "data": {"amount": amount, **more}}

        from tests.core.metric.shop_world import instant

        await app.ingest([event("sale", 100.0, 60_000)])
        since = live.now_ms() + 1
        live.now_ms = lambda: since + 5_000
        live_gate: Any = app.metrics.gate
        live_gate.now_ms = lambda: since + 5_000
        await app.ingest([event("refund", 40.0, 0, sold_at=instant(now_ms - 60_000))])
        for window in ("", "all"):
            log = await app.metrics.changelog(app.who, "money", since_ms=since, until_ms=since + 5_001, window=window)
            (change,) = [row for row in log["changes"] if row["kind"] != "contract"]
            assert change["change"] == -40.0
            assert (log["before"], log["after"], log["change"]) == (100.0, 60.0, -40.0)
            assert log["parts"] == [{"type": "refund", "kind": "restatement", "events": 1, "change": -40.0}]
            assert log["window"] == (window or "1h")
