"""The platform's numbers are folded together a moment later, and nobody can tell: no look, no kill, no follower."""

import shutil
from pathlib import Path

import aob
from aob.compose import App
from aob.core.metric_query import MetricQuery
from tests.metrics.till import SHOP, sold


async def received(app: App) -> int:
    return int((await app.metric("events_received", window="all"))["value"])


async def test_a_look_right_after_an_answer_holds_it(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": SHOP})
        for number in range(1, 6):
            await app.ingest([sold(number, 1.0, "north")])
            assert await received(app) == number
            assert (await app.metric("aob_lag_ms", window="1m"))["value"] is not None


async def test_a_snapshot_before_they_are_folded_holds_them_once(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": SHOP})
        for number in range(7):
            await app.ingest([sold(number, 1.0, "north")])
        await app.metrics.live.keeping.save()
        await app.ingest([sold(8, 1.0, "north")])
        shutil.copytree(app.home, tmp_path / "killed", ignore=shutil.ignore_patterns("*-shm", "aob.lock", "home.lock"))
    for home in ("home", "killed"):
        async with aob.open(tmp_path / home) as app:
            assert await received(app) == 8


async def test_whoever_follows_one_of_them_is_told(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": SHOP})
        feed = app.metrics.stream(app.who, metrics=[MetricQuery("events_received", "all")])
        _, _, first = await anext(feed)
        assert first["value"] == 0
        await app.ingest([sold(1, 1.0, "north"), sold(2, 1.0, "north")])
        _, _, second = await anext(feed)
        assert second["value"] == 2
