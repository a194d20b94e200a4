"""The platform's own numbers are what its journal says, and a restart counts nothing twice."""

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.contract_model import ContractSet
from aob.core.metric.fold import fold
from aob.core.metric.fold.plan import plan_of
from aob.core.policy import LOCAL
from aob.metrics.platform import mark_of
from tests.metrics.till import SHOP, ingest_as, sold
from tests.runs.home import Deed, chain, crashed, finished, flow, fn


async def value(app: App, metric: str, **asked: Any) -> Any:
    return (await app.metric(metric, window="all", **asked))["value"]


async def rows(app: App, metric: str, *by: str) -> dict[tuple[str, ...], Any]:
    """Values by dimensions."""
    told = await app.metric(metric, window="all", by=by)
    return {tuple(row["by"][name] for name in by): row["value"] for row in told["rows"]}


async def caught_up(app: App) -> None:
    """Waits until the platform has read the journal to its end."""
    wiring = app.wiring
    assert wiring is not None
    await wiring.platform.caught_up(last_of_runs(app), 10)
    assert app.metrics.live.keeping.marks["journal"] >= last_of_runs(app)


def last_of_runs(app: App) -> int:
    """The last row of the journal: all are read, of whatever they are."""
    return int(app.views.core.journal.durable_row)


async def recounted(app: App, run_ids: list[str]) -> dict[str, Any]:
    """The same numbers from the timelines of runs."""
    kinds: Counter[str] = Counter()
    finished: Counter[tuple[str, str]] = Counter()
    for run_id in run_ids:
        run = await app.views.run(LOCAL, run_id)
        kinds.update(each["type"] for each in await app.views.timeline(LOCAL, run_id))
        if run["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
            finished[run["workflow"], run["status"]] += 1
    return {"kinds": kinds, "finished": dict(finished)}


async def same(app: App, run_ids: list[str]) -> dict[str, Any]:
    """Asserts that numbers are what timelines say; those numbers."""
    await caught_up(app)
    expected = await recounted(app, run_ids)
    kinds, ended = expected["kinds"], expected["finished"]
    told = {
        "started": await value(app, "runs_started"), "finished": await rows(app, "runs_finished", "workflow", "status"),
        "nodes": await rows(app, "nodes_finished", "outcome"), "retries": await value(app, "attempts_failed"),
        "rate": await value(app, "run_success_rate"), "asked": await value(app, "approvals_opened"),
    }  # fmt: skip
    completed = sum(count for (_, status), count in ended.items() if status == "COMPLETED")
    assert told["started"] == kinds["run_started"] == len(run_ids)
    assert told["finished"] == ended
    assert told["nodes"].get(("completed",), 0) == kinds["node_completed"]
    assert told["nodes"].get(("failed",), 0) == kinds["node_failed"]
    assert told["retries"] == kinds["attempt_failed"]
    assert told["asked"] == kinds["ticket_opened"]
    assert told["rate"] == completed / sum(ended.values())
    return told


async def test_they_are_what_the_journal_says_and_stay_so_over_restarts(tmp_path: Path) -> None:
    deed = Deed()
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(chain("good", "echo", "echo"))
        await app.push(flow("bad", {"a": fn("wrong")}))
        await app.push(flow("again", {"a": fn("flaky", retry={"attempts": 2, "first": "1ms", "jitter": 0})}))
        await app.push(flow("ask", {"a": {"kind": "approval", "config": {"text": "well?"}}}))
        deed.failures["a"] = 1
        ids = []
        for name in ("good", "bad", "again", "good"):
            run = await app.start(name, 1)
            await finished(app, run.id)
            ids.append(run.id)
        ids.append((await app.start("ask")).id)
        before = await same(app, ids)
        bare = crashed(app, tmp_path / "bare")
        await app.metrics.live.keeping.save()
        run = await app.start("good", 1)
        await finished(app, run.id)
        ids.append(run.id)
        more = await same(app, ids)
        kept = crashed(app, tmp_path / "kept")
    for home, wanted, number in ((bare, before, 5), (kept, more, 6)):
        async with aob.open(home, app=deed.handlers()) as again:
            assert await same(again, ids[:number]) == wanted


async def test_those_of_the_gate_are_its_sums_also_after_a_restart(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": SHOP})
        await app.ingest([sold(1), sold(2), sold(2), {"type": "nothing", "source": "a", "id": "b", "data": {}}])
        await app.metrics.live.keeping.save()
        await app.ingest([sold(3), sold(1)])
        home = crashed(app, tmp_path / "copy")
        names = [f"events_{name}" for name in ("received", "accepted", "duplicate", "rejected")]
        told = [await value(app, name) for name in names]
    assert told == [6, 3, 2, 1]
    async with aob.open(home) as again:
        assert [await value(again, name) for name in names] == told
        lag = (await again.metric("aob_lag_ms", window="1h"))["value"]
        assert lag < 5_000, "what was read again is not late"


async def test_their_expressions_are_compiled_once_a_process_and_never_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = list[str]()

    def planned(contracts: ContractSet, metrics: frozenset[str] | None) -> Any:
        if "runs_started" in contracts.metrics:
            threads.append(threading.current_thread().name)
        return plan_of(contracts, metrics)

    monkeypatch.setattr(fold, "plan_of", planned)
    monkeypatch.setattr(fold, "_plans", {})
    from tests.metrics.till import OTHER

    for home in ("one", "two"):
        async with aob.open(tmp_path / home) as app:
            await app.push(flow("nap", {"a": {"kind": "wait", "config": {"message": "m"}}}))
            await app.start("nap")
            await caught_up(app)
            await app.metrics.push_contracts(OTHER, {"shop.yaml": SHOP})
            await ingest_as(app, OTHER, sold(1))
            assert await value(app, "runs_started") == 1
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().name


async def test_each_tenant_has_its_own(tmp_path: Path) -> None:
    from tests.metrics.till import OTHER

    async with aob.open(tmp_path) as app:
        await app.metrics.push_contracts(OTHER, {"shop.yaml": SHOP})
        await ingest_as(app, OTHER, sold(1))
        await app.push(flow("nap", {"a": {"kind": "wait", "config": {"message": "m"}}}))
        await app.start("nap")
        await caught_up(app)
        assert (await value(app, "runs_started"), await value(app, "events_received")) == (1, 0)
        from aob.core.metric_query import MetricQuery

        other = [
            await app.metrics.metric(OTHER, MetricQuery(n, window="all")) for n in ("runs_started", "events_received")
        ]
        assert [each["value"] for each in other] == [0, 1]


async def test_a_wait_for_the_numbers_goes_on_while_they_move_and_ends_when_they_stand_still(tmp_path: Path) -> None:
    async with aob.open(tmp_path, app=Deed().handlers()) as app:
        assert app.wiring is not None
        platform, loop = app.wiring.platform, asyncio.get_running_loop()
        for row in range(1, 6):  # each within the bound, all together far beyond it
            loop.call_later(0.06 * row, platform._mark, 7, row)
        await platform.caught_up(5, 0.1, 7)
        assert platform.live.keeping.marks[mark_of(7)] == 5
        await platform.caught_up(6, 0.01, 7)
        assert platform.live.keeping.marks.pop(mark_of(7)) == 5
