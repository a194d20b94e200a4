"""Questions about the past are told by the log beside the loop: in few passes, and from the copy of a day."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import Busy
from aob.core.metric_query import MetricQuery
from aob.metrics.live import scanning
from tests.metrics.till import OTHER, SHOP, ingest_as, refunded, sold

DAY_MS = 86_400_000


def clocked(app: App, now_ms: int) -> None:
    """It is this time for the gate and for the numbers."""
    live, gate = app.metrics.live, app.metrics.gate
    live.now_ms = lambda: now_ms
    gate.now_ms = lambda: now_ms


async def test_one_pass_serves_all_windows_instants_and_metrics_that_are_asked_for_together(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        then = app.metrics.live.now_ms()
        await app.ingest([sold(n, float(n), time=(then - 400 * DAY_MS - n * 1_000) / 1_000) for n in range(50)])
        scans = app.metrics.answers.scans
        old: dict[str, Any] = {"as_of_ms": then - 400 * DAY_MS}
        first = await app.metric("sales", window="1m", **old)
        assert (first["path"], first["value"]) == ("scan", 50)
        looked = scans.events
        assert looked == 50
        for window in ("1h", "30s", "10s"):
            assert (await app.metric("sales", window=window, **old))["path"] == "scan"
        assert (await app.metric("sales", window="10s", as_of_ms=then - 400 * DAY_MS - 5_000))["value"] == 10
        assert scans.events == looked
        await app.ingest([sold("late", 7.0, time=(then - 400 * DAY_MS) / 1_000)])
        assert (await app.metric("sales", window="1m", **old))["value"] == 51
        assert scans.events == looked + 1, "it goes on from where it was"
        reads = [{"metric": name, "window": "1h", **old} for name in ("revenue", "buyers", "largest", "mean")]
        told = await app.metrics.batch(app.who, reads)
        assert [answer["path"] for answer in told["answers"]] == ["scan"] * 4
        assert scans.events == looked + 1 + 51


async def test_what_was_known_is_told_from_the_copy_of_the_day_and_is_what_the_whole_log_tells(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        start = app.metrics.live.now_ms()
        marks: list[int] = []
        for day in range(4):
            clocked(app, start + day * DAY_MS)
            await app.ingest([sold(f"{day}-{n}", float(n), time=(start + day * DAY_MS) / 1_000) for n in range(20)])
            await app.metrics.live.keeping.save()
            clocked(app, start + day * DAY_MS + 3_600_000)
            await app.ingest([sold(f"{day}-later", 5.0), refunded(f"{day}-1", 1.0)])
            marks.append(start + day * DAY_MS + 3_600_000)
        scans = app.metrics.answers.scans
        for day, at in enumerate(marks):
            for name, window in (("sales", "all"), ("revenue", "all"), ("mean", "all"), ("sales", "1h")):
                before = scans.events
                copied = await app.metric(name, window=window, known_at_ms=at)
                looked = scans.events - before
                whole = await scans._held(
                    app.who.tenant, scanning._Mine(), app.metrics.live.contracts.of(app.who.tenant),
                    MetricQuery(name, window, known_at_ms=at), frozenset({name}),
                    await app.metrics.live.events.rows_before(at), False,
                )  # fmt: skip
                assert copied["value"] == whole.fold.read(MetricQuery(name, window), at).value, (day, name, window)
                assert looked <= 2, "the rows after the copy, once"
        assert (await app.metric("sales", window="all", known_at_ms=marks[2]))["value"] == 63
        assert (await app.metric("largest", window="all", known_at_ms=marks[0]))["value"] == 19.0
    async with aob.open(tmp_path) as app:
        clocked(app, start + 4 * DAY_MS)
        before = app.metrics.answers.scans.events
        assert (await app.metric("sales", window="all", known_at_ms=marks[3]))["value"] == 84
        assert app.metrics.answers.scans.events - before <= 2


async def test_a_tenant_scans_one_at_a_time_waits_with_few_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aob.open(tmp_path) as app:
        for who in (app.who, OTHER):
            await app.metrics.push_contracts(who, {"shop.yaml": SHOP})
            await ingest_as(app, who, sold(1))
        monkeypatch.setattr(scanning, "WAITING_MAX", 2)
        scans = app.metrics.answers.scans
        free, made = asyncio.Event(), scans._go_on

        async def held(tenant: str, *more: Any) -> None:
            if tenant == app.who.tenant:
                await free.wait()
            await made(tenant, *more)

        monkeypatch.setattr(scans, "_go_on", held)
        asked = [asyncio.create_task(app.metric("sales", window="all", known_at_ms=1 << 45)) for _ in range(2)]
        while scans._mine.get(app.who.tenant) is None or scans._mine[app.who.tenant].waiting < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        with pytest.raises(Busy) as refused:
            await app.metric("sales", window="all", known_at_ms=1 << 45)
        assert refused.value.code == "scans_waiting"
        assert (await app.metrics.metric(OTHER, MetricQuery("sales", "all", known_at_ms=1 << 45)))["value"] == 1
        free.set()
        assert [answer["value"] for answer in await asyncio.gather(*asked)] == [1, 1]
