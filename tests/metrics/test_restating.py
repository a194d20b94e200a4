"""What is told anew from the log: history that comes late, values taken back. Until it is, the answer says so."""

import random
from pathlib import Path
from typing import Any, Final

import pytest

import aob
from aob.compose import App
from aob.metrics.live.restating import Restating
from tests.metrics.till import SHOP, counted_anew, filled, refunded, sold

DAY_S: Final = 86_400
BUYS: Final = """
event: bought
version: 1
fields: {customer: {type: string}, amount: {type: number}}
---
metric: visits
version: 1
type: sessions
key: data.customer
within: 30d
moves: [{on: bought}]
windows: [all]
---
metric: comes_again
version: 1
type: funnel
key: data.customer
within: 30d
steps: [first, again]
moves: [{on: bought, step: first}, {on: bought, step: again}]
windows: [all]
---
metric: between
version: 1
type: join
key: data.customer
within: 90d
moves: [{on: bought, step: left}, {on: bought, step: right}]
windows: [all]
"""
NAMES: Final = ("visits", "comes_again", "between")


def bought(number: int, customer: str, ago_days: float) -> dict[str, Any]:
    """A purchase of a while ago."""
    time = 1_781_703_441.0 - ago_days * DAY_S
    return {"type": "bought", "source": "s", "id": str(number), "time": time,
            "data": {"customer": customer, "amount": 1.0}}  # fmt: skip


async def values(app: App) -> dict[str, Any]:
    """Every number of the shop, once it is told."""
    answers = {name: await app.metric(name, window="all") for name in NAMES}
    assert all(answer["exact"] and "missed" not in answer for answer in answers.values()), answers
    return {name: answer["value"] for name, answer in answers.items()}


async def test_history_that_comes_after_live_events_gives_the_same_as_before(tmp_path: Path) -> None:
    dice = random.Random(1)
    history = [bought(n, f"c{dice.randrange(40)}", dice.uniform(0, 540)) for n in range(600)]
    ordered = sorted(history, key=lambda event: event["time"])
    async with aob.open(tmp_path / "ordered") as app:
        await app.push_contracts({"buys.yaml": BUYS})
        for start in range(0, 600, 100):
            await app.ingest(ordered[start : start + 100])
        want = await values(app)
    dice.shuffle(history)
    async with aob.open(tmp_path / "shuffled") as app:
        await app.push_contracts({"buys.yaml": BUYS})
        for start in range(0, 600, 100):
            await app.ingest(history[start : start + 100])
        await counted_anew(app)
        assert await values(app) == want
    async with aob.open(tmp_path / "shuffled") as app:
        assert await values(app) == want
    async with aob.open(tmp_path / "later") as app:
        events = BUYS.partition("---")[0]
        await app.push_contracts({"events.yaml": events})
        await app.ingest(history)
        await app.push_contracts({"buys.yaml": BUYS})
        await filled(app)
        await counted_anew(app)
        assert await values(app) == want


async def test_a_session_of_two_days_ago_counts_when_sessions_are_a_month_apart(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"buys.yaml": BUYS})
        await app.ingest([bought(1, "a", 0.0), bought(2, "b", 2.0)])
        answer = await app.metric("visits", window="all")
        assert (answer["value"]["sessions"], answer["exact"]) == (2, True)


async def test_until_it_is_told_the_answer_says_so_also_after_a_restart_and_a_position_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Restating, "soon", lambda self, tenant: None)
        async with aob.open(tmp_path) as app:
            await app.push_contracts({"buys.yaml": BUYS, "shop.yaml": SHOP})
            # What is taken back counts at its own time: a second later it would be of another tile.
            await app.ingest([sold(1, 5.0), sold(2, 9.0, time=1_781_703_441.0), bought(1, "a", 0.0)])
            told = await app.ingest([refunded(2, 9.0, time=1_781_703_441.0), bought(2, "b", 400.0)])
        async with aob.open(tmp_path) as app:
            for name in ("visits", "largest"):
                answer = await app.metric(name, window="all")
                assert (answer["exact"], answer["restating"]) == (False, True), name
            assert (await app.metric("visits", window="all"))["missed"] == 1
    async with aob.open(tmp_path) as app:
        answer = await app.metric("largest", window="all", min_position=told["position"])
        assert (answer["value"], answer["exact"], "restating" in answer) == (5.0, True, False)
        answer = await app.metric("visits", window="all", min_position=told["position"])
        assert (answer["value"]["sessions"], answer["exact"], "missed" in answer) == (2, True, False)


async def test_many_sales_taken_back_are_told_by_few_passes(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        passes, made = list[str](), Restating._pass
        sales = [sold(n, float(n), time=1_781_703_441.0 - n * 37) for n in range(2_000)]
        back = [refunded(n, float(n), time=1_781_703_441.0 - n * 37) for n in range(1_900, 2_000)]

        async def counted(self: Restating, numbers: Any) -> None:
            passes.append(numbers.tenant)
            await made(self, numbers)

        app.metrics.live.restating._pass = counted.__get__(app.metrics.live.restating)  # type: ignore[method-assign]
        await app.ingest(sales)
        told = await app.ingest(back)
        answer = await app.metric("largest", window="all", min_position=told["position"])
        assert (answer["value"], answer["exact"]) == (1_899.0, True)
        assert len(passes) <= 3
